"""What a study tells of itself before and while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tfkd.data import DataSettings, ImageData
from tfkd.runs import Circumstances, EpochRecord, Result
from tfkd.study.plan import PlannedRun, Study


@dataclass(frozen=True)
class StudyBeginning:
    """What is about to be run, and on what.

    Attributes:
        study: the plan.
        root: the study's directory.
        data: by their settings, as the first seed splits them.
        circumstances: in which every run is made.
        jobs: runs side by side.
    """

    study: Study
    root: Path
    data: Mapping[DataSettings, ImageData]
    circumstances: Circumstances
    jobs: int


@dataclass(frozen=True)
class Moment:
    """Where a run is.

    Attributes:
        doing: what takes a while; empty while it trains.
        epoch: that it is in, from 1; 0 before the first.
        batch: of the epoch, so many are done.
        batches: of an epoch.
        loss: mean of the epoch so far; None: not known.
    """

    doing: str = ""
    epoch: int = 0
    batch: int = 0
    batches: int = 0
    loss: float | None = None


class StudyProgress(Protocol):
    """What a study calls as it goes on."""

    def doing(self, what: str) -> None:
        """Something begins that takes a while, such as `reading the data`."""

    def found(self, beginning: StudyBeginning) -> None:
        """Before the first run: what was found, and what will be done."""

    def remark(self, text: str) -> None:
        """Say a sentence that a person should read."""

    def start(self, runs: int, epochs: int) -> None:
        """Begin: so many runs, of so many epochs together, are left."""

    def at(self, name: str, moment: Moment) -> None:
        """Now and then: where a run is."""

    def epoch(self, name: str, record: EpochRecord) -> None:
        """One more epoch of a run is done."""

    def finished(self, run: PlannedRun, result: Result) -> None:
        """One more run is done, here or by another process that shares the study."""


class SilentStudy:
    """Reports nothing."""

    def doing(self, what: str) -> None:
        """Something begins."""

    def found(self, beginning: StudyBeginning) -> None:
        """What was found."""

    def remark(self, text: str) -> None:
        """A sentence."""

    def start(self, runs: int, epochs: int) -> None:
        """Begin."""

    def at(self, name: str, moment: Moment) -> None:
        """Where a run is."""

    def epoch(self, name: str, record: EpochRecord) -> None:
        """One more epoch of a run."""

    def finished(self, run: PlannedRun, result: Result) -> None:
        """One more run."""


class Telling:
    """Tells what comes from where runs are trained; a remark that several make is told once.

    Args:
        progress: that is told.
    """

    def __init__(self, progress: StudyProgress) -> None:
        self._progress = progress
        self._remarks: set[str] = set()

    def __call__(self, name: str, what: EpochRecord | Moment | str) -> None:
        """Tell of a run: an epoch that is done, where it is, or a remark."""
        if isinstance(what, Moment):
            self._progress.at(name, what)
        elif isinstance(what, EpochRecord):
            self._progress.epoch(name, what)
        elif what not in self._remarks:
            self._remarks.add(what)
            self._progress.remark(what)
