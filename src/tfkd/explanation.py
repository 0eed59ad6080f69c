"""What a loss amounts to, in terms that a practitioner can compare."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from tfkd._checks import check_num_classes
from tfkd.loss import (
    BinaryDistillationLoss,
    Criterion,
    DistillationLoss,
    LinearDistillationLoss,
)
from tfkd.loss.schedules import Progress
from tfkd.loss.taught import TaughtCriterion
from tfkd.loss.terms import softened_gap, standardized_gap
from tfkd.loss.told import ToldCriterion
from tfkd.loss.usual_weights import usual_weights
from tfkd.penalties import Penalty
from tfkd.penalties.optimum import where_zero
from tfkd.teachers.base import Teacher, wants


@dataclass(frozen=True)
class Explanation:
    """What a loss amounts to; `str()` gives a readable printout.

    Pairs are probabilities of (the true class, each other class). Fields that depend on the
    sample, as they do for a network teacher, are None. Where a setting follows a schedule, all
    numbers are those of now.

    Attributes:
        teacher: the teacher, with its settings; `none` of a penalty, whose alpha is 0.
        num_classes: K.
        alpha: weight of the teacher term, with the weights of both terms adding up to 1.
        temperature: τ.
        scale: loss scale s, as set.
        teacher_target: the soft target the teacher gives at τ.
        target: what the student's own probabilities are where the loss of a sample is smallest.
            At τ = 1 this is the soft target of the whole loss, (1 − α)·q + α·t.
        gap: the logit gap g* between the true class and the others at that point; infinite where
            only certainty will do, as for plain cross-entropy.
        equivalent_label_smoothing: the ε of the label smoothing with the same g*.
        exact: whether the loss *is* that label smoothing times `scale` (up to a constant), as at
            τ = 1, or only shares its optimum.
        learning_rate_factor: what the terms weigh together, s unless the teacher has shares; under
            SGD it amounts to a learning rate times this ...
        weight_decay_factor: ... and, with it, a weight decay times this.
        penalty: what a loss minimises that nobody teaches, in words; None of one with a teacher.
        schedules: the settings that follow one, each with its schedule in words.
        decoupled: weights of the parts of the divergence, of the true class and among the wrong
            ones; None: as they are.
        standardize: whether the teacher term sees standardised logits.
        share: mean of the teacher's shares of the samples, by which its term is weighed; None:
            depends on the sample, and is taken as 1 in what the terms weigh together.
        label_share: the same of its shares of the labels.
        unknown: why fields are None.
        remark: what the numbers do not say; empty if nothing.
    """

    teacher: str
    num_classes: int
    alpha: float
    temperature: float
    scale: float
    teacher_target: tuple[float, float] | None
    target: tuple[float, float] | None
    gap: float | None
    equivalent_label_smoothing: float | None
    exact: bool
    learning_rate_factor: float
    weight_decay_factor: float
    penalty: str | None = None
    schedules: tuple[tuple[str, str], ...] = ()
    decoupled: tuple[float, float] | None = None
    standardize: bool = False
    share: float | None = 1.0
    label_share: float | None = 1.0
    unknown: str = "depends on the sample"
    remark: str = ""

    def rows(self) -> list[tuple[str, str]]:
        """Return the printout as pairs of a name and a value."""
        schedules = dict(self.schedules)

        def now(name: str, value: str) -> str:
            return f"{value} now, {schedules[name]}" if name in schedules else value

        rows = [("teacher", self.teacher), ("classes K", f"{self.num_classes}")]
        if self.penalty is not None:
            rows.append(("loss", self.penalty))
            rows += [(name, now(name, "as above")) for name in schedules if name != "scale"]
        else:
            rows.append(("alpha", now("alpha", f"{self.alpha:.4g}")))
            rows.append(("temperature", now("temperature", f"{self.temperature:g}")))
        rows.append(("loss scale s", now("scale", f"{self.scale:.4g}")))
        if self.penalty is None:
            rows += self._of_teacher_term()
            rows.append(("teacher's soft target", _pair(self.teacher_target) or self.unknown))
        rows.append(("student led to", _pair(self.target) or self.unknown))
        gap = self.unknown if self.gap is None else f"{self.gap:.4f}"
        rows.append(("optimal logit gap g*", gap))
        if self.equivalent_label_smoothing is None:
            why = self.unknown
            for what in ("sample", "class"):
                if self.penalty is None and self.unknown.startswith(f"depends on the {what}"):
                    why = f"the soft target differs from {what} to {what}"
            rows.append(("as label smoothing", f"none: {why}"))
        else:
            epsilon = f"epsilon {self.equivalent_label_smoothing:.4f}"
            how = "exactly" if self.exact else "the same optimum, not the same gradient"
            rows.append(("as label smoothing", f"{epsilon}, {how}"))
        if self.learning_rate_factor == 1.0:
            rows.append(("under SGD", f"learning rate and weight decay as set{self._assumed}"))
        else:
            rows.append(
                (
                    "under SGD",
                    f"as learning rate × {self.learning_rate_factor:.4g} with "
                    f"weight decay × {self.weight_decay_factor:.4g}{self._assumed}",
                )
            )
        if self.remark:
            rows.append(("remark", self.remark))
        return rows

    @property
    def _assumed(self) -> str:
        """What is said where the weights are not known."""
        unknown = [name for name, share in self._shares.items() if share is None]
        return f", with the {' and '.join(unknown)} taken as 1" if unknown else ""

    @property
    def _shares(self) -> dict[str, float | None]:
        """The shares of terms that are there."""
        of_label = {"label share": self.label_share} if self.alpha < 1.0 else {}
        return of_label | ({"share": self.share} if self.alpha > 0.0 else {})

    def _of_teacher_term(self) -> list[tuple[str, str]]:
        """What is added to what, where the weights of both terms are more than 1 together."""
        rows = []
        shares = {name: share for name, share in self._shares.items() if share != 1.0}
        for name, share in shares.items():
            said = "depends on the sample" if share is None else f"{share:.4g} on average"
            rows.append((name, said))
        if self.alpha > 0.0 and (self.scale > 1.0 or shares):
            square = "" if self.temperature == 1.0 else "τ² × "
            label, teacher = self.scale * (1.0 - self.alpha), self.scale * self.alpha
            kept = f"{_weight(label, 'label share', self.label_share)} × cross-entropy + "
            taught = f"{_weight(teacher, 'share', self.share)} × {square}divergence"
            rows.append(("that is", kept * (label > 0.0) + taught))
        if self.decoupled is not None:
            target, others = self.decoupled
            text = f"{target:.4g} × of the true class + {others:.4g} × among the wrong ones"
            rows.append(("divergence", text))
        if self.standardize:
            rows.append(("teacher term sees", "both logits standardised"))
        return rows

    def __str__(self) -> str:
        """Return one aligned line for each row."""
        width = max(len(name) for name, _ in self.rows())
        return "\n".join(f"{name:<{width}}  {value}" for name, value in self.rows())


def _weight(weight: float, name: str, share: float | None) -> str:
    """A weight with its share, in words."""
    return f"{weight:.4g} × {name}" if share is None else f"{weight * share:.4g}"


def explain(criterion: Criterion, num_classes: int | None = None) -> Explanation:
    """Say what a loss amounts to: its soft targets, and the label smoothing it is or resembles.

    The loss of one sample whose wrong classes share one logit is a convex function of the gap g
    between the true class's logit and theirs; g* is where it is smallest:

        (1 − α)·(1 − p(g*))  =  α·τ·(p_τ(g*) − t_τ)

    with p, p_τ the student's and t_τ the teacher's probability of the true class. Where the loss is
    decoupled its weight of the true class is a factor on the right.

    Args:
        criterion: any loss of this library.
        num_classes: the number of classes K, at least 2. Of a `BinaryDistillationLoss` it does not
            matter: each label is explained by itself, with the classes present and absent.

    Returns:
        A frozen record.

    Raises:
        TypeError: if `criterion` is no loss of this library or has no teacher yet, or `num_classes`
            is not an int.
        ValueError: if `num_classes` is below 2 or does not fit the teacher.

    Example:
        >>> import tfkd
        >>> print(tfkd.explain(tfkd.label_smoothing(0.1), num_classes=10))
        teacher                UniformTeacher()
        classes K              10
        alpha                  0.1
        temperature            1
        loss scale s           1
        teacher's soft target  true 0.1, others 0.1 each
        student led to         true 0.91, others 0.01 each
        optimal logit gap g*   4.5109
        as label smoothing     epsilon 0.1000, exactly
        under SGD              learning rate and weight decay as set
    """
    if isinstance(criterion, BinaryDistillationLoss):
        num_classes = 2
    if num_classes is None:
        raise TypeError("Expected `num_classes`, the number of classes, got None.")
    if isinstance(criterion, Penalty):
        check_num_classes(num_classes)
        return _of_penalty(criterion, num_classes)
    if isinstance(criterion, LinearDistillationLoss) and not criterion.has_teacher:
        raise TypeError(
            "Expected a `criterion` with its teacher, got a LinearDistillationLoss to which one is "
            "given at each call: what that leads to depends on the sample."
        )
    if not isinstance(
        criterion, DistillationLoss | BinaryDistillationLoss | LinearDistillationLoss
    ):
        raise TypeError(
            "Expected `criterion` to be a tfkd.DistillationLoss, a tfkd.BinaryDistillationLoss or "
            f"a tfkd.penalties.Penalty, got {type(criterion).__name__}."
        )
    check_num_classes(num_classes)
    teacher, alpha, temperature = criterion.teacher, criterion.alpha, criterion.temperature
    together = usual_weights(teacher, alpha, criterion.scale)
    found = _taught_optimum(criterion, together.alpha, num_classes)
    target = None if found.gap is None else softened_gap(found.gap, num_classes)
    epsilon = None if target is None else target[1] * num_classes
    remarks = ["silent now: the loss is that of the labels"] if teacher.is_silent else []
    if isinstance(criterion, BinaryDistillationLoss):
        remarks.append("of each label by itself, whose classes are present and absent")
    return Explanation(
        teacher=_in_one_line(teacher),
        num_classes=num_classes,
        alpha=alpha,
        temperature=temperature,
        scale=criterion.scale,
        teacher_target=found.teacher_target,
        target=target,
        gap=found.gap,
        equivalent_label_smoothing=epsilon,
        exact=epsilon is not None and (alpha == 0.0 or (temperature == 1.0 and found.is_plain)),
        learning_rate_factor=together.scale,
        weight_decay_factor=1.0 / together.scale,
        schedules=_schedules(criterion),
        decoupled=criterion.decoupled,
        standardize=criterion.standardize,
        share=teacher.usual_share,
        label_share=teacher.usual_label_share,
        unknown=found.unknown,
        remark="; ".join(remarks),
    )


def _of_penalty(criterion: Penalty, num_classes: int) -> Explanation:
    gap, remark, is_cross_entropy = criterion.optimum(num_classes)
    target = None if gap is None else softened_gap(gap, num_classes)
    return Explanation(
        teacher="none, a penalty",
        num_classes=num_classes,
        alpha=0.0,
        temperature=1.0,
        scale=criterion.scale,
        teacher_target=None,
        target=target,
        gap=gap,
        equivalent_label_smoothing=None if target is None else target[1] * num_classes,
        exact=is_cross_entropy,
        learning_rate_factor=criterion.scale,
        weight_decay_factor=1.0 / criterion.scale,
        penalty=criterion.in_words,
        schedules=_schedules(criterion),
        unknown="not fixed by this loss",
        remark=remark,
    )


class _Taught(NamedTuple):
    """What a teacher that answers one gap leads to; of others nothing, and why."""

    teacher_target: tuple[float, float] | None = None
    gap: float | None = None
    is_plain: bool = True
    unknown: str = "depends on the sample"


def _taught_optimum(
    criterion: TaughtCriterion | LinearDistillationLoss, alpha: float, num_classes: int
) -> _Taught:
    teacher, temperature = criterion.teacher, criterion.temperature
    teacher_gap = teacher.gap(num_classes)
    if teacher_gap is None or None in (teacher.usual_share, teacher.usual_label_share):
        unknown = f"depends on the {teacher.differs_by}"
        unknown += ", and on what the teacher has learnt" if _remembers(teacher) else ""
        return _Taught(None, math.inf if alpha == 0.0 else None, unknown=unknown)
    if criterion.standardize:
        seen = float(standardized_gap(teacher_gap, num_classes))
        teacher_target = softened_gap(seen / temperature, num_classes)
        # Whatever gap the student has, standardised it is √K: only the labels speak of its size.
        if alpha == 0.0 or (alpha < 1.0 and teacher_gap > 0.0):
            return _Taught(teacher_target, math.inf, is_plain=False)
        why = "not fixed: the teacher term does not see how far apart logits lie"
        return _Taught(teacher_target, None, unknown=why)
    teacher_target = softened_gap(teacher_gap / temperature, num_classes)
    if criterion.decoupled is None:
        return _Taught(teacher_target, _optimal_gap(alpha, temperature, teacher_gap, num_classes))
    target, non_target = criterion.decoupled
    if alpha == 1.0 and target == 0.0:
        why = "not fixed: nothing is said of the true class"
        return _Taught(teacher_target, None, unknown=why)
    # Of the loss divided by the weights that the gap is found by.
    total = (1.0 - alpha) + alpha * target
    gap = _optimal_gap(alpha * target / total, temperature, teacher_gap, num_classes)
    wrong = 1.0 - teacher_target[0]
    same = target == 1.0 and math.isclose(non_target, wrong, rel_tol=1e-9)
    return _Taught(teacher_target, gap, is_plain=same)


def _in_one_line(teacher: Teacher) -> str:
    """A teacher, with those that it wraps."""
    return " ".join(repr(teacher).split()).replace("( ", "(").replace(" )", ")")


def _remembers(teacher: Teacher) -> bool:
    return any(wants(teacher, hook) for hook in ("observe", "step_ended", "epoch_ended"))


def _schedules(criterion: ToldCriterion) -> tuple[tuple[str, str], ...]:
    return tuple((name, _in_words(own)) for name, own in criterion.schedules.items())


def _in_words(schedule: Callable[[Progress], float]) -> str:
    """A schedule with what it was given, without what it was not."""
    if not dataclasses.is_dataclass(schedule):
        name = getattr(schedule, "__qualname__", type(schedule).__qualname__)
        return str(name).rpartition(".")[2]
    said = []
    for field in dataclasses.fields(schedule):
        value = getattr(schedule, field.name)
        if value is not None:
            text = _in_words(value) if callable(value) else f"{value:g}"
            said.append(f"{field.name}={text}")
    return f"{type(schedule).__name__}({', '.join(said)})"


def _optimal_gap(alpha: float, temperature: float, teacher_gap: float, num_classes: int) -> float:
    """Solve for g* by bisection of the slope, which grows with g."""
    if alpha == 0.0 or math.isinf(teacher_gap):
        return math.inf

    def slope(gap: float) -> float:
        # 1 − p and t − p by way of the wrong classes, which stay accurate where p is near 1.
        wrong = softened_gap(gap, num_classes)[1]
        softened = softened_gap(gap / temperature, num_classes)[1]
        taught = softened_gap(teacher_gap / temperature, num_classes)[1]
        return -(1.0 - alpha) * wrong + alpha * temperature * (taught - softened)

    # Where the student is as confident as the teacher the slope is at most 0.
    return where_zero(slope, teacher_gap, max(2.0 * teacher_gap, 1.0))


def _pair(pair: tuple[float, float] | None) -> str | None:
    return None if pair is None else f"true {pair[0]:.5g}, others {pair[1]:.4g} each"
