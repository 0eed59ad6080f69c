"""What a loss amounts to, in terms that a practitioner can compare."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tfkd._checks import check_num_classes
from tfkd.loss import Criterion, DistillationLoss
from tfkd.loss.terms import softened_gap


@dataclass(frozen=True)
class Explanation:
    """What a `DistillationLoss` amounts to; `str()` gives a readable printout.

    Pairs are probabilities of (the true class, each other class). Fields that depend on the
    sample, as they do for a network teacher, are None.

    Attributes:
        teacher: the teacher, with its settings.
        num_classes: K.
        alpha: weight of the teacher term, with the weights of both terms adding up to 1.
        temperature: τ.
        scale: loss scale s.
        teacher_target: the soft target the teacher gives at τ.
        target: what the student's own probabilities are where the loss of a sample is smallest.
            At τ = 1 this is the soft target of the whole loss, (1 − α)·q + α·t.
        gap: the logit gap g* between the true class and the others at that point; infinite where
            only certainty will do, as for plain cross-entropy.
        equivalent_label_smoothing: the ε of the label smoothing with the same g*.
        exact: whether the loss *is* that label smoothing times `scale` (up to a constant), as at
            τ = 1, or only shares its optimum.
        learning_rate_factor: under SGD the scale amounts to a learning rate times this ...
        weight_decay_factor: ... and, with it, a weight decay times this.
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

    def rows(self) -> list[tuple[str, str]]:
        """Return the printout as pairs of a name and a value."""
        sample = "depends on the sample"
        rows = [
            ("teacher", self.teacher),
            ("classes K", f"{self.num_classes}"),
            ("alpha", f"{self.alpha:.4g}"),
            ("temperature", f"{self.temperature:g}"),
            ("loss scale s", f"{self.scale:.4g}"),
            ("teacher's soft target", _pair(self.teacher_target) or sample),
            ("student led to", _pair(self.target) or sample),
            ("optimal logit gap g*", f"{self.gap:.4f}" if self.gap is not None else sample),
        ]
        if self.equivalent_label_smoothing is None:
            rows.append(
                ("as label smoothing", "none: the soft target differs from sample to sample")
            )
        else:
            epsilon = f"epsilon {self.equivalent_label_smoothing:.4f}"
            how = "exactly" if self.exact else "the same optimum, not the same gradient"
            rows.append(("as label smoothing", f"{epsilon}, {how}"))
        if self.scale == 1.0:
            rows.append(("under SGD", "learning rate and weight decay as set"))
        else:
            rows.append(
                (
                    "under SGD",
                    f"as learning rate × {self.learning_rate_factor:.4g} with "
                    f"weight decay × {self.weight_decay_factor:.4g}",
                )
            )
        return rows

    def __str__(self) -> str:
        """Return one aligned line for each row."""
        width = max(len(name) for name, _ in self.rows())
        return "\n".join(f"{name:<{width}}  {value}" for name, value in self.rows())


def explain(criterion: Criterion, num_classes: int) -> Explanation:
    """Say what a loss amounts to: its soft targets, and the label smoothing it is or resembles.

    The loss of one sample whose wrong classes share one logit is a convex function of the gap g
    between the true class's logit and theirs; g* is where it is smallest:

        (1 − α)·(1 − p(g*))  =  α·τ·(p_τ(g*) − t_τ)

    with p, p_τ the student's and t_τ the teacher's probability of the true class.

    Args:
        criterion: any loss of this library.
        num_classes: the number of classes K, at least 2.

    Returns:
        A frozen record.

    Raises:
        TypeError: if `criterion` is not a `DistillationLoss`, or `num_classes` not an int.
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
    if not isinstance(criterion, DistillationLoss):
        raise TypeError(
            f"Expected `criterion` to be a tfkd.DistillationLoss, got {type(criterion).__name__}."
        )
    check_num_classes(num_classes)
    alpha, temperature = criterion.alpha, criterion.temperature
    teacher_gap = criterion.teacher.gap(num_classes)
    teacher_target = target = gap = epsilon = None
    if teacher_gap is not None:
        teacher_target = softened_gap(teacher_gap / temperature, num_classes)
    if alpha == 0.0 or teacher_gap is not None:
        gap = _optimal_gap(alpha, temperature, teacher_gap or 0.0, num_classes)
        target = softened_gap(gap, num_classes)
        epsilon = target[1] * num_classes
    return Explanation(
        teacher=repr(criterion.teacher),
        num_classes=num_classes,
        alpha=alpha,
        temperature=temperature,
        scale=criterion.scale,
        teacher_target=teacher_target,
        target=target,
        gap=gap,
        equivalent_label_smoothing=epsilon,
        exact=epsilon is not None and (temperature == 1.0 or alpha == 0.0),
        learning_rate_factor=criterion.scale,
        weight_decay_factor=1.0 / criterion.scale,
    )


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
    low = teacher_gap
    high = max(2.0 * teacher_gap, 1.0)
    while slope(high) < 0.0:
        high *= 2.0
    for _ in range(200):
        middle = (low + high) / 2.0
        if slope(middle) < 0.0:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


def _pair(pair: tuple[float, float] | None) -> str | None:
    return None if pair is None else f"true {pair[0]:.5g}, others {pair[1]:.4g} each"
