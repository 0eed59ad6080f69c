"""Controls: arms that have a method's side effects without its teacher."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from statistics import fmean

from msgspec.structs import replace
from torch import nn

import tfkd
from tfkd.loss import Criterion
from tfkd.loss.schedules import Progress, counts_steps
from tfkd.loss.usual_weights import UsualWeights, usual_weights
from tfkd.method_table import BASELINE
from tfkd.runs import MethodSettings, Step
from tfkd.study.plan import CONTROLS, Arm, Study

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
    criterion = _build(method, num_classes, epochs)
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
    criterion = _build(method, num_classes, epochs)
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


def add_controls(arms: Sequence[Arm], names: Sequence[str], num_classes: int) -> tuple[Arm, ...]:
    """Return arms together with the controls of every one that is compared with a baseline.

    Args:
        arms: of a study.
        names: which controls, of `tfkd.study.plan.CONTROLS`.
        num_classes: number of classes K of the data.

    Raises:
        ValueError: for an unknown control.
    """
    for name in names:
        if name not in CONTROLS:
            raise ValueError(f"Expected `controls` among {', '.join(CONTROLS)}, got {name!r}.")
    by_name = {arm.name: arm for arm in arms}
    result = dict(by_name)
    # The released losses first, so that a control which serves several has the released scale.
    for claim in sorted(arms, key=lambda arm: arm.method.dialect != "released"):
        if claim.baseline is None:
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


def say_what_is_left_out(study: Study, names: Sequence[str]) -> list[str]:
    """Return sentences on the controls that were asked for and are not there, and why.

    And on those that are there and count with a share of the teacher's as if it were 1.

    Args:
        study: with its controls.
        names: of the controls that were asked for.
    """
    sentences = []
    for name in names:
        served = {arm for own in study.arms if own.control == name for arm in own.control_of}
        smoothed = [own for own in study.arms if own.method.name == "label_smoothing"]
        served |= {arm for own in smoothed if name == "smoothed" for arm in own.control_of}
        without = [
            arm
            for arm in study.arms
            if arm.baseline is not None
            and arm.control is None
            and arm.name not in served
            and not (name == "smoothed" and arm in smoothed)
        ]
        reasons = {
            "it would be cross-entropy itself": [
                arm for arm in without if name != "smoothed" or _has_smoothing(arm.method)
            ],
            "no label smoothing is its like": [
                arm for arm in without if name == "smoothed" and not _has_smoothing(arm.method)
            ],
        }
        for why, left_out in reasons.items():
            if left_out:
                names_of_arms = ", ".join(arm.name.replace("/", " ") for arm in left_out)
                sentences.append(f"No control {name} of {names_of_arms}: {why}.")
        sentences += [
            f"The control {name} of {arm.name.replace('/', ' ')} takes {share} as 1: it depends on "
            "the sample."
            for arm in study.arms
            if name != "double" and arm.name in served and (share := _unknown_share(arm.method))
        ]
    return sentences


def _control(name: str, claim: Arm, baseline: Arm, num_classes: int) -> Arm | None:
    """The control of a claim, serving none yet; None where it would be the baseline itself."""
    recipe, method = baseline.recipe, baseline.method
    if name == "double":
        recipe = replace(recipe, epochs=2 * recipe.epochs)
        if isinstance(recipe.schedule, Step):
            milestones = tuple(2 * epoch for epoch in recipe.schedule.milestones)
            recipe = replace(recipe, schedule=replace(recipe.schedule, milestones=milestones))
        suffix = ""
    elif name == "smoothed":
        found = equivalent_epsilon(claim.method, num_classes, epochs=claim.recipe.epochs)
        epsilon = _rounded(found or 0.0)
        if epsilon == 0.0:
            return None
        method, suffix = (
            MethodSettings("label_smoothing", numbers={"alpha": epsilon}),
            f"-{epsilon:g}",
        )
    else:
        scale = _rounded(loss_scale(claim.method, num_classes, epochs=claim.recipe.epochs))
        if scale == 1.0:
            return None
        method, suffix = MethodSettings(BASELINE, numbers={"scale": scale}), f"-{scale:g}"
        optimizer = recipe.optimizer
        if name in ("balanced", "undone"):
            optimizer = replace(optimizer, weight_decay=optimizer.weight_decay * scale)
        if name == "undone":
            optimizer = replace(optimizer, learning_rate=optimizer.learning_rate / scale)
        recipe = replace(recipe, optimizer=optimizer)
    return Arm(
        f"{baseline.place}/{name}{suffix}", method, recipe, control=name, baseline=baseline.name
    )


def _same_as(control: Arm, arms: Sequence[Arm]) -> Arm | None:
    """The arm that already is this control, or near enough to it."""
    for arm in arms:
        if arm.recipe.student != control.recipe.student or arm.baseline != control.baseline:
            continue
        if arm.name == control.name:
            return arm
        if control.control == "smoothed":
            if arm.method.name == "label_smoothing" and arm.method.dialect != "released":
                ours, theirs = arm.method.numbers["alpha"], control.method.numbers["alpha"]
                if _near(ours, theirs, SAME_EPSILON):
                    return arm
        elif arm.control == control.control and _near(
            arm.method.numbers.get("scale"), control.method.numbers.get("scale")
        ):
            return arm
    return None


def _near(first: float | None, second: float | None, tolerance: float = 0.0) -> bool:
    if first is None or second is None:
        return False
    return abs(first - second) <= max(SAME * max(first, second), tolerance)


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _has_smoothing(method: MethodSettings) -> bool:
    """Whether a label smoothing is like a method; that does not depend on the number of classes."""
    return equivalent_epsilon(method, MANY) is not None


def _unknown_share(method: MethodSettings) -> str | None:
    """Which share of the teacher's depends on the sample, in words."""
    teacher = getattr(_build(method, MANY, 1), "teacher", None)
    if teacher is None:
        return None
    if teacher.usual_share is None:
        return "the share of its teacher term"
    return "the share of its label term" if teacher.usual_label_share is None else None


def _build(method: MethodSettings, num_classes: int, epochs: int) -> Criterion:
    teacher = nn.Identity() if method.has_teacher else None
    return method.build(num_classes=num_classes, teacher=teacher, epochs=epochs)
