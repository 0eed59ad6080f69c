"""How one run of a study is trained, wherever that is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from tfkd.runs import Circumstances, EpochRecord, Result
from tfkd.study.plan import PlannedRun
from tfkd.study.progress import Moment
from tfkd.train import train_run
from tfkd.train.progress import Silent

Told = EpochRecord | Moment | str
"""An epoch that is done, where a run is, or a remark."""

Report = Callable[[str, Told], None]

SECONDS_BETWEEN_MOMENTS = 0.3
"""What is told of a run more often nobody could read."""


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
            report: called with the run's name and the record of each epoch, and where it is.
        """
        return train_run(
            self.root / run.name,
            run.settings,
            replace(self.circumstances, save_epochs=run.save_epochs),
            progress=_Telling(run.name, report),
            other_data=self.other_data,
        )


class _Telling(Silent):
    """A run's progress, passed on: every epoch, and where it is now and then."""

    def __init__(self, name: str, report: Report) -> None:
        self._name, self._report = name, report
        self._epoch = self._batches = 0
        self._last = -SECONDS_BETWEEN_MOMENTS

    def doing(self, what: str) -> None:
        """Pass it on."""
        self._report(self._name, Moment(what, epoch=self._epoch))

    def remark(self, text: str) -> None:
        """Pass it on."""
        self._report(self._name, text)

    def teacher(self, done: int, total: int) -> None:
        """Pass on, now and then, how far the cache is."""
        if self._is_time():
            self._report(self._name, Moment(f"asking the teacher {done}/{total}"))

    def start(self, epochs: int, steps: int, done: int) -> None:
        """Begin."""
        self._epoch, self._batches = done + 1, steps
        self._report(self._name, Moment(epoch=self._epoch, batches=steps))

    def compiling(self) -> None:
        """Pass it on."""
        self.doing("compiling the step")

    def batch(self, done: int, loss: float | None) -> None:
        """Pass on, now and then, where it is."""
        if self._is_time():
            self._report(self._name, Moment("", self._epoch, done, self._batches, loss))

    def epoch(self, record: EpochRecord) -> None:
        """One more epoch."""
        self._report(self._name, record)
        self._epoch = record.epoch + 1

    def _is_time(self) -> bool:
        now = time.monotonic()
        if now - self._last < SECONDS_BETWEEN_MOMENTS:
            return False
        self._last = now
        return True
