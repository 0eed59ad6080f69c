"""Controls: arms that have a method's side effects without its teacher."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from statistics import fmean

from msgspec.structs import replace
from torch import nn

import tfkd
from tfkd._checks import did_you_mean
from tfkd.loss import Criterion
from tfkd.loss.schedules import Progress, counts_steps
from tfkd.loss.usual_weights import UsualWeights, usual_weights
from tfkd.method_table import BASELINE
from tfkd.runs import MethodSettings, Recipe, Step
from tfkd.study.plan import CONTROLS, Arm

SAME = 0.15
"""One control serves all arms whose scale, or equivalent ε, lies within this share of it ..."""

SAME_EPSILON = 0.01
"""... or whose equivalent ε lies within this distance."""

MANY = 1000
"""Classes, of which no teacher's confidence is too low."""


def loss_scale(method: MethodSettings, num_classes: int, *, epochs: int = 1) -> float:
    """Return what the weights of both terms of a method add up to.

    That is s, unless the teacher speaks of some samples more loudly than of others: then its usual
    share counts, ½ of the last batch's. A share that depends on the sample is taken as 1, though it
    is not: of weighted TTM it is Σ_k t_k^γ, at least 1, of the label in normalised KD 1 + t_y.

    Args:
        method: with its numbers; that of a penalty has its factor on the whole, 1 as a rule.
        num_classes: number of classes K of the data.
        epochs: of the training: a scale that follows a schedule is its mean over them.

    Example:
        >>> released = MethodSettings("tf_kd_reg", "released", {"alpha": 0.95, "temperature": 40})
        >>> round(loss_scale(released, 100), 4)
        0.0595
    """
    criterion = build_loss(method, num_classes, epochs)
    return _mean([weights.scale for weights in _weights(criterion, epochs)])


def equivalent_epsilon(
    method: MethodSettings, num_classes: int, *, epochs: int = 1
) -> float | None:
    """Return the ε of the label smoothing that has the same optimum as a method.

    For a method whose teacher answers each sample otherwise it is the ε of the same loss with a
    teacher that knows nothing, and speaks of all samples alike, so that what it leaves unexplained
    is what the teacher knows. None where there is no such smoothing: for penalties, which have no
    teacher that could know less, and where the teacher term does not fix the optimum.

    Args:
        method: with its numbers.
        num_classes: number of classes K of the data.
        epochs: of the training: of α and τ that follow a schedule the mean over them is taken.

    Example:
        >>> released = MethodSettings("tf_kd_reg", "released", {"alpha": 0.95, "temperature": 40})
        >>> round(equivalent_epsilon(released, 100), 4)
        0.1596
    """
    criterion = build_loss(method, num_classes, epochs)
    if not isinstance(criterion, tfkd.DistillationLoss):
        return None
    knows_nothing = criterion.teacher.gap(num_classes) is None
    same = tfkd.DistillationLoss(
        tfkd.UniformTeacher() if knows_nothing else criterion.teacher,
        alpha=_mean([weights.alpha for weights in _weights(criterion, epochs)]),
        temperature=_mean(_over(criterion, "temperature", epochs)),
        decoupled=criterion.decoupled,
        standardize=criterion.standardize,
    )
    return tfkd.explain(same, num_classes).equivalent_label_smoothing


def _weights(criterion: Criterion, epochs: int) -> list[UsualWeights]:
    """α and s of each epoch, counting how loudly the teacher speaks; of a penalty s alone."""
    scales = _over(criterion, "scale", epochs)
    if not isinstance(criterion, tfkd.DistillationLoss):
        return [UsualWeights(0.0, scale) for scale in scales]
    alphas = _over(criterion, "alpha", epochs)
    both = zip(alphas, scales, strict=True)
    return [usual_weights(criterion.teacher, alpha, scale) for alpha, scale in both]


def _over(criterion: Criterion, name: str, epochs: int) -> list[float]:
    """A number in each epoch; of a schedule by steps, whose epochs have how many, its last."""
    schedule = getattr(criterion, "schedules", {}).get(name)
    if schedule is None:
        return [float(getattr(criterion, name, 1.0))] * epochs
    if counts_steps(schedule):
        return [float(schedule(Progress(epochs, sys.maxsize)))] * epochs
    return [float(schedule(Progress(epoch))) for epoch in range(epochs)]


