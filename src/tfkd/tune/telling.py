"""What is said of a trial that has ended: that it is the best so far, was pruned, or diverged."""

from __future__ import annotations

from collections.abc import Sequence

from tfkd.tune.outcome import State
from tfkd.tune.progress import TuningProgress
from tfkd.tune.runs_of_trial import Trial
from tfkd.tune.search import Search


def tell_ended(
    search: Search, ended: Sequence[tuple[Trial, State]], progress: TuningProgress
) -> None:
    """Tell of trials that have ended.

    Args:
        search: that they are of.
        ended: each with its state.
        progress: that is told.
    """
    if not ended:
        return
    found = {own.entry.name: own for own in search.tuned().entries}
    for trial, state in ended:
        own, name = found[trial.entry], f"{trial.entry} trial {trial.number}"
        title = search.tuning.goal.title
        if state == "diverged":
            progress.remark(f"{name}: the loss was not finite; it counts as the worst")
        elif state == "pruned":
            progress.remark(f"{name}: worse than half of the others, no more seeds")
        elif own.best is not None and own.best.number == trial.number:
            progress.remark(f"{name}: the best so far, {title} {own.best.value:.4f}")
        if state != "complete":
            progress.without_result(search.without_result(trial))
