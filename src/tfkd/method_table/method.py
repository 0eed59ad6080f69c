"""What a row of the table holds, and how a loss is built of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tfkd._checks import (
    check_at_least_0,
    check_fraction,
    check_number,
    check_positive,
    check_whole,
)
from tfkd.references import OwnPartError, function_from_reference

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tfkd.loss import BinaryDistillationLoss, Criterion
    from tfkd.teachers import Teacher

TaughtBy = Literal[
    "nobody",
    "a rule",
    "itself, as it learns",
    "itself",
    "a larger network",
    "a smaller network",
    "a barely trained network",
    "any",
]
"""`a rule`: no network, and the same for every student and sample but for the label; `itself`: the
same network, trained before with cross-entropy; `itself, as it learns`: without that, by what it
says while it is trained. `any`: whom the caller names."""

Partners = Literal["none", "of the class", "the last batch"]
"""What is shown beside each image: another of its class; or the batch before, in another view."""

SUPPLIED = (
    "directory",
    "epochs",
    "form",
    "num_classes",
    "num_samples",
    "samples_per_epoch",
    "student",
    "weight",
)
"""Parameters of compositions that are no numbers of a method: the trainer knows them.

`directory` and `form`, of what is remembered of each sample, it leaves as they are.
"""


@dataclass(frozen=True)
class Number:
    """A number that losses take.

    Attributes:
        low: smallest value.
        high: largest value.
        help: what it is, in half a sentence, with its range.
        below: whether it is below the largest value, and never that.
        whole: whether it counts something, from 1.
    """

    low: float
    high: float
    help: str
    below: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Space:
    """Where the best value of a number is searched.

    Attributes:
        low: smallest value tried.
        high: largest value tried.
        log: whether steps are equal in the logarithm.
    """

    low: float
    high: float
    log: bool = False


LEAST, MOST = 1e-6, 1e6
"""Of numbers that have no bounds of their own: far beyond, sums of floats are no numbers."""

NUMBERS: dict[str, Number] = {
    "alpha": Number(0.0, 1.0, "weight of the teacher term, in [0, 1]"),
    "temperature": Number(
        LEAST, MOST, "temperature, above 0, of teacher and student unless the method says whose"
    ),
    "confidence": Number(
        0.0,
        1.0,
        "probability that the designed teacher gives the true class, from 1/classes to 1",
    ),
    "multiplier": Number(LEAST, MOST, "factor of the released code on its teacher term, above 0"),
    "scale": Number(LEAST, MOST, "factor on the whole loss, above 0"),
    "added": Number(
        0.0,
        MOST,
        "weight of what is added to the whole cross-entropy, at least 0",
    ),
    "target": Number(0.0, MOST, "weight of what is said of the true class, at least 0"),
    "non_target": Number(0.0, MOST, "weight of what is said among the wrong classes, at least 0"),
    "power": Number(LEAST, MOST, "exponent of the teacher's probabilities, or of ranks, above 0"),
    "concentration": Number(LEAST, MOST, "of the Beta distribution, above 0"),
    "decay": Number(
        0.0, 1.0, "of the average of the student's weights, from 0 and below 1", below=True
    ),
    "margin": Number(0.0, MOST, "how far logits may lie below the largest, at least 0"),
    "focusing": Number(0.0, MOST, "exponent γ of the focal losses, at least 0"),
    "warm_up": Number(
        1.0, MOST, "epochs over which the teacher term gains its weight, at least 1", whole=True
    ),
    "ramp_up": Number(
        1.0, MOST, "epochs until the teacher term has its whole weight, at least 1", whole=True
    ),
}
"""The numbers of this package's methods. A number has one meaning, whatever method takes it.

