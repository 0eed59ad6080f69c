"""One difference with its interval as it is drawn, and as it is read."""

from __future__ import annotations

from dataclasses import dataclass

from tfkd.report.glance.axis import Axis
from tfkd.report.number_text import interval_text, with_sign
from tfkd.study.statistics.differences import PairedDifference


@dataclass(frozen=True)
class Mark:
    """A mean and its interval on an axis, in percent of its width.

    Attributes:
        mean: its place.
        low: place of the interval's lower end; that of the mean where there is no interval.
        high: place of the upper end.
        calibrated: whether it is of calibrated probabilities; as they come it is drawn hollow.
        beyond: "left" or "right", where the mean lies beyond that edge; else empty.
    """

    mean: float
    low: float
    high: float
    calibrated: bool
    beyond: str


@dataclass(frozen=True)
class Strip:
    """One measure of one arm.

    Attributes:
        name: of the measure, for those who do not see the column.
        marks: what is drawn, the last on top.
        text: the mean difference; of the baseline its own value.
        interval: its ends; empty where there is none.
        before: the mean as it comes, before calibration; empty where that is `text` itself.
        before_interval: the ends of its interval.
        told: "better" or "worse", where that is told; else empty.
    """

    name: str
    marks: tuple[Mark, ...]
    text: str
    interval: str = ""
    before: str = ""
    before_interval: str = ""
    told: str = ""

    @property
    def words(self) -> str:
        """All of its numbers."""
        interval = f" ({self.interval})" if self.interval else ""
        interval += f" {self.told}" if self.told else ""
        if not self.before:
            return f"{self.text}{interval}"
        interval_before = f" ({self.before_interval})" if self.before_interval else ""
        return f"{self.text}{interval}; raw {self.before}{interval_before}"


def mark(difference: PairedDifference, axis: Axis, *, calibrated: bool) -> Mark:
    """Place a difference on an axis."""
    ends = [
        end if difference.has_interval else difference.mean
        for end in (difference.low, difference.high)
    ]
    beyond = ""
    if axis.is_beyond(difference.mean):
        beyond = "left" if difference.mean < axis.low else "right"
    low, high = map(axis.place, ends)
    return Mark(axis.place(difference.mean), low, high, calibrated, beyond)


def ends_of(difference: PairedDifference | None) -> list[float]:
    """Return what an axis must show of a difference."""
    return [] if difference is None else [difference.low, difference.mean, difference.high]


def in_words(difference: PairedDifference, digits: int) -> tuple[str, str]:
    """Return a difference and the ends of its interval as text."""
    interval = ""
    if difference.has_interval:
        interval = interval_text(difference.low, difference.high, digits)
    return with_sign(difference.mean, digits), interval
