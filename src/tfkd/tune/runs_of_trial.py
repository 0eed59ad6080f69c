"""The runs that a trial needs: one for each seed, and before them the networks that teach."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from tfkd.method_table import BASELINE
from tfkd.runs import MethodSettings, RunSettings, RunTeacher, files
from tfkd.study.comparison import DEFECTIVE_EPOCH, folder_of, student_and_teacher
from tfkd.study.plan import PlannedRun
from tfkd.tune.plan import Tuning
from tfkd.tune.space import Setting, default_setting

TEACHERS = "teachers"
"""Folder of the networks that teach and are no trial."""

TRIAL_FILE = "trial.json"


class Trial(Struct, frozen=True, forbid_unknown_fields=True):
    """A setting that is tried for a method.

    Attributes:
        method: its name.
        number: from 0, which has the method's defaults.
        setting: that is tried.
    """

    method: str
    number: int
    setting: Setting

    @property
    def folder(self) -> str:
        """Its folder within the directory of the search."""
        return trial_folder(self.method, self.number)


def trial_folder(method: str, number: int) -> str:
    """Return the folder of a trial.

    Example:
        >>> trial_folder("tf_kd_reg", 7)
        'tf_kd_reg/trial-007'
    """
    return f"{folder_of(method)}/trial-{number:03}"


def read_trial(root: Path, method: str, number: int) -> Trial | None:
    """Return a trial that was begun; None: it was not.

    Raises:
        ValueError: if it is not readable.
    """
    file = root / trial_folder(method, number) / TRIAL_FILE
    return files.read_json(file, Trial) if file.is_file() else None


def write_trial(root: Path, trial: Trial) -> None:
    """Begin a trial."""
    files.make_folder(root / trial.folder)
    files.write_json(root / trial.folder / TRIAL_FILE, trial)


def runs_of(tuning: Tuning, root: Path, trial: Trial) -> list[PlannedRun]:
    """Return the runs of a trial, seed by seed, without those of its teachers."""
    student, taught_by = student_and_teacher(trial.method, tuning.recipe.student, tuning.teacher)
    recipe = trial.setting.recipe(tuning.recipe.for_student(student))
    runs = []
    for seed in tuning.run_seeds:
        after = teacher = None
        if taught_by is not None:
            after = teacher_run(tuning, taught_by, seed)
            teacher = RunTeacher(
                run=str(root / after),
                epoch=DEFECTIVE_EPOCH if trial.method == "de_kd" else None,
                cache=tuning.teacher_cache,
            )
        settings = RunSettings(recipe, trial.setting.method, teacher, seed)
        runs.append(PlannedRun(f"{trial.folder}/seed-{seed}", trial.folder, settings, (), after))
    return runs


def teachers_of(tuning: Tuning, method: str) -> list[PlannedRun]:
    """Return the runs whose networks teach in a method, seed by seed.

    A teacher is trained with cross-entropy at the recipe's own settings, once for each seed, and is
    the same for all methods and trials. Where it is the student's own network and these settings
    are within what is searched, it is the first trial of cross-entropy itself.
    """
    _, taught_by = student_and_teacher(method, tuning.recipe.student, tuning.teacher)
    if taught_by is None:
        return []
    settings = tuning.recipe.for_student(taught_by)
    larger = taught_by == tuning.teacher
    return [
        PlannedRun(
            name := teacher_run(tuning, taught_by, seed),
            name.rpartition("/")[0],
            RunSettings(settings, MethodSettings(BASELINE), None, seed),
            (DEFECTIVE_EPOCH,) if larger else (),
        )
        for seed in tuning.run_seeds
    ]


def teacher_run(tuning: Tuning, network: str, seed: int) -> str:
    """Return the name of the run whose network teaches."""
    first = default_setting(tuning, BASELINE)
    if network == tuning.recipe.student and first.recipe(tuning.recipe) == tuning.recipe:
        return f"{trial_folder(BASELINE, 0)}/seed-{seed}"
    return f"{TEACHERS}/{network}/seed-{seed}"
