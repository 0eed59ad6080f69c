"""A comparison of which every method is tuned before: the search, and what is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tfkd._counted import number_of
from tfkd.data import load_data
from tfkd.method_table import BASELINE, find_method
from tfkd.runs import Circumstances, Recipe, files
from tfkd.runs.chosen import Chosen
from tfkd.study.asked import TEACHER
from tfkd.study.directory import SUFFIX
from tfkd.study.estimate import Estimate
from tfkd.study.execute import default_jobs
from tfkd.study.plan import Study
from tfkd.tune.left import estimate_search, runs_left
from tfkd.tune.plan import FIRST_SEED, Tuning
from tfkd.tune.progress import TuningBeginning, TuningProgress
from tfkd.tune.records import PLAN_FILE, RECORDS_FILE, gone_on_with
from tfkd.tune.run import check_validation, tune
from tfkd.tune.tuned import read_records

FOLDER = "tune"
"""Of the search, within the directory of the comparison."""


def tuning_of(study: Study, base: Recipe, teacher: str, *, trials: int, seeds: int) -> Tuning:
    """Return the search for the settings of all that a comparison compares.

    The larger network is tuned too where it takes part.

    Args:
        study: the comparison at defaults.
        base: data, student and recipe of every run.
        teacher: name of the larger network.
        trials: settings tried for each method.
        seeds: runs of each setting.
    """
    claims = [arm for arm in study.arms if arm.control is None and arm.generation == 1]
    methods = dict.fromkeys(arm.method.name for arm in claims)
    return Tuning(
        recipe=base,
        teacher=teacher,
        methods=tuple(methods),
        tune_teacher=any(arm.recipe.student != base.student for arm in claims),
        trials=trials,
        seeds=seeds,
        teacher_cache=study.teacher_cache,
    )


def cost_of(tuning: Tuning, root: Path, circumstances: Circumstances, jobs: int | None) -> Estimate:
    """Measure what is left of a search, at most.

    Args:
        tuning: the search.
        root: directory of the comparison.
        circumstances: in which every run is made.
        jobs: runs side by side; None: as many as there is room for.
    """
    folder = root / FOLDER
    tuning = gone_on_with(tuning, folder)
    settings, data = tuning.recipe.data, {}
    with suppress(FileNotFoundError):  # a search may be planned before its data are there
        data[settings] = load_data(settings, seed=FIRST_SEED, root=circumstances.places)
    check_validation(tuning, data)
    jobs = default_jobs() if jobs is None else jobs
    left = runs_left(tuning, folder, read_records(folder))
    return estimate_search(TuningBeginning(tuning, folder, data, circumstances, jobs, left))


def check_may_tune(tuning: Tuning, study: Study, root: Path) -> None:
    """Raise `ValueError` for trials more than those by which a comparison was begun.

    Its settings would change, and what it has trained be of no use.

    Args:
        tuning: the search.
        study: the comparison.
        root: directory of the comparison.
    """
    plan = root / FOLDER / PLAN_FILE
    if not (plan.is_file() and (root / f"{study.name}{SUFFIX}").is_file()):
        return
    before = files.read_json(plan, Tuning).trials
    if tuning.trials > before:
        raise ValueError(
            f"Expected `tune` of at most {before}, the trials by which the comparison in {root} "
            f"was begun, got {tuning.trials}: others might be chosen. Take another directory."
        )


def tune_before(
    tuning: Tuning,
    root: Path,
    *,
    progress: TuningProgress,
    jobs: int | None,
    circumstances: Circumstances,
    other_data: bool = False,
) -> tuple[Chosen, ...]:
    """Finish a search, or go on with it, and return what it chose for what it was asked for.

    Args:
        tuning: the search.
        root: directory of the comparison, in which it has a folder.
        progress: told of every run.
        jobs: runs side by side; None: as many as there is room for.
        circumstances: in which every run is made; the test split is left alone.
        other_data: go on though data are not those that runs were begun with.

    Raises:
        ValueError: where nothing was found for cross-entropy.
    """
    found = tune(
        tuning,
        root / FOLDER,
        progress=progress,
        jobs=jobs,
        circumstances=circumstances,
        other_data=other_data,
    )
    asked = {entry.name for entry in tuning.entries}
    chosen = tuple(own for own in found.chosen if own.name in asked)
    if not any(own.name == BASELINE for own in chosen):
        raise ValueError(
            f"Expected a setting of {BASELINE} with a finite loss, with which the others are "
            f"compared, found none in {number_of(tuning.trials, 'trial')}: see "
            f"{root / FOLDER / RECORDS_FILE}. Take a smaller `learning_rate`."
        )
    return chosen


def remarks_on(tuning: Tuning, chosen: Sequence[Chosen]) -> tuple[str, ...]:
    """Return the budget of a search, and what it found, for the readers of a comparison."""
    (low, high), (least, most) = tuning.ranges.values()
    seeds = "1 seed" if tuning.seeds == 1 else f"{tuning.seeds} seeds"
    budget = (
        f"Every method was tuned before, with the same budget: {tuning.trials} "
        f"trial{'' if tuning.trials == 1 else 's'} of {seeds} each, which are none of the "
        f"comparison's, by {tuning.goal.title} on validation data. Tried were its own numbers, "
        f"learning rates from {low:g} to {high:g} and weight decays from {least:g} to {most:g}. "
        "The test split was not looked at."
    )
    found = "; ".join(in_words(own) for own in chosen)
    known = {own.name for own in chosen}
    lost = ", ".join(entry.name for entry in tuning.entries if entry.name not in known)
    nothing = f" Nothing was found for {lost}: of no setting was the loss finite." if lost else ""
    return budget, f"Found: {found}.{nothing}"


def in_words(own: Chosen) -> str:
    """Return what was chosen, in words.

    Example:
        >>> from tfkd.runs import MethodSettings
        >>> method = MethodSettings("tf_kd_reg", numbers={"alpha": 0.3})
        >>> in_words(Chosen(name="a", method=method, learning_rate=0.05, weight_decay=5e-4))
        'Tf-KD_reg with alpha 0.3, temperature 20, confidence 0.99, learning rate 0.05, weight decay 0.0005'
    """  # noqa: E501
    numbers = {
        **{name: value for name, value in own.method.numbers.items() if name != "scale"},
        "learning rate": own.learning_rate,
        "weight decay": own.weight_decay,
    }
    said = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in numbers.items())
    title = find_method(own.method.name).title
    return f"{'the teacher' if own.name == TEACHER else title} with {said}"
