"""How one run of a study is trained, wherever that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfkd.runs import RunSettings
from tfkd.train import train_run

Report = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True)
class RunTrainer:
    """Trains runs of a study; processes and machines are sent a copy.

    Attributes:
        root: the study's directory.
        workers: processes that decode image files, for each run.
        checkpoint_seconds: at least this long between two checkpoints of a run.
    """

    root: Path
    workers: int
    checkpoint_seconds: float

    def train(self, name: str, settings: RunSettings, report: Report) -> dict[str, Any]:
        """Train a run, or finish it, and return its result.

        Args:
            name: of the run.
            settings: of the run.
            report: called with the run's name and the record of each epoch.
        """
        return train_run(
            self.root / name,
            settings,
            workers=self.workers,
            progress=_Epochs(name, report),
            checkpoint_seconds=self.checkpoint_seconds,
        )


class _Epochs:
    """A run's progress, of which the epochs are passed on."""

    def __init__(self, name: str, report: Report) -> None:
        self._name = name
        self._report = report

    def teacher(self, done: int, total: int) -> None:
        """So many outputs of the teacher."""

    def start(self, epochs: int, steps: int, done: int) -> None:
        """Begin."""

    def step(self) -> None:
        """One more batch."""

    def epoch(self, record: dict[str, Any]) -> None:
        """One more epoch."""
        self._report(self._name, record)
