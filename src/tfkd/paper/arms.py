"""The arms that the tables of the paper, in full and in small, are made of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from tfkd.method_table import BASELINE
from tfkd.runs import MethodSettings, Recipe
from tfkd.study.controls import add_controls
from tfkd.study.plan import Arm, Published, Study

SAME_STRENGTH = 0.02
"""Two smoothings whose α, and whose scale, lie within this share of each other are as strong: the
released code's 0.1 over the wrong classes is 0.101 over all."""

EPOCHS = 200
SNAPSHOTS = (1, 5, 10, 20, 50, 80, 120, 160, 200)
"""Of 200 epochs, those after which Figure 2 and De-KD take teachers: 1 and 50 are De-KD's."""


def plain_name(network: str, place: str = "") -> str:
    """Return the name of the arm of plain cross-entropy."""
    return f"{place}{network}/{BASELINE}"


def plain_arm(
    recipe: Recipe,
    *,
    place: str = "",
    accuracy: float | None = None,
    keep: Iterable[int] = (),
) -> Arm:
    """Return the arm of plain cross-entropy: baseline and teacher.

    Args:
        recipe: its data, network and recipe.
        place: a folder within the study's, ending in `/`.
        accuracy: what the paper prints for it.
        keep: epochs after which it keeps its weights. They are the same in every study, so that
            studies of one directory can share the run.
    """
    return Arm(
        plain_name(recipe.student, place),
        MethodSettings(),
        recipe,
        published=None if accuracy is None else Published(accuracy),
        save_epochs=tuple(sorted(set(keep))),
    )


def method_arm(
    method: MethodSettings,
    recipe: Recipe,
    *,
    teacher: str | None = None,
    epoch: int | None = None,
    place: str = "",
    published: Published | None = None,
) -> Arm:
    """Return the arm of a method, compared with plain cross-entropy of the same network.

    Args:
        method: what it is trained with.
        recipe: its data, network and recipe.
        teacher: the network that teaches.
        epoch: the snapshot of it that does; None: its final weights.
        place: a folder within the study's, ending in `/`.
        published: what the paper prints for it.
    """
    suffix = "" if teacher in (None, recipe.student) else f"-{str(teacher).replace('/', '-')}"
    suffix += "" if epoch is None else f"-{epoch}"
    return Arm(
        f"{place}{recipe.student}/{method.dialect}-{method.name}{suffix}",
        method,
        recipe,
        teacher=None if teacher is None else plain_name(teacher, place),
        teacher_epoch=epoch,
        baseline=plain_name(recipe.student, place),
        published=published,
    )


def with_equal_smoothing(arms: Sequence[Arm], num_classes: int) -> list[Arm]:
    """Return the arms with, of each Tf-KD_reg, the label smoothing that is as strong.

    It has the α and s that Tf-KD_reg has in this package's equation, at its learning rate and
    weight decay: the two differ in the teacher, and in its temperature, alone. Where there is such
    an arm none is added.

    Args:
        arms: of one data set.
        num_classes: number of classes K of the data.
    """
    result = []
    for arm in arms:
        result.append(arm)
        if arm.method.name == "tf_kd_reg":
            alike = _smoothed_alike(arm, arms, num_classes)
            result += [] if alike is None else [alike]
    return result


def _smoothed_alike(claim: Arm, arms: Sequence[Arm], num_classes: int) -> Arm | None:
    """The label smoothing that is as strong; None if it is among the arms."""
    strength = _strength(claim.method, num_classes)
    for arm in arms:
        if arm.method.name == "label_smoothing" and arm.recipe == claim.recipe:
            own = _strength(arm.method, num_classes)
            if all(map(_near, own, strength)):
                return None
    alpha, scale = (float(f"{number:.4g}") for number in strength)
    times = "" if scale == 1.0 else f"-x{scale:g}"
    title = "" if scale == 1.0 else f", loss × {scale:g}"
    return Arm(
        f"{claim.place}/label_smoothing-{alpha:g}{times}",
        MethodSettings("label_smoothing", numbers={"alpha": alpha, "scale": scale}),
        claim.recipe,
        baseline=claim.baseline,
        title=f"label smoothing α = {alpha:g}{title}",
    )


def _strength(method: MethodSettings, num_classes: int) -> tuple[float, float]:
    """α and s of a method that no network teaches, as the loss itself has them."""
    loss = method.build(num_classes=num_classes)
    return float(loss.alpha), float(loss.scale)  # type: ignore[arg-type]


def _near(ours: float, theirs: float) -> bool:
    return math.isclose(ours, theirs, rel_tol=SAME_STRENGTH)


def with_controls(arms: Sequence[Arm], controls: Sequence[str], num_classes: int) -> list[Arm]:
    """Return the arms, and then their controls.

    Args:
        arms: of one data set.
        controls: names of `tfkd.study.plan.CONTROLS`.
        num_classes: number of classes K of the data.
    """
    # Snapshots are of the networks that teach, not of their controls. Label smoothing, in the
    # code's form too, is its own control.
    claims = [
        replace(arm, save_epochs=())
        for arm in arms
        if (arm.method.name, arm.method.dialect) != ("label_smoothing", "released")
    ]
    by_name = {arm.name: arm for arm in add_controls(claims, controls, num_classes)}
    result = []
    for arm in arms:
        control = by_name.pop(arm.name, arm)
        result.append(replace(arm, control_of=control.control_of))
    return [*result, *by_name.values()]


def snapshots(epochs: int, of: Sequence[int] = SNAPSHOTS) -> tuple[int, ...]:
    """Return the snapshots of 200 epochs, moved in proportion to others.

    Example:
        >>> snapshots(60)
        (1, 2, 3, 6, 15, 24, 36, 48, 60)
    """
    return tuple(sorted({max(round(epoch * epochs / EPOCHS), 1) for epoch in of}))


def named_as_in_tables(study: Study) -> list[Arm]:
    """Return the arms of Figure 2 under the names that the tables have for the same runs.

    Args:
        study: of `tfkd.paper.figure_2.figure_2`.
    """
    arms = []
    for arm in study.arms:
        if arm.teacher is not None:
            teacher = study.arm(arm.teacher).recipe.student
            epoch = None if arm.method.name == "normal_kd" else arm.teacher_epoch
            arm = method_arm(arm.method, arm.recipe, teacher=teacher, epoch=epoch)
        arms.append(arm)
    return arms
