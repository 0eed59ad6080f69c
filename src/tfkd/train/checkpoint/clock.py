"""When the next checkpoint is due."""

from __future__ import annotations

import time

# A checkpoint may take one part in so many of the time.
SHARE = 50


class CheckpointClock:
    """Says when a checkpoint is due: seldom enough that writing them costs at most 2 % of the time.

    Args:
        seconds: at least this long between two; 0: one at every step, whatever it costs.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = self._wait = seconds
        self._last = time.monotonic()

    def due(self) -> bool:
        """Whether the next one is."""
        return time.monotonic() - self._last >= self._wait

    def written(self, seconds: float) -> None:
        """Begin to wait for the next: writing this one took `seconds`."""
        self._last = time.monotonic()
        self._wait = max(self._seconds, SHARE * seconds) if self._seconds > 0.0 else 0.0
