"""What a run tells of itself before and while it trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tfkd.data import ImageData
    from tfkd.runs import Circumstances, EpochRecord, RunSettings


@dataclass(frozen=True)
class Beginning:
    """What is about to be trained, and on what.

    Attributes:
        data: with their splits.
        settings: of the run.
        circumstances: in which it is made.
        parameters: of the student.
        trained: of those, how many are trained; None: all.
    """

    data: ImageData
    settings: RunSettings
    circumstances: Circumstances
    parameters: int
    trained: int | None = None


class Progress(Protocol):
    """What a run calls as it goes on; `step` and `batch` must not wait for the device."""

    def doing(self, what: str) -> None:
        """Something begins that takes a while, such as `reading the data`."""

    def found(self, beginning: Beginning) -> None:
        """Before training: what was found, and what will be done."""

    def remark(self, text: str) -> None:
        """Before training: a sentence that whoever started the run should read."""

    def teacher(self, done: int, total: int) -> None:
        """Before training: so many outputs of the teacher are stored, of so many."""

    def start(self, epochs: int, steps: int, done: int) -> None:
        """Begin: epochs of `steps` batches each, of which `done` epochs lie behind."""

    def compiling(self) -> None:
        """The batch that follows is compiled for first: its time is not that of others."""

    def step(self) -> None:
        """One more batch is done."""

    def batch(self, done: int, loss: float | None) -> None:
        """So many batches of the epoch are done; their mean loss, as far as it is known."""

    def epoch(self, record: EpochRecord) -> None:
        """One more epoch is done, with its metrics."""


class Silent:
    """Reports nothing."""

    def doing(self, what: str) -> None:
        """Something begins."""

    def found(self, beginning: Beginning) -> None:
        """What was found."""

    def remark(self, text: str) -> None:
        """A sentence."""

    def teacher(self, done: int, total: int) -> None:
        """So many outputs of the teacher."""

    def start(self, epochs: int, steps: int, done: int) -> None:
        """Begin."""

    def compiling(self) -> None:
        """The batch that follows is compiled for."""

    def step(self) -> None:
        """One more batch."""

    def batch(self, done: int, loss: float | None) -> None:
        """So many batches of the epoch."""

    def epoch(self, record: EpochRecord) -> None:
        """One more epoch."""
