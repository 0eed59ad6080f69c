"""Controls that were asked for and are not there, and why; said before a study runs."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

import tfkd
from tfkd.method_table import BASELINE
from tfkd.runs import Circumstances, MethodSettings
from tfkd.study.controls import (
    MANY,
    add_controls,
    build_loss,
    check_controls,
    equivalent_epsilon,
    labels_are_ignored,
    plain_weights,
)
from tfkd.study.plan import Arm, Study
from tfkd.study.speed import data_shape


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
        if name in ("smoothed", "uninformed"):  # an arm of the study may serve as one
            served |= {arm for own in smoothed for arm in own.control_of}
            served |= {own.name for own in smoothed}
        reasons: dict[str, list[str]] = {}
        for arm in study.arms:
            if arm.baseline is None or arm.control is not None or arm.name in served:
                continue
            if arm.method.name == BASELINE:  # at settings of its own
                continue
            reasons.setdefault(_why_none(name, arm), []).append(arm.name.replace("/", " "))
        sentences += [
            f"No control {name} of {', '.join(left_out)}: {why}."
            for why, left_out in reasons.items()
        ]
        sentences += [
            f"The control {name} of {arm.name.replace('/', ' ')} takes {share} as 1: it depends on "
            "the sample."
            for arm in study.arms
            if name != "double" and arm.name in served and (share := _unknown_share(arm.method))
        ]
    return sentences


def with_controls(
    study: Study, names: Sequence[str], circumstances: Circumstances
) -> tuple[Study, tuple[str, ...]]:
    """Return a study with controls, and what is to be said of those that it has not.

    Args:
        study: on one data set.
        names: of `tfkd.study.plan.CONTROLS`; or `none` alone.
        circumstances: that say where the data lie.

    Raises:
        ValueError: for an unknown control.
    """
    if tuple(names) in ((), ("none",)):
        return study, ()
    check_controls(names)
    classes = data_shape(study.arms[0].recipe.data, root=circumstances.places).classes
    study = replace(study, arms=add_controls(study.arms, names, classes))
    return study, tuple(say_what_is_left_out(study, names))


TEACHES_NOTHING = "its labels do not count, so that without its teacher nothing would be learned"
"""Of methods with α = 1."""


def _why_none(name: str, claim: Arm) -> str:
    """Why a claim has no such control, in words."""
    if name not in ("smoothed", "uninformed"):
        return "it would be cross-entropy itself"
    if labels_are_ignored(claim.method, claim.recipe.epochs):
        return TEACHES_NOTHING
    if name == "uninformed":
        criterion = build_loss(claim.method, MANY, 1)
        if plain_weights(claim.method, MANY, claim.recipe.epochs) is None and isinstance(
            criterion, tfkd.DistillationLoss
        ):
            return "its loss is more than alpha, temperature and scale"
        return "it has no teacher, or one that knows nothing as it is"
    if equivalent_epsilon(claim.method, MANY) is None:
        return "no label smoothing is its like"
    return "the label smoothing of the same optimum is next to none"


def _unknown_share(method: MethodSettings) -> str | None:
    """Which share of the teacher's depends on the sample, in words."""
    teacher = getattr(build_loss(method, MANY, 1), "teacher", None)
    if teacher is None:
        return None
    if teacher.usual_share is None:
        return "the share of its teacher term"
    return "the share of its label term" if teacher.usual_label_share is None else None
