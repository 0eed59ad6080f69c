"""What a search tells of itself, beside what a study does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tfkd.data import DataSettings, ImageData
from tfkd.runs import Circumstances
from tfkd.study.plan import PlannedRun
from tfkd.study.progress import SilentStudy, StudyProgress
from tfkd.tune.plan import Entry, Tuning


@dataclass(frozen=True)
class TuningBeginning:
    """What is about to be searched, and on what.

    Attributes:
        tuning: the plan.
        root: its directory.
        data: by their settings, as the first seed splits them.
        circumstances: in which every run is made.
        jobs: runs side by side.
        left: the runs that it may still need, by name, each with the entry that it is of, or for a
            network that teaches with the network's name.
    """

    tuning: Tuning
    root: Path
    data: Mapping[DataSettings, ImageData]
    circumstances: Circumstances
    jobs: int
    left: Mapping[str, Entry | str]


class TuningProgress(StudyProgress, Protocol):
    """What a search calls as it goes on."""

    def found_search(self, beginning: TuningBeginning) -> None:
        """Before the first run: what was found, and what will be done."""

    def without_result(self, runs: list[PlannedRun]) -> None:
        """Some runs will have no result: they diverged, or their setting has no more seeds."""


class SilentTuning(SilentStudy):
    """Reports nothing."""

    def found_search(self, beginning: TuningBeginning) -> None:
        """What was found."""

    def without_result(self, runs: list[PlannedRun]) -> None:
        """Runs that will have no result."""
