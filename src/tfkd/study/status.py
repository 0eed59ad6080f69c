"""How far a study is, read from its directory alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tfkd.study.directory import run_directory
from tfkd.study.plan import PlannedRun, Study


@dataclass(frozen=True)
class ArmStatus:
    """How far the runs of one arm are.

    Attributes:
        name: of the arm.
        finished: number of finished runs.
        begun: number of runs that are begun and not finished.
        planned: number of runs.
        epochs_done: epochs of all its runs that are behind, as far as they are written down.
        epochs: epochs of all its runs.
        seconds: training time so far.
    """

    name: str
    finished: int
    begun: int
    planned: int
    epochs_done: int
    epochs: int
    seconds: float


def study_status(study: Study, root: Path) -> list[ArmStatus]:
    """Return how far each arm is, in the plan's order.

    Args:
        study: the plan.
        root: the study's directory.
    """
    runs_of: dict[str, list[PlannedRun]] = {arm.name: [] for arm in study.arms}
    for run in study.runs(root):
        runs_of[run.arm].append(run)
    result = []
    for arm in study.arms:
        finished = begun = epochs_done = 0
        seconds = 0.0
        for run in runs_of[arm.name]:
            directory = run_directory(root, run.name)
            if (found := directory.result()) is not None:
                finished += 1
                epochs_done += found.epochs
                seconds += found.seconds
            elif directory.is_begun:
                begun += 1
                if directory.metrics_file.is_file():
                    history = directory.history()
                    epochs_done += len(history)
                    seconds += sum(record.seconds for record in history)
        planned = len(runs_of[arm.name])
        epochs = arm.recipe.epochs * planned
        result.append(ArmStatus(arm.name, finished, begun, planned, epochs_done, epochs, seconds))
    return result
