"""What became of a run of a trial, and of the trial."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

from tfkd.runs import Result
from tfkd.study.directory import run_directory
from tfkd.study.plan import PlannedRun
from tfkd.tune.objective import Objective
from tfkd.tune.runs_of_trial import TRIAL_FILE

State = Literal["running", "complete", "pruned", "diverged"]
"""Of a trial: all its runs are finished; it was given no more seeds; or a loss was not finite."""

LEAST_TO_PRUNE = 5
"""Trials with a first seed before a trial is held against their median."""


@dataclass(frozen=True)
class Outcome:
    """What came of one run.

    Attributes:
        value: of the objective; infinitely bad where the run diverged.
        result: of the run; None where it diverged.
    """

    value: float
    result: Result | None

    @property
    def diverged(self) -> bool:
        """Whether its loss, or a weight, was no longer finite."""
        return self.result is None


def read_outcome(root: Path, run: PlannedRun, goal: Objective) -> Outcome | None:
    """Return what came of a run; None while it is not finished.

    Raises:
        ValueError: if its files are damaged, it is of other settings than its trial, or it has no
            validation split.
    """
    directory = run_directory(root, run.name)
    result = directory.result()
    if result is None and not directory.failure_file.is_file():
        return None
    if not run.is_of(directory.settings()):
        raise ValueError(
            f"Expected a run of the settings of its trial in {directory.path}, got one of others: "
            f"{TRIAL_FILE} or the run was changed. Restore it, or take another directory."
        )
    if result is None:
        return Outcome(goal.worst, None)
    value = goal.of(result)
    if value is None:
        raise ValueError(f"Expected a validation split of {directory.path}, by which to choose.")
    return Outcome(value, result)


@dataclass(frozen=True)
class Verdict:
    """What is known of a trial.

    Attributes:
        state: of it; while it is `running`, what is wanted is not empty.
        wanted: places of the seeds whose runs are to be trained now.
        value: of the trial, by which it is chosen; None while it is running.
    """

    state: State
    wanted: tuple[int, ...] = ()
    value: float | None = None


def judge(
    outcomes: Mapping[int, Outcome],
    seeds: int,
    others: Sequence[float],
    goal: Objective,
    *,
    prune: bool,
) -> Verdict:
    """Say what is known of a trial from those of its runs that are finished.

    The first seed is trained alone. A trial whose value with it is worse than the median of the
    others', of which there are five at least, is given no more seeds and ends as `pruned`; with one
    seed there is nothing to save. Trials are held against one another between seeds and never
    between epochs: a schedule of the learning rate that ends at 0 leaves large rates behind small
    ones until the last epochs, so that an early look would choose small rates and not good ones.

    Args:
        outcomes: by place of the seed.
        seeds: how many there are.
        others: values of the first seed of all trials before this one.
        goal: what decides.
        prune: whether a trial may be given fewer seeds.
    """
    if 0 not in outcomes:
        return Verdict("running", (0,))
    first = outcomes[0].value
    if outcomes[0].diverged:
        return Verdict("diverged", value=goal.worst)
    if prune and seeds > 1 and is_pruned(first, others, goal):
        return Verdict("pruned", value=first)
    if missing := tuple(place for place in range(seeds) if place not in outcomes):
        return Verdict("running", missing)
    if any(outcome.diverged for outcome in outcomes.values()):
        return Verdict("diverged", value=goal.worst)
    return Verdict("complete", value=mean([outcomes[place].value for place in range(seeds)]))


def is_pruned(first: float, others: Sequence[float], goal: Objective) -> bool:
    """Return whether a value is worse than the median of at least five others."""
    return len(others) >= LEAST_TO_PRUNE and goal.is_better(median(others), first)


def mean(values: Sequence[float]) -> float:
    """Return the mean, the same in whatever order they come."""
    return math.fsum(values) / len(values)
