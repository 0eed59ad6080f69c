"""What the page of a study is called: data, network, and what is compared."""

from __future__ import annotations

from tfkd.data.settings import NAMES
from tfkd.report.number_text import number_of
from tfkd.report.study_data import StudyData
from tfkd.study.summary import title_of

WRITTEN = {
    **{name: name for name in NAMES},
    "fashion-mnist": "Fashion-MNIST",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "tiny-imagenet": "Tiny ImageNet",
    "imagenet": "ImageNet",
}
"""How their authors write the names of known data."""


def title_of_study(data: StudyData) -> str:
    """Return a title that names data and network, and what is compared with what."""
    arms = data.study.arms
    compared = [arm for arm in arms if arm.baseline is not None and arm.control is None]
    students = list(dict.fromkeys(arm.recipe.student for arm in compared or arms))
    trained = students[0] if len(students) == 1 else number_of(len(students), "network")
    what = "cross-entropy"
    if compared:
        by_name = {arm.name: arm for arm in arms}
        baselines = {title_of(by_name[arm.baseline or ""]) for arm in compared}
        against = baselines.pop() if len(baselines) == 1 else "their baselines"
        what = f"{_what(data)} against {against}"
    return f"{_data(data)}, {trained}: {what}"


def _data(data: StudyData) -> str:
    """Names of the data: those of the runs, for a folder is called otherwise in the plan."""
    names = dict.fromkeys(run.data.name for run in data.all_runs if run.data is not None)
    names = names or dict.fromkeys(arm.recipe.data.name for arm in data.study.arms)
    return " and ".join(WRITTEN.get(name, name) for name in names)


def _what(data: StudyData) -> str:
    """The methods that are compared; one that many networks teach, by how many."""
    compared = [arm for arm in data.study.arms if arm.baseline is not None and arm.control is None]
    titles = dict.fromkeys(title_of(arm) for arm in compared)
    snapshots = {(arm.teacher, arm.teacher_epoch) for arm in compared if arm.teacher is not None}
    kinds = {
        (arm.method.dialect, arm.recipe.student, *arm.method.numbers.items()) for arm in compared
    }
    only_kd = all(arm.method.name in ("normal_kd", "de_kd", "re_kd") for arm in compared)
    if only_kd and len(kinds) == 1 and len(snapshots) > len(titles):
        return f"distillation from {len(snapshots)} teachers"
    return next(iter(titles)) if len(titles) == 1 else number_of(len(titles), "method")