def _mean(values: Sequence[float]) -> float:
    """The mean; of equal numbers that number, to the last bit."""
    return values[0] if min(values) == max(values) else fmean(values)


def check_controls(names: Sequence[str]) -> None:
    """Raise `ValueError` for a name of no control."""
    for name in names:
        if name not in CONTROLS:
            raise ValueError(
                f"Expected `controls` among {', '.join(CONTROLS)}, got {name!r}."
                f"{did_you_mean(name, CONTROLS)}"
            )


def add_controls(arms: Sequence[Arm], names: Sequence[str], num_classes: int) -> tuple[Arm, ...]:
    """Return arms together with the controls of every one that is compared with a baseline.

    A control has the learning rate and weight decay of the claim that it is there for; `double`,
    which is cross-entropy for longer, and `undone`, which must be cross-entropy again, have those
    of the baseline.

    Args:
        arms: of a study.
        names: which controls, of `tfkd.study.plan.CONTROLS`.
        num_classes: number of classes K of the data.

    Raises:
        ValueError: for an unknown control.
    """
    check_controls(names)
    by_name = {arm.name: arm for arm in arms}
    result = dict(by_name)
    # The released losses first, so that a control which serves several has the released scale.
    for claim in sorted(arms, key=lambda arm: arm.method.dialect != "released"):
        if claim.baseline is None or claim.control is not None:
            continue
        for name in names:
            control = _control(name, claim, by_name[claim.baseline], num_classes)
            if control is None:
                continue
            known = _same_as(control, list(result.values()))
            control = control if known is None else known
            if control.name != claim.name and claim.name not in control.control_of:
                served = (*control.control_of, claim.name)
                result[control.name] = replace(control, control_of=served)
    return tuple(result.values())


def _control(name: str, claim: Arm, baseline: Arm, num_classes: int) -> Arm | None:
    """The control of a claim, serving none yet; None where there is none, as `_why_none` says."""
    recipe, epochs = baseline.recipe, claim.recipe.epochs
    if name not in ("double", "undone"):
        recipe = replace(recipe, optimizer=claim.recipe.optimizer)
    made: tuple[MethodSettings, str] | None
    if name == "double":
        recipe, made = _twice_as_long(recipe), (baseline.method, "")
    elif name == "smoothed":
        made = _smoothed(claim.method, num_classes, epochs)
    elif name == "uninformed":
        made = _uninformed(claim.method, num_classes, epochs)
    else:
        scale = _rounded(loss_scale(claim.method, num_classes, epochs=epochs))
        made = (MethodSettings(BASELINE, numbers={"scale": scale}), f"-{scale:g}")
        if scale == 1.0:
            return None
        optimizer = recipe.optimizer
        if name in ("balanced", "undone"):
            optimizer = replace(optimizer, weight_decay=optimizer.weight_decay * scale)
        if name == "undone":
            optimizer = replace(optimizer, learning_rate=optimizer.learning_rate / scale)
        recipe = replace(recipe, optimizer=optimizer)
    if made is None:
        return None
    method, suffix = made
    if name not in ("double", "undone") and claim.recipe.optimizer != baseline.recipe.optimizer:
        suffix += f"-of-{claim.name.rpartition('/')[2]}"
    return Arm(
        f"{baseline.place}/{name}{suffix}", method, recipe, control=name, baseline=baseline.name
    )


def _twice_as_long(recipe: Recipe) -> Recipe:
    recipe = replace(recipe, epochs=2 * recipe.epochs)
    if isinstance(recipe.schedule, Step):
        milestones = tuple(2 * epoch for epoch in recipe.schedule.milestones)
        recipe = replace(recipe, schedule=replace(recipe.schedule, milestones=milestones))
    return recipe


