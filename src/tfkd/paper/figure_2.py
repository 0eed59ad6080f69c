"""Figure 2: a student taught by every stage of a teacher's training."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from tfkd.method_table import BASELINE
from tfkd.runs import MethodSettings, Recipe
from tfkd.study.plan import Arm, Study


def figure_2(
    base: Recipe,
    *,
    teachers: Sequence[str],
    method: MethodSettings,
    snapshots: Sequence[int],
    seeds: int,
) -> Study:
    """Plan the study of the student's accuracy against its teacher's.

    Args:
        base: data, student and recipe of every run.
        teachers: names of the networks that teach.
        method: of KD, what the student is trained with.
        snapshots: epochs after which a teacher's weights teach, from 1 to the last epoch.
        seeds: number of seeds.

    Source: Yuan et al., 2020, arXiv 1909.11723, fig. 2.
    """
    plain = f"{base.student}/{BASELINE}"
    arms = [Arm(plain, MethodSettings(), base)]
    for teacher in teachers:
        recipe = base.for_student(teacher)
        arms.append(Arm(f"{teacher}/{BASELINE}", MethodSettings(), recipe))
    prefix = "" if method.dialect == "tfkd" else f"{method.dialect}-"
    for teacher in teachers:
        for epoch in snapshots:
            name = "normal_kd" if epoch == base.epochs else "de_kd"
            arms.append(
                Arm(
                    f"{base.student}/{prefix}kd-{teacher.replace('/', '-')}-{epoch}",
                    replace(method, name=name),
                    base,
                    teacher=f"{teacher}/{BASELINE}",
                    teacher_epoch=epoch,
                    baseline=plain,
                )
            )
    return Study(
        "figure-2",
        "How good must a teacher be? The student's accuracy over the accuracy of the snapshot "
        "that taught it.",
        tuple(arms),
        seeds,
    )
