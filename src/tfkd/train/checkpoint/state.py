"""How far a run has come."""

from __future__ import annotations

from dataclasses import dataclass, field

from tfkd.runs import EpochRecord
from tfkd.train.step.totals import EpochTotals


@dataclass
class TrainingState:
    """All that a run knows of its past, beside network and optimiser.

    Attributes:
        totals: what the epoch that is being trained came to so far.
        epochs_done: epochs that lie behind.
        batches_done: batches of the epoch that is being trained.
        epoch_seconds: what that epoch took so far.
        seconds: what the epochs took that lie behind.
        history: the records of those.
        kept: epochs and batches behind the last checkpoint; None if there is none yet.
    """

    totals: EpochTotals
    epochs_done: int = 0
    batches_done: int = 0
    epoch_seconds: float = 0.0
    seconds: float = 0.0
    history: list[EpochRecord] = field(default_factory=list)
    kept: tuple[int, int] | None = None

    def end_epoch(self, record: EpochRecord, totals: EpochTotals) -> None:
        """Put the epoch behind, with its record; `totals` are those of the next."""
        self.seconds += self.epoch_seconds
        self.history.append(record)
        self.epochs_done += 1
        self.batches_done = 0
        self.totals = totals
        self.epoch_seconds = 0.0
