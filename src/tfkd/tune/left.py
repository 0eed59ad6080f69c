"""What is left of a search, and what that will cost."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch

from tfkd.runs import MethodSettings
from tfkd.study.directory import run_directory
from tfkd.study.estimate import Costs, Estimate
from tfkd.study.executors.local import threads_of
from tfkd.tune.plan import Entry, Tuning
from tfkd.tune.progress import TuningBeginning
from tfkd.tune.records import TrialRecord
from tfkd.tune.runs_of_trial import run_name, teachers_of


def runs_left(tuning: Tuning, root: Path, records: Iterable[TrialRecord]) -> dict[str, Entry | str]:
    """Return the runs that a search may still need; what is pruned will need fewer.

    Args:
        tuning: the plan.
        root: its directory.
        records: of the finished runs of trials.

    Returns:
        By name of the run, the entry that it is of; or for a teacher that is no trial, the name of
        its network.
    """
    done = set()
    ended = set()
    for record in records:
        done.add(record.run)
        if record.state != "running":
            ended.add((record.entry, record.trial))
    left: dict[str, Entry | str] = {}
    for entry in tuning.entries:
        for number in range(tuning.trials):
            names = [run_name(entry.name, number, seed) for seed in tuning.run_seeds]
            if (entry.name, number) not in ended:
                left |= {name: entry for name in names if name not in done}
    for entry in tuning.entries:
        for run in teachers_of(tuning, entry):
            if run.name not in left and run_directory(root, run.name).result() is None:
                left[run.name] = run.settings.recipe.student
    return left


def estimate_search(beginning: TuningBeginning) -> Estimate:
    """Measure a step of every network of a search, and add up what is left."""
    tuning, circumstances = beginning.tuning, beginning.circumstances
    costs = Costs(
        beginning.data,
        data_root=circumstances.places,
        workers=circumstances.workers,
        measure=None,
    )
    before = torch.get_num_threads()
    if beginning.jobs > 1:
        torch.set_num_threads(threads_of(beginning.jobs))
    try:
        seconds = {of: _seconds(of, tuning, costs) for of in set(beginning.left.values())}
    finally:
        torch.set_num_threads(before)
    by_run = {name: seconds[of] for name, of in beginning.left.items()}
    together = sum(by_run.values()) / beginning.jobs
    epochs = tuning.recipe.epochs * len(by_run)
    planned = len(tuning.entries) * tuning.trials * tuning.seeds
    return Estimate(planned, 0, epochs, beginning.jobs, together, by_run)


def _seconds(of: Entry | str, tuning: Tuning, costs: Costs) -> float:
    """Of one run of an entry, or of a network that teaches."""
    student = of if isinstance(of, str) else of.student
    method = MethodSettings() if isinstance(of, str) else of.method
    recipe, epochs = tuning.recipe.for_student(student), tuning.recipe.epochs
    seconds = epochs * costs.epoch(recipe, method)
    if isinstance(of, str) or of.taught_by is None:
        return seconds
    asked = costs.teaching(tuning.recipe.for_student(of.taught_by))
    if tuning.teacher_cache == "none":
        return seconds + epochs * asked
    # A teacher answers once for all trials of a seed.
    return seconds + min(epochs, tuning.recipe.data.views or epochs) * asked / tuning.trials
