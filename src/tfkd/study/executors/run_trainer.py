"""How one run of a study is trained, wherever that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from tfkd.runs import Circumstances, EpochRecord, Result
from tfkd.study.plan import PlannedRun
from tfkd.train import train_run

Report = Callable[[str, EpochRecord], None]


@dataclass(frozen=True)
class RunTrainer:
    """Trains runs of a study; processes and machines are sent a copy.

    Attributes:
        root: the study's directory.
        circumstances: in which every run is made.
        other_data: go on though data are not those that a run was begun with.
    """

    root: Path
    circumstances: Circumstances
    other_data: bool = False

    def train(self, run: PlannedRun, report: Report) -> Result:
        """Train a run, or finish it, and return its result.

        Args:
            run: of the plan.
            report: called with the run's name and the record of each epoch.
        """
        return train_run(
            self.root / run.name,
            run.settings,
            replace(self.circumstances, save_epochs=run.save_epochs),
            progress=_Epochs(run.name, report),
            other_data=self.other_data,
        )


class _Epochs:
    """A run's progress, of which the epochs are passed on."""

    def __init__(self, name: str, report: Report) -> None:
        self._name = name
        self._report = report

    def remark(self, text: str) -> None:
        """A sentence, which is the same for many runs."""

    def teacher(self, done: int, total: int) -> None:
        """So many outputs of the teacher."""

    def start(self, epochs: int, steps: int, done: int) -> None:
        """Begin."""

    def step(self) -> None:
        """One more batch."""

    def epoch(self, record: EpochRecord) -> None:
        """One more epoch."""
        self._report(self._name, record)
