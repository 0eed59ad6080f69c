"""The runs that a trial needs: one for each seed, and before them the networks that teach."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from tfkd.method_table import BASELINE
from tfkd.runs import MethodSettings, RunSettings, RunTeacher, files
from tfkd.study.comparison import DEFECTIVE_EPOCH
from tfkd.study.plan import PlannedRun
from tfkd.tune.plan import Entry, Tuning
from tfkd.tune.space import Setting, first_setting

TEACHERS = "teachers"
"""Folder of the networks that teach and are no trial."""

TRIAL_FILE = "trial.json"


class Trial(Struct, frozen=True, forbid_unknown_fields=True):
    """A setting that is tried.

    Attributes:
        entry: name of the entry that it is tried for.
        number: from 0, which has the defaults.
        setting: that is tried.
    """

    entry: str
    number: int
    setting: Setting

    @property
    def folder(self) -> str:
        """Its folder within the directory of the search."""
        return trial_folder(self.entry, self.number)


def trial_folder(entry: str, number: int) -> str:
    """Return the folder of a trial.

    Example:
        >>> trial_folder("tf_kd_reg", 7)
        'tf_kd_reg/trial-007'
    """
    return f"{entry}/trial-{number:03}"


def run_name(entry: str, number: int, seed: int) -> str:
    """Return the name of a run of a trial."""
    return f"{trial_folder(entry, number)}/seed-{seed}"


def read_trial(root: Path, entry: str, number: int) -> Trial | None:
    """Return a trial that was begun; None: it was not.

    Raises:
        ValueError: if it is not readable, or is another trial's.
    """
    file = root / trial_folder(entry, number) / TRIAL_FILE
    if not file.is_file():
        return None
    trial = files.read_json(file, Trial)
    if (trial.entry, trial.number) != (entry, number):
        raise ValueError(
            f"Expected trial {number} of {entry} in {file}, got trial {trial.number} of "
            f"{trial.entry}."
        )
    return trial


def write_trial(root: Path, trial: Trial) -> None:
    """Begin a trial."""
    files.make_folder(root / trial.folder)
    files.write_json(root / trial.folder / TRIAL_FILE, trial)


def runs_of(tuning: Tuning, root: Path, entry: Entry, trial: Trial) -> list[PlannedRun]:
    """Return the runs of a trial, seed by seed, without those of its teachers."""
    recipe = trial.setting.recipe(tuning.recipe.for_student(entry.student))
    runs = []
    for seed in tuning.run_seeds:
        after = teacher = None
        if entry.taught_by is not None:
            after = _teacher_run(tuning, entry.taught_by, seed)
            teacher = RunTeacher(
                run=str(root / after),
                epoch=DEFECTIVE_EPOCH if entry.method.name == "de_kd" else None,
                cache=tuning.teacher_cache,
            )
        settings = RunSettings(recipe, trial.setting.method, teacher, seed)
        name = run_name(trial.entry, trial.number, seed)
        runs.append(PlannedRun(name, trial.folder, settings, (), after))
    return runs


def teachers_of(tuning: Tuning, entry: Entry) -> list[PlannedRun]:
    """Return the runs whose networks teach in an entry, seed by seed.

    A teacher is trained with cross-entropy, once for each seed, and is the same for all entries and
    trials. Where the student's own network teaches, and is trained at what the first trial of
    cross-entropy has, it is that trial.
    """
    if entry.taught_by is None:
        return []
    recipe = tuning.teacher_recipe(entry.taught_by)
    # Kept of every larger network: a method that it teaches so may be asked for later.
    kept = () if entry.taught_by == tuning.recipe.student else (DEFECTIVE_EPOCH,)
    runs = []
    for seed in tuning.run_seeds:
        name = _teacher_run(tuning, entry.taught_by, seed)
        settings = RunSettings(recipe, MethodSettings(BASELINE), None, seed)
        runs.append(PlannedRun(name, name.rpartition("/")[0], settings, kept))
    return runs


def _teacher_run(tuning: Tuning, network: str, seed: int) -> str:
    """Name of the run whose network teaches."""
    if network == tuning.recipe.student:
        first = first_setting(tuning, tuning.entry(BASELINE))
        if first.recipe(tuning.recipe) == tuning.teacher_recipe(network):
            return run_name(BASELINE, 0, seed)
    return f"{TEACHERS}/{network}/seed-{seed}"
