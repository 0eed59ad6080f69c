"""What training with a method takes, as a multiple of plain cross-entropy."""

from __future__ import annotations

from dataclasses import dataclass

from tfkd.report.seconds import seconds_of, seconds_with_teacher
from tfkd.report.study_data import StudyData
from tfkd.study.summary import Row


@dataclass(frozen=True)
class Cost:
    """Times of training.

    Attributes:
        own: times the baseline's seconds.
        total: the same with its teacher's training; `own` where no network taught.
    """

    own: float
    total: float

    @property
    def text(self) -> str:
        """Its own training."""
        return f"× {times(self.own)}"

    @property
    def with_teacher(self) -> str:
        """With its teacher's training; empty where that is the same."""
        return "" if self.total == self.own else f"× {times(self.total)} with its teacher"


def times(value: float) -> str:
    """Write a multiple in two digits, or whole.

    Example:
        >>> times(1.043), times(2.51), times(31.4)
        ('1.0', '2.5', '31')
    """
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"


def cost_of(data: StudyData, row: Row, baseline: Row | None) -> Cost | None:
    """Return what an arm costs; None where nothing is known of the baseline."""
    if baseline is None:
        return None
    unit = seconds_of(data, baseline)
    own, total = seconds_of(data, row), seconds_with_teacher(data, row)
    return Cost(own / unit, total / unit) if unit > 0.0 else None
