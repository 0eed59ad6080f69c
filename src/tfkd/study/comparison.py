"""The plan of the main job: every method on one data set against plain cross-entropy."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from tfkd.runs import MethodSettings, RunSettings
from tfkd.study.methods import BASELINE, METHODS
from tfkd.study.plan import Arm, Study

DEFECTIVE_EPOCH = 1

_KD = MethodSettings("knowledge_distillation")
_LOSSES = {
    BASELINE: MethodSettings(),
    "label_smoothing": MethodSettings("label_smoothing"),
    "tf_kd_reg": MethodSettings("tf_kd_reg"),
    "tf_kd_self": MethodSettings("tf_kd_self"),
    "normal_kd": _KD,
    "re_kd": _KD,
    "de_kd": _KD,
}


def comparison(base: RunSettings, *, teacher: str, methods: Sequence[str], seeds: int) -> Study:
    """Plan a comparison of methods with this package's defaults.

    Args:
        base: data, student and recipe of every run.
        teacher: name of the larger network.
        methods: names from `tfkd.study.methods.METHODS`; cross-entropy is always among what is
            run.
        seeds: number of seeds.

    Raises:
        ValueError: for an unknown method, no seed, or one network as both student and teacher.
    """
    for name in methods:
        if name not in METHODS:
            raise ValueError(f"Expected `methods` among {', '.join(METHODS)}, got {name!r}.")
    if base.student == teacher:
        raise ValueError(f"Expected a `teacher` other than the student, got {teacher} for both.")
    arms: dict[str, Arm] = {}

    def add(method: str, student: str, taught_by: str | None = None) -> None:
        baseline = f"{student}/{BASELINE}"
        for needed in (student, taught_by):
            if needed is not None and method != BASELINE:
                add(BASELINE, needed)
        arms.setdefault(
            f"{student}/{method}",
            Arm(
                f"{student}/{method}",
                method,
                _LOSSES[method],
                dataclasses.replace(base, student=student),
                teacher=None if taught_by is None else f"{taught_by}/{BASELINE}",
                teacher_epoch=DEFECTIVE_EPOCH if method == "de_kd" else None,
                baseline=None if method == BASELINE else baseline,
            ),
        )

    taught = {
        "tf_kd_self": (base.student, base.student),
        "normal_kd": (base.student, teacher),
        "re_kd": (teacher, base.student),
        "de_kd": (base.student, teacher),
    }
    add(BASELINE, base.student)
    for method in METHODS:
        if method in methods:
            add(method, *taught.get(method, (base.student, None)))
    return Study(
        "compare",
        "Which method is better than plain cross-entropy on these data?",
        tuple(arms.values()),
        seeds,
    )
