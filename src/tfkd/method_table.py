"""The one table of methods: who teaches, which numbers a method takes, where it comes from.

The command line, comparisons, studies, dialects, documentation and tests are derived from it. A row
names its compositions instead of importing them, so that it can be read without torch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from tfkd._checks import check_fraction, check_number, check_positive, did_you_mean
from tfkd.references import OwnPartError, from_reference, function_from_reference, is_reference

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tfkd.loss import DistillationLoss
    from tfkd.teachers import Teacher

TaughtBy = Literal[
    "nobody", "itself", "a larger network", "a smaller network", "a barely trained network", "any"
]
"""`itself`: the same network, trained before with cross-entropy. `any`: whom the caller names."""


@dataclass(frozen=True)
class Number:
    """A number that losses take.

    Attributes:
        low: smallest value.
        high: largest value.
        help: what it is, in half a sentence, with its range.
    """

    low: float
    high: float
    help: str


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


NUMBERS: dict[str, Number] = {
    "alpha": Number(0.0, 1.0, "weight of the teacher term, in [0, 1]"),
    "temperature": Number(0.0, float("inf"), "temperature of teacher and student, above 0"),
    "confidence": Number(
        0.0,
        1.0,
        "probability that the designed teacher gives the true class, from 1/classes to 1",
    ),
    "multiplier": Number(
        0.0, float("inf"), "factor of the released code on its teacher term, above 0"
    ),
    "scale": Number(0.0, float("inf"), "factor on the whole loss, above 0"),
}
"""The numbers of this package's methods. A number has one meaning, whatever method takes it."""

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
            is given the network that teaches, or a `Teacher`; it returns a `DistillationLoss`.
        spaces: by number, where its best value is searched.
        paper: where it comes from.
    """

    name: str
    title: str
    taught_by: TaughtBy
    compositions: Mapping[str, str]
    spaces: Mapping[str, Space] = field(default_factory=dict)
    paper: str = ""

    @property
    def has_teacher(self) -> bool:
        """Whether a network teaches."""
        return self.taught_by != "nobody"

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
        from tfkd.loss import DistillationLoss  # only here, so that the table needs no torch

        return function_from_reference(self.compositions[dialect], DistillationLoss)

    def numbers(self, dialect: str = "tfkd") -> dict[str, float | None]:
        """Return the numbers that the loss takes, with their defaults; None: there is none."""
        found: dict[str, float | None] = {}
        parameters = inspect.signature(self.composition(dialect)).parameters
        for name, parameter in parameters.items():
            if name in ("num_classes", "weight") or parameter.kind is parameter.POSITIONAL_ONLY:
                continue
            if parameter.kind is parameter.VAR_KEYWORD:
                if dialect == "tfkd":  # those of other dialects have a scale of their own
                    found["scale"] = 1.0
            elif not _is_teacher(parameter):
                default = parameter.default
                found[name] = None if default is parameter.empty else default
        return found

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
    ) -> DistillationLoss:
        """Return the loss.

        Args:
            dialect: whose formula it has.
            numbers: all that it takes.
            num_classes: the number of classes K, at least 2.
            teacher: the network that teaches, or a `Teacher` of it, for a method that has one.
            weight: (K,), of the classes; None: all count alike.

        Raises:
            ValueError: for a teacher that is missing, or a number out of its range.
        """
        composition = self.composition(dialect)
        arguments: dict[str, Any] = dict(numbers)
        if "num_classes" in inspect.signature(composition).parameters:
            arguments["num_classes"] = num_classes
        if weight is not None:
            self.check_takes_weight(dialect)
            arguments["weight"] = weight
        if not self.has_teacher:
            criterion: DistillationLoss = composition(**arguments)
        elif teacher is None:
            raise ValueError(f"Expected a `teacher` for the method {self.name}, got none.")
        else:
            criterion = composition(teacher, **arguments)
        from tfkd.loss import DistillationLoss

        if not isinstance(criterion, DistillationLoss):
            raise OwnPartError(
                f"Expected {self.compositions[dialect]} to return a DistillationLoss, got "
                f"{type(criterion).__name__}."
            )
        criterion.teacher.gap(num_classes)  # the range of a designed teacher's confidence
        return criterion


def check_method_number(name: str, value: float) -> float:
    """Return a number of a method; `ValueError` outside of its range, `TypeError` for no number."""
    known = NUMBERS.get(name)
    if known is None:  # of a method of one's own
        return check_number(name, value)
    return check_fraction(name, value) if known.high == 1.0 else check_positive(name, value)


def _is_teacher(parameter: inspect.Parameter) -> bool:
    positional = parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    return positional and parameter.default is parameter.empty


_KD = {
    "tfkd": "tfkd.methods:knowledge_distillation",
    "paper": "tfkd.dialects:paper_kd",
    "released": "tfkd.dialects:released_kd",
}
_KD_SPACES = {"alpha": Space(0.05, 0.95), "temperature": Space(1.0, 20.0, log=True)}
_TF_KD = "Yuan et al., 2020, arXiv 1909.11723"

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("cross_entropy", "cross-entropy", "nobody", {"tfkd": "tfkd.methods:cross_entropy"}),
        Method(
            "label_smoothing",
            "label smoothing",
            "nobody",
            {
                "tfkd": "tfkd.methods:label_smoothing",
                "paper": "tfkd.methods:label_smoothing",
                "released": "tfkd.dialects:released_label_smoothing",
            },
            {"alpha": Space(0.01, 0.5, log=True)},
            "Szegedy et al., 2016, arXiv 1512.00567",
        ),
        Method(
            "tf_kd_reg",
            "Tf-KD_reg",
            "nobody",
            {
                "tfkd": "tfkd.methods:tf_kd_reg",
                "paper": "tfkd.dialects:paper_tf_kd_reg",
                "released": "tfkd.dialects:released_tf_kd_reg",
            },
            {
                "alpha": Space(0.01, 0.95, log=True),
                "temperature": Space(1.0, 40.0, log=True),
                "confidence": Space(0.9, 0.999),
            },
            f"{_TF_KD}, eq. 9",
        ),
        Method(
            "tf_kd_self",
            "Tf-KD_self",
            "itself",
            {**_KD, "tfkd": "tfkd.methods:tf_kd_self"},
            _KD_SPACES,
            f"{_TF_KD}, eq. 7",
        ),
        Method(
            "normal_kd",
            "normal KD",
            "a larger network",
            _KD,
            _KD_SPACES,
            "Hinton et al., 2015, arXiv 1503.02531",
        ),
        Method("re_kd", "Re-KD", "a smaller network", _KD, _KD_SPACES, f"{_TF_KD}, section 3"),
        Method(
            "de_kd", "De-KD", "a barely trained network", _KD, _KD_SPACES, f"{_TF_KD}, section 3"
        ),
        Method(
            "knowledge_distillation",
            "KD",
            "any",
            _KD,
            _KD_SPACES,
            "Hinton et al., 2015, arXiv 1503.02531",
        ),
    )
}
"""By name, every method of this package."""

BASELINE = "cross_entropy"
"""With what every other method is compared."""


def find_method(name: str) -> Method:
    """Return the method of a name.

    Args:
        name: of the table; or `module:name`, of a `Method` of your own, or of a function that
            says that it returns a `DistillationLoss`. If its first parameter has no default, it is
            given the network that teaches, which is the larger one where a study has two.

    Raises:
        ValueError: for another name.

    Example:
        >>> find_method("tf_kd_reg").title
        'Tf-KD_reg'
    """
    if name in METHODS:
        return METHODS[name]
    if not is_reference(name):
        raise ValueError(
            f"Expected `method` among {', '.join(METHODS)}, or module:function of your own, "
            f"got {name!r}.{did_you_mean(name, METHODS)}"
        )
    found = from_reference(name)
    if isinstance(found, Method):
        return found
    if not callable(found):
        raise OwnPartError(
            f"Expected a function or a tfkd Method at {name}, got {type(found).__name__}."
        )
    own = Method(name, name.rpartition(":")[2].replace("_", " "), "nobody", {"tfkd": name})
    parameters = inspect.signature(own.composition()).parameters.values()
    taught = any(_is_teacher(parameter) for parameter in parameters)
    return replace(own, taught_by="a larger network") if taught else own
