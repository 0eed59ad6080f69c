"""How far a study is, read from its directory alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tfkd.runs import RunDirectory
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
        left_out: a sentence on each run that is damaged, and counted as none.
    """

    name: str
    finished: int
    begun: int
    planned: int
    epochs_done: int
    epochs: int
    seconds: float
    left_out: tuple[str, ...] = ()


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
        seconds, left_out = 0.0, []
        for run in runs_of[arm.name]:
            directory = run_directory(root, run.name)
            try:
                found = _Run.read(directory)
            except (ValueError, OSError) as error:
                left_out.append(f"{run.name}: {error}")
                continue
            finished += found.finished
            begun += found.begun
            epochs_done += found.epochs
            seconds += found.seconds
        planned = len(runs_of[arm.name])
        epochs = arm.recipe.epochs * planned
        result.append(
            ArmStatus(
                arm.name, finished, begun, planned, epochs_done, epochs, seconds, tuple(left_out)
            )
        )
    return result


class _Run(NamedTuple):
    """How far one run is."""

    finished: bool = False
    begun: bool = False
    epochs: int = 0
    seconds: float = 0.0

    @classmethod
    def read(cls, directory: RunDirectory) -> _Run:
        if (result := directory.result()) is not None:
            return cls(finished=True, epochs=result.epochs, seconds=result.seconds)
        if not directory.is_begun or not directory.metrics_file.is_file():
            return cls(begun=directory.is_begun)
        history = directory.history()
        seconds = sum(record.seconds for record in history)
        return cls(begun=True, epochs=len(history), seconds=seconds)
