"""Figure 2: a student taught by every stage of a teacher's training."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from tfkd.runs import MethodSettings, RunSettings
from tfkd.study.methods import BASELINE
from tfkd.study.plan import Arm, Study


def figure_2(
    base: RunSettings,
    *,
    teachers: Sequence[str],
    losses: dict[str, MethodSettings],
    snapshots: Sequence[int],
    seeds: int,
) -> Study:
    """Plan the study of the student's accuracy against its teacher's.

    Args:
        base: data, student and recipe of every run.
        teachers: names of the networks that teach.
        losses: by dialect, what the student is trained with.
        snapshots: epochs after which a teacher's weights teach, from 1 to the last epoch.
        seeds: number of seeds.

    Source: Yuan et al., 2020, arXiv 1909.11723, fig. 2.
    """
    plain = f"{base.student}/{BASELINE}"
    arms = [Arm(plain, BASELINE, MethodSettings(), base)]
    for teacher in teachers:
        recipe = dataclasses.replace(base, student=teacher)
        arms.append(Arm(f"{teacher}/{BASELINE}", BASELINE, MethodSettings(), recipe))
    for dialect, loss in losses.items():
        prefix = "" if dialect == "tfkd" else f"{dialect}-"
        for teacher in teachers:
            for epoch in snapshots:
                last = epoch == base.epochs
                arms.append(
                    Arm(
                        f"{base.student}/{prefix}kd-{teacher.replace('/', '-')}-{epoch}",
                        "normal_kd" if last else "de_kd",
                        loss,
                        base,
                        dialect=dialect,
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