def _smoothed(
    claim: MethodSettings, num_classes: int, epochs: int
) -> tuple[MethodSettings, str] | None:
    """Label smoothing of the same optimum; None where it would be next to none, or all."""
    if labels_are_ignored(claim, epochs):
        return None
    epsilon = _rounded(equivalent_epsilon(claim, num_classes, epochs=epochs) or 0.0)
    if epsilon < SAME_EPSILON:
        return None
    return MethodSettings("label_smoothing", numbers={"alpha": epsilon}), f"-{epsilon:g}"


def _uninformed(
    claim: MethodSettings, num_classes: int, epochs: int
) -> tuple[MethodSettings, str] | None:
    """The same loss with a teacher that knows nothing; None where it already has such a one."""
    found = plain_weights(claim, num_classes, epochs)
    if found is None or labels_are_ignored(claim, epochs):
        return None
    numbers = {name: _rounded(value) for name, value in found.items()}
    suffix = "-".join(
        f"{value:g}" for key, value in numbers.items() if (key, value) != ("scale", 1)
    )
    name = "uniform_kd"
    if numbers["temperature"] == 1.0:  # the same loss under the name that people know
        del numbers["temperature"]
        name = "label_smoothing"
    return MethodSettings(name, numbers=numbers), f"-{suffix}"


def plain_weights(claim: MethodSettings, num_classes: int, epochs: int) -> dict[str, float] | None:
    """α, τ and s of a loss with a teacher that knows something, if it is these and no more."""
    criterion = build_loss(claim, num_classes, epochs)
    if not isinstance(criterion, tfkd.DistillationLoss) or criterion.decoupled is not None:
        return None
    weights = _weights(criterion, epochs)
    alpha = _mean([each.alpha for each in weights])
    if criterion.standardize or alpha == 0.0 or criterion.teacher.gap(num_classes) == 0.0:
        return None
    return {
        "alpha": alpha,
        "temperature": _mean(_over(criterion, "temperature", epochs)),
        "scale": _mean([each.scale for each in weights]),
    }


def labels_are_ignored(claim: MethodSettings, epochs: int) -> bool:
    """Whether α is 1 in every epoch."""
    criterion = build_loss(claim, MANY, epochs)
    if not isinstance(criterion, tfkd.DistillationLoss):
        return False
    return all(weights.alpha >= 1.0 for weights in _weights(criterion, epochs))


def _same_as(control: Arm, arms: Sequence[Arm]) -> Arm | None:
    """The arm that already is this control, or near enough to it."""
    for arm in arms:
        if arm.recipe.student != control.recipe.student or arm.baseline != control.baseline:
            continue
        if arm.name == control.name or (_is_near(arm, control) and _is_set_alike(arm, control)):
            return arm
    return None


def _is_near(arm: Arm, control: Arm) -> bool:
    """Whether an arm has the loss of a control, or nearly."""
    ours, theirs = arm.method.numbers, control.method.numbers
    if control.control == "uninformed":
        return arm.method == control.method
    if control.control == "smoothed":
        if arm.method.name != "label_smoothing" or arm.method.dialect == "released":
            return False
        alike = _near(ours["alpha"], theirs["alpha"], SAME_EPSILON)
        return alike and ours.get("scale", 1.0) == theirs["scale"]
    return arm.control == control.control and _near(ours.get("scale"), theirs.get("scale"))


def _is_set_alike(arm: Arm, control: Arm) -> bool:
    """Whether it has the same learning rate and weight decay, but for what belongs to its scale."""
    ours, theirs = arm.recipe.optimizer, control.recipe.optimizer
    if control.control == "undone":
        return True
    if control.control == "balanced":
        return ours.learning_rate == theirs.learning_rate and _near(
            ours.weight_decay, theirs.weight_decay
        )
    return ours == theirs


def _near(first: float | None, second: float | None, tolerance: float = 0.0) -> bool:
    if first is None or second is None:
        return False
    return abs(first - second) <= max(SAME * max(first, second), tolerance)


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def build_loss(method: MethodSettings, num_classes: int, epochs: int) -> Criterion:
    """Return the loss of a method, whoever teaches in it."""
    teacher = nn.Identity() if method.has_teacher else None
    return method.build(num_classes=num_classes, teacher=teacher, epochs=epochs)
