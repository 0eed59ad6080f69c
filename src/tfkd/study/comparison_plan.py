"""The plan of a comparison: every method on one data set, seed by seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tfkd.study.plan import PlannedRun
from tfkd.train import MethodSettings, RunSettings, TeacherSettings

BASELINE = "cross_entropy"


@dataclass(frozen=True)
class ComparedMethod:
    """A method of a comparison: what is trained, and by whom it is taught.

    Attributes:
        title: as the paper calls it.
        settings: the loss.
        student: `student`, or `teacher` where the larger network learns.
        teacher: `student`, `teacher`, or None for a teacher that is no network.
        early: whether the teacher is the snapshot after its first epoch.
    """

    title: str
    settings: MethodSettings
    student: str = "student"
    teacher: str | None = None
    early: bool = False


_KD = MethodSettings("knowledge_distillation")
METHODS = {
    BASELINE: ComparedMethod("cross-entropy", MethodSettings(BASELINE)),
    "label_smoothing": ComparedMethod("label smoothing", MethodSettings("label_smoothing")),
    "tf_kd_reg": ComparedMethod("Tf-KD_reg", MethodSettings("tf_kd_reg")),
    "tf_kd_self": ComparedMethod("Tf-KD_self", MethodSettings("tf_kd_self"), teacher="student"),
    "normal_kd": ComparedMethod("normal KD", _KD, teacher="teacher"),
    "re_kd": ComparedMethod("Re-KD", _KD, student="teacher", teacher="student"),
    "de_kd": ComparedMethod("De-KD", _KD, teacher="teacher", early=True),
}
DEFECTIVE_EPOCH = 1


def plan_comparison(
    base: RunSettings, *, teacher: str, methods: Sequence[str], seeds: int, root: Path
) -> list[PlannedRun]:
    """Return the runs of a comparison.

    Methods of one seed share the split, the initial weights, the order of samples and their
    augmentation; teachers are runs of the same seed.

    Args:
        base: data, student, recipe of every run; its method, teacher and seeds are set here.
        teacher: name of the larger network.
        methods: names from `METHODS`; cross-entropy is always among what is run.
        seeds: number of seeds, from 0.
        root: the comparison's directory.

    Raises:
        ValueError: for an unknown method, no seed, or one network as both student and teacher.
    """
    for name in methods:
        if name not in METHODS:
            raise ValueError(f"Expected `methods` among {', '.join(METHODS)}, got {name!r}.")
    if seeds < 1:
        raise ValueError(f"Expected `seeds` of at least 1, got {seeds}.")
    models = {"student": base.student, "teacher": teacher}
    chosen = [METHODS[BASELINE]] + [METHODS[m] for m in METHODS if m in methods and m != BASELINE]
    if models["student"] == models["teacher"]:
        raise ValueError(f"Expected a `teacher` other than the student, got {teacher} for both.")
    runs: dict[str, PlannedRun] = {}

    def add(method: ComparedMethod, seed: int) -> str:
        name = f"{models[method.student]}/{_key(method)}/seed-{seed}"
        if name in runs:
            return name
        after = source = None
        if method.teacher is not None:
            after = add(_baseline(method.teacher), seed)
            source = TeacherSettings(
                str(root / after), epoch=DEFECTIVE_EPOCH if method.early else None
            )
        snapshots = (DEFECTIVE_EPOCH,) if method == _baseline("teacher") else ()
        settings = dataclasses.replace(
            base,
            data=dataclasses.replace(base.data, split_seed=seed),
            student=models[method.student],
            method=method.settings,
            teacher=source,
            save_epochs=snapshots,
            seed=seed,
        )
        runs[name] = PlannedRun(name, _key(method), settings, after)
        return name

    for seed in range(seeds):
        for method in chosen:
            add(method, seed)
            if method.student == "teacher":
                add(_baseline("teacher"), seed)
    return list(runs.values())


def _baseline(student: str) -> ComparedMethod:
    return dataclasses.replace(METHODS[BASELINE], student=student)


def _key(method: ComparedMethod) -> str:
    for key, known in METHODS.items():
        if known.title == method.title:
            return key
    raise KeyError(method.title)
