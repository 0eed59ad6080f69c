"""Where a slope is 0, by bisection."""

from __future__ import annotations

from collections.abc import Callable


def where_zero(slope: Callable[[float], float], low: float, high: float) -> float:
    """Return where a growing function is 0.

    Args:
        slope: the function, at most 0 at `low`, and above 0 far to the right.
        low: from where it is searched.
        high: up to where it is tried first, above `low`.
    """
    while slope(high) < 0.0:
        high *= 2.0
    for _ in range(200):
        middle = (low + high) / 2.0
        if slope(middle) < 0.0:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0
