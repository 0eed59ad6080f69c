"""How long something has taken, and how long it will take."""

from __future__ import annotations

import time

from tfkd.report.number_text import duration

DAY = 86400.0
ENOUGH = 3.0
"""Seconds of work that say more of the rest than what was expected."""


class Clock:
    """Time since the beginning, and what is left, from how much was done of how much.

    Args:
        total: how much there is to do, in any unit.
        behind: how much of it lies behind already.
        expected: seconds that it is thought to take, until that is seen.
    """

    def __init__(self, total: float = 0.0, behind: float = 0.0, expected: float | None = None):
        self._total, self._behind, self._expected = total, behind, expected
        self._done, self._is_begun = 0.0, False
        self._started = self._begun = time.monotonic()

    def begin(self) -> None:
        """Say that the work itself begins only now, unless some was done already."""
        if self._done == 0.0 and not self._is_begun:
            self._begun, self._is_begun = time.monotonic(), True

    def add(self, amount: float) -> None:
        """Say how much more was done."""
        self._done += amount
        self._behind += amount

    def skip(self, amount: float) -> None:
        """Say how much more lies behind, or less, that took none of this time."""
        self._behind += amount

    def leave_out(self, seconds: float) -> None:
        """Say how long something took just now that says nothing of what is left."""
        self._begun += seconds

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._started

    @property
    def left(self) -> float | None:
        """Seconds that are left; None if nobody knows."""
        seen = time.monotonic() - self._begun
        if self._done > 0.0 and (seen >= ENOUGH or self._expected is None):
            return seen * max(self._total - self._behind, 0.0) / self._done
        return None if self._expected is None else max(self._expected - seen, 0.0)

    def text(self) -> str:
        """Return both, said apart."""
        left = self.left
        return f"{clock(self.elapsed)} elapsed" + ("" if left is None else f", {clock(left)} left")


def clock(seconds: float) -> str:
    """Write a time as a clock does; days in words.

    Example:
        >>> clock(65), clock(3723), clock(200_000)
        ('1:05', '1:02:03', '2 days 8 h')
    """
    if seconds >= DAY:
        return duration(seconds)
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
