"""Controls: arms that have a method's side effects without its teacher."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from torch import nn

import tfkd
from tfkd.runs import MethodSettings
from tfkd.study.methods import BASELINE, CONTROLS
from tfkd.study.plan import Arm

SAME = 0.15
"""One control serves all arms whose scale, or equivalent ε, lies within this share of it ..."""

SAME_EPSILON = 0.01
"""... or whose equivalent ε lies within this distance."""


def loss_scale(loss: MethodSettings, num_classes: int) -> float:
    """Return s of a method, normalised so that the weights of both its terms add up to 1.

    Example:
        >>> released = MethodSettings("released_tf_kd_reg", alpha=0.95, temperature=40)
        >>> round(loss_scale(released, 100), 4)
        0.0595
    """
    return _build(loss, num_classes).scale


def equivalent_epsilon(loss: MethodSettings, num_classes: int) -> float:
    """Return the ε of the label smoothing that has the same optimum as a method.

    For a method taught by a network it is the ε of the same loss with a teacher that knows
    nothing, so that what it leaves unexplained is what the teacher knows.

    Example:
        >>> released = MethodSettings("released_tf_kd_reg", alpha=0.95, temperature=40)
        >>> round(equivalent_epsilon(released, 100), 4)
        0.1596
    """
    criterion = _build(loss, num_classes)
    if criterion.alpha > 0.0 and criterion.teacher.gap(num_classes) is None:
        criterion = tfkd.DistillationLoss(
            tfkd.UniformTeacher(), alpha=criterion.alpha, temperature=criterion.temperature
        )
    epsilon = tfkd.explain(criterion, num_classes).equivalent_label_smoothing
    assert epsilon is not None  # neither teacher depends on the sample
    return epsilon


def add_controls(arms: Sequence[Arm], names: Sequence[str], num_classes: int) -> tuple[Arm, ...]:
    """Return arms together with the controls of every one that is compared with a baseline.

    Args:
        arms: of a study.
        names: which controls, of `tfkd.study.methods.CONTROLS`.
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
    for claim in sorted(arms, key=lambda arm: arm.dialect != "released"):
        if claim.baseline is None:
            continue
        for name in names:
            control = _control(name, claim, by_name[claim.baseline], num_classes)
            if control is None:
                continue
            known = _alike(control, list(result.values()))
            control = control if known is None else known
            if control.name != claim.name and claim.name not in control.control_of:
                served = (*control.control_of, claim.name)
                result[control.name] = dataclasses.replace(control, control_of=served)
    return tuple(result.values())


def _control(name: str, claim: Arm, baseline: Arm, num_classes: int) -> Arm | None:
    """The control of a claim, serving none yet; None where it would be the baseline itself."""
    recipe, folder = baseline.recipe, baseline.name.rpartition("/")[0]
    if name == "double":
        schedule = recipe.schedule
        recipe = dataclasses.replace(
            recipe,
            epochs=2 * recipe.epochs,
            schedule=dataclasses.replace(
                schedule, milestones=tuple(2 * epoch for epoch in schedule.milestones)
            ),
        )
        loss, suffix = baseline.loss, ""
    elif name == "smoothed":
        epsilon = _rounded(equivalent_epsilon(claim.loss, num_classes))
        if epsilon == 0.0:
            return None
        loss, suffix = MethodSettings("label_smoothing", alpha=epsilon), f"-{epsilon:g}"
    else:
        scale = _rounded(loss_scale(claim.loss, num_classes))
        if scale == 1.0:
            return None
        loss, suffix = MethodSettings(BASELINE, scale=scale), f"-{scale:g}"
        optimizer = recipe.optimizer
        if name in ("balanced", "undone"):
            optimizer = dataclasses.replace(optimizer, weight_decay=optimizer.weight_decay * scale)
        if name == "undone":
            optimizer = dataclasses.replace(
                optimizer, learning_rate=optimizer.learning_rate / scale
            )
        recipe = dataclasses.replace(recipe, optimizer=optimizer)
    return Arm(f"{folder}/{name}{suffix}", name, loss, recipe, baseline=baseline.name)


def _alike(control: Arm, arms: Sequence[Arm]) -> Arm | None:
    """The arm that already is this control, or near enough to it."""
    for arm in arms:
        if arm.recipe.student != control.recipe.student or arm.baseline != control.baseline:
            continue
        if arm.name == control.name:
            return arm
        if control.method == "smoothed":
            if arm.loss.name == "label_smoothing" and _near(
                arm.loss.alpha, control.loss.alpha, SAME_EPSILON
            ):
                return arm
        elif arm.method == control.method and _near(arm.loss.scale, control.loss.scale):
            return arm
    return None


def _near(first: float | None, second: float | None, tolerance: float = 0.0) -> bool:
    if first is None or second is None:
        return False
    return abs(first - second) <= max(SAME * max(first, second), tolerance)


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _build(loss: MethodSettings, num_classes: int) -> tfkd.DistillationLoss:
    teacher = nn.Identity() if loss.needs_teacher else None
    return loss.build(num_classes=num_classes, teacher=teacher)
