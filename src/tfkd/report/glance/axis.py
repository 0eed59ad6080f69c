"""An axis of a strip, in percent of its width: what is drawn so fits every screen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tfkd.report.figures.beyond import shown_range
from tfkd.report.number_text import without_plus

ROOM = 0.07
"""Share of the range that is left free at both ends."""
MOST_TICKS = 4


@dataclass(frozen=True)
class Axis:
    """From where to where a strip goes.

    Attributes:
        low: value at its left edge.
        high: value at its right edge.
        ticks: pairs of a place in percent and its number as text.
    """

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]

    def place(self, value: float) -> float:
        """Return where a value lies, in percent of the width; at an edge what lies beyond it.

        Example:
            >>> axis = axis_over([-1.0, 3.0])
            >>> [round(axis.place(value), 1) for value in (-1.0, 0.0, 3.0, 9.0)]
            [6.1, 28.1, 93.9, 100.0]
        """
        share = (value - self.low) / (self.high - self.low)
        return round(100.0 * min(max(share, 0.0), 1.0), 2)

    def is_beyond(self, value: float) -> bool:
        """Return whether a value lies outside."""
        return not self.low <= value <= self.high


def axis_over(values: Sequence[float], *, also: Sequence[float] = ()) -> Axis:
    """Return an axis that shows zero and the values that are not far out.

    Args:
        values: ends and means; nan where there is none.
        also: what it shows in any case.
    """
    known = [value for value in values if not math.isnan(value)]
    low, high = shown_range(known) if known else (0.0, 0.0)
    low, high = min(low, 0.0, *also), max(high, 0.0, *also)
    room = ROOM * (high - low) or 1.0
    low, high = low - room, high + room
    axis = Axis(low, high, ())
    steps = ticks(low + room / 2, high - room / 2)
    return Axis(low, high, tuple((axis.place(value), text) for value, text in steps))


def ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Return round numbers within a range, `MOST_TICKS` at most, each with its text.

    Example:
        >>> ticks(-0.31, 1.2)
        [(0.0, '0'), (0.5, '0.5'), (1.0, '1.0')]
        >>> ticks(-0.004, 0.001)
        [(-0.004, '−0.004'), (-0.002, '−0.002'), (0.0, '0')]
    """
    span = high - low
    power = 10.0 ** math.floor(math.log10(span / MOST_TICKS))
    for factor in (1, 2, 5, 10, 20):
        step = factor * power
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < MOST_TICKS:
            break
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    found = [round(place * step, digits + 1) for place in range(first, last + 1)]
    return [(value + 0.0, without_plus(value, digits) if value else "0") for value in found]
