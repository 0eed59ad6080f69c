"""The interval of a share."""

from __future__ import annotations

from typing import Any


def wilson(right: int, of: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share.

    Args:
        right: how many.
        of: so many, at least 1.

    Example:
        >>> [round(end, 4) for end in wilson(8, 10)]
        [0.4902, 0.9433]
    """
    from scipy import stats

    untyped: Any = stats
    found = untyped.binomtest(right, of).proportion_ci(method="wilson")
    return float(found.low), float(found.high)