What it is of in a single method, `Method.meanings` says.
"""

DIALECTS: dict[str, str] = {
    "tfkd": "ours",
    "paper": "as printed",
    "released": "as released",
}
"""Whose formulas and numbers a loss has, and what tables call it."""


@dataclass(frozen=True)
class Method:
    """A named method: one composition, in one dialect or several.

    Attributes:
        name: as it is typed.
        title: as tables print it.
        taught_by: who teaches.
        compositions: by dialect, `module:function`. A function whose first parameter is positional
            is given the network that teaches, or a `Teacher`, unless it is called `student`: that
            is the network that is trained. It returns a criterion of `tfkd.loss`.
        spaces: by number, where its best value is searched.
        paper: where it comes from.
        partners: what is shown beside each image.
        meanings: by number, what it is in this method where `NUMBERS` does not say all; of other
            dialects their functions say it.
        short: what else it is called where a method is named, in small letters with underscores.
            Nothing is written or compared by these.
        binary: `module:function` of the same method where a sample has several labels at once, with
            the same numbers and defaults as ours; None where there is none. It returns a
            `tfkd.BinaryDistillationLoss`.
    """

    name: str
    title: str
    taught_by: TaughtBy
    compositions: Mapping[str, str]
    spaces: Mapping[str, Space] = field(default_factory=dict)
    paper: str = ""
    partners: Partners = "none"
    meanings: Mapping[str, str] = field(default_factory=dict)
    short: tuple[str, ...] = ()
    binary: str | None = None

    @property
    def has_teacher(self) -> bool:
        """Whether a network teaches."""
        return self.taught_by not in ("nobody", "a rule", "itself, as it learns")

    def composition(self, dialect: str = "tfkd") -> Callable[..., Any]:
        """Return the function that makes the loss.

        Raises:
            ValueError: for a dialect that the method is not written in.
        """
        if dialect not in self.compositions:
            raise ValueError(
                f"Expected `dialect` among {', '.join(self.compositions)} for {self.name}, "
                f"got {dialect!r}."
            )
        from tfkd.loss import Criterion, DistillationLoss  # only here: the table needs no torch

        return function_from_reference(
            self.compositions[dialect], Criterion, usual=DistillationLoss
        )

    def meaning(self, number: str) -> str:
        """Return what a number is, in half a sentence; empty for one of one's own."""
        known = NUMBERS[number].help if number in NUMBERS else ""
        return self.meanings.get(number, known)

    def numbers(self, dialect: str = "tfkd") -> dict[str, float | None]:
        """Return the numbers that the loss takes, with their defaults; None: there is none."""
        found: dict[str, float | None] = {}
        parameters = inspect.signature(self.composition(dialect)).parameters
        for name, parameter in parameters.items():
            if name in SUPPLIED or parameter.kind is parameter.POSITIONAL_ONLY:
                continue
            if parameter.kind is parameter.VAR_KEYWORD:
                if dialect == "tfkd":  # those of other dialects have a scale of their own
                    found.setdefault("scale", 1.0)
            elif not _is_teacher(parameter):
                default = parameter.default
                found[name] = None if default is parameter.empty else default
        return found

    def takes(self, supplied: str, dialect: str = "tfkd") -> bool:
        """Return whether the loss is made with something that the trainer knows, of `SUPPLIED`."""
        return supplied in inspect.signature(self.composition(dialect)).parameters

    def check_takes_weight(self, dialect: str = "tfkd") -> None:
        """Raise `ValueError` unless the loss takes `weight`, of the classes."""
        parameters = inspect.signature(self.composition(dialect)).parameters
        kinds = [parameter.kind for parameter in parameters.values()]
        if "weight" not in parameters and inspect.Parameter.VAR_KEYWORD not in kinds:
            raise ValueError(
                f"Expected `class_weights` none for {self.name}, whose loss takes no `weight`."
            )

    def build(
        self,
        dialect: str,
        numbers: Mapping[str, float],
        *,
        num_classes: int,
        teacher: nn.Module | Teacher | None = None,
        weight: Tensor | None = None,
        student: nn.Module | None = None,
        epochs: int | None = None,
        num_samples: int | None = None,
    ) -> Criterion:
        """Return the loss.

        Args:
            dialect: whose formula it has.
            numbers: all that it takes.
            num_classes: the number of classes K, at least 2.
            teacher: the network that teaches, or a `Teacher` of it, for a method that has one.
            weight: (K,), of the classes; None: all count alike.
            student: the network that is trained; None, as the two that follow: a stand-in, where
                the loss is looked at and nothing is trained.
            epochs: of the training.
            num_samples: of the official training split, which indices count.

        Raises:
            ValueError: for a teacher that is missing, or a number out of its range.
        """
        from torch import nn

        composition = self.composition(dialect)
        supplied = {
            "epochs": epochs or 1,
            "num_classes": num_classes,
            "num_samples": num_samples or 1,
            "samples_per_epoch": "told",
            "student": nn.Identity() if student is None else student,
        }
        taken = inspect.signature(composition).parameters
        arguments: dict[str, Any] = dict(numbers)
        arguments |= {name: value for name, value in supplied.items() if name in taken}
        if weight is not None:
            self.check_takes_weight(dialect)
            arguments["weight"] = weight
        criterion: Criterion = composition(*self._taught(teacher), **arguments)
        from tfkd.loss import Criterion, DistillationLoss

        if not isinstance(criterion, Criterion):
            raise OwnPartError(
                f"Expected {self.compositions[dialect]} to return a DistillationLoss, got "
                f"{type(criterion).__name__}."
            )
        if isinstance(criterion, DistillationLoss):
            criterion.teacher.gap(num_classes)  # the range of a designed teacher's confidence
        return criterion

    def build_binary(
        self,
        numbers: Mapping[str, float],
        *,
        teacher: nn.Module | Teacher | None = None,
        weight: Tensor | None = None,
        pos_weight: Tensor | None = None,
    ) -> BinaryDistillationLoss:
        """Return the loss of samples that have several labels at once.

        Args:
            numbers: as of `build`, in our dialect.
            teacher: as of `build`.
            weight: of each label, `(C,)` for C of them; None: all count alike.
            pos_weight: of what is present, alike.

        Raises:
            ValueError: for a method that has no such loss, a teacher that is missing, or a number
                out of its range.

        Example:
            >>> from tfkd.method_table import METHODS
            >>> METHODS["label_smoothing"].build_binary({"alpha": 0.2}).alpha
            0.2
        """
        if self.binary is None:
            raise ValueError(
                f"Expected a method that knows several labels at once, got {self.name}, which "
                "does not."
            )
        from tfkd.loss import BinaryDistillationLoss

        composition = function_from_reference(self.binary, BinaryDistillationLoss)
        criterion: BinaryDistillationLoss = composition(
            *self._taught(teacher), **numbers, weight=weight, pos_weight=pos_weight
        )
        return criterion

    def _taught(self, teacher: nn.Module | Teacher | None) -> tuple[nn.Module, ...]:
        """What a composition is given first."""
        if not self.has_teacher:
            return ()
        if teacher is None:
            raise ValueError(f"Expected a `teacher` for the method {self.name}, got none.")
        return (teacher,)


def check_method_number(name: str, value: float) -> float:
    """Return a number of a method; `ValueError` outside of its range, `TypeError` for no number."""
    known = NUMBERS.get(name)
    if known is None:  # of a method of one's own
        return check_number(name, value)
    if known.whole:
        return float(check_whole(name, value))
    if known.low > 0.0:
        number = check_positive(name, value)
    elif known.high > 1.0:
        number = check_at_least_0(name, value)
    else:
        number = check_fraction(name, value)
    if known.below and number == known.high:
        raise ValueError(f"Expected `{name}` below {known.high:g}, got {value}.")
    if not known.low <= number <= known.high:
        raise ValueError(f"Expected `{name}` from {known.low:g} to {known.high:g}, got {value}.")
    return number


def takes_a_teacher(composition: Callable[..., Any]) -> bool:
    """Return whether a composition is given the network that teaches."""
    return any(map(_is_teacher, inspect.signature(composition).parameters.values()))


def _is_teacher(parameter: inspect.Parameter) -> bool:
    positional = parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    return positional and parameter.default is parameter.empty and parameter.name != "student"
