"""What a run tells of itself while it trains."""

from __future__ import annotations

from typing import Protocol

from tfkd.runs import EpochRecord


class Progress(Protocol):
    """What a run calls as it goes on; `step` must not wait for the device."""

    def remark(self, text: str) -> None:
        """Before training: a sentence that whoever started the run should read."""

    def teacher(self, done: int, total: int) -> None:
        """Before training: so many outputs of the teacher are stored, of so many."""

    def start(self, epochs: int, steps: int, done: int) -> None:
        """Begin: epochs of `steps` batches each, of which `done` epochs lie behind."""

    def step(self) -> None:
        """One more batch is done."""

    def epoch(self, record: EpochRecord) -> None:
        """One more epoch is done, with its metrics."""


class Silent:
    """Reports nothing."""

    def remark(self, text: str) -> None:
        """A sentence."""

    def teacher(self, done: int, total: int) -> None:
        """So many outputs of the teacher."""

    def start(self, epochs: int, steps: int, done: int) -> None:
        """Begin."""

    def step(self) -> None:
        """One more batch."""

    def epoch(self, record: EpochRecord) -> None:
        """One more epoch."""
