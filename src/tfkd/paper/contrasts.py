"""What each table of the paper compares: its contrasts, named before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tfkd.study.plan import Arm, Contrast

WORTHWHILE = 0.2
"""Points of accuracy: the smallest difference worth having in a study of the paper."""

CLAIMED = {
    **dict.fromkeys((1, 2, 3), ("normal_kd", "re_kd")),
    4: ("de_kd",),
    **dict.fromkeys((5, 6, 7, 8), ("tf_kd_self",)),
    **dict.fromkeys((9, 10, 11), ("tf_kd_reg",)),
}
"""By table, the methods whose accuracy it is about; its other methods are there beside them."""

BESIDE = {
    "de_kd": ("normal_kd",),
    "tf_kd_self": ("normal_kd",),
    "tf_kd_reg": ("label_smoothing", "normal_kd"),
}
"""By method that a table is about, those it is compared with, as cross-entropy is."""

EXACT = ("uninformed", "scaled")
"""Controls with which Tables 1 to 3 compare: the same loss with a teacher that knows nothing, and
cross-entropy of the same scale, both at the learning rate and weight decay of the method. Others
explain, and are no contrast: `balanced` has another weight decay and asks another question."""


def table_contrasts(number: int, arms: Sequence[Arm]) -> tuple[Contrast, ...]:
    """Return what a table of the paper compares, in full and in small.

    Tables 1 to 3: normal KD and Re-KD with cross-entropy and with the controls of `EXACT`. Table 4:
    De-KD with cross-entropy, and with normal KD by the same network. Tables 5 to 8: Tf-KD_self with
    cross-entropy and normal KD. Tables 9 to 11: Tf-KD_reg with cross-entropy, with label smoothing
    as the paper has it and at the same strength, and with normal KD.

    Args:
        number: of the table.
        arms: of the study, controls among them.
    """
    contrasts = []
    for arm in arms:
        if arm.method.name not in CLAIMED[number] or arm.baseline is None or arm.control:
            continue
        others = [arm.baseline, *(own.name for own in _beside(arm, arms))]
        if number <= 3:
            exact = [own for own in arms if own.control in EXACT and arm.name in own.control_of]
            others += [own.name for own in exact]
        contrasts += [Contrast(arm.name, other) for other in dict.fromkeys(others)]
    return tuple(contrasts)


def figure_contrasts(arms: Sequence[Arm]) -> tuple[Contrast, ...]:
    """Return what Figure 2 compares beside its slope: the ends of each teacher's curve.

    The student of the fully trained teacher with that of the worst, and each of the two with
    cross-entropy and with the controls of `EXACT`. The snapshots between them are for the slope.

    Args:
        arms: of the study, controls among them.
    """
    by_teacher: dict[str, list[Arm]] = {}
    for arm in arms:
        if arm.teacher is not None:
            by_teacher.setdefault(arm.teacher, []).append(arm)
    contrasts = []
    for taught in by_teacher.values():
        worst, best = taught[0], taught[-1]
        contrasts += [Contrast(best.name, worst.name)] if worst is not best else []
        for end in dict.fromkeys((best.name, worst.name)):
            exact = [own.name for own in arms if own.control in EXACT and end in own.control_of]
            contrasts += [Contrast(end, other) for other in (taught[0].baseline, *exact) if other]
    return tuple(contrasts)


def _beside(claim: Arm, arms: Iterable[Arm]) -> list[Arm]:
    """The arms that a table compares a claim with, beside cross-entropy and the controls."""
    found = [
        arm
        for method in BESIDE.get(claim.method.name, ())
        for arm in arms
        if arm.method.name == method and arm.control is None and arm.baseline == claim.baseline
    ]
    if claim.method.name == "de_kd":
        return [arm for arm in found if arm.teacher == claim.teacher]
    return found
