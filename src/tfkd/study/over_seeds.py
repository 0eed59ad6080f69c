"""One number for each seed, beside zero: its mean, interval and p-value, and what they show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from tfkd.study.conclusions import above, below, equivalent
from tfkd.study.statistics.differences import PairedDifference, paired_difference
from tfkd.study.statistics.power import LEVEL

Told = Literal["above", "below", "no difference worth having", "too few seeds", "not told apart"]


def against_zero(values: Sequence[float]) -> PairedDifference:
    """Return what a number, one for each seed, is beside zero.

    Args:
        values: one finite number for each seed.

    Example:
        >>> against_zero([0.5, 1.5, 1.0]).mean
        1.0
    """
    return paired_difference(values, [0.0] * len(values))


def told(difference: PairedDifference, *, worthwhile: float) -> Told:
    """Say what an interval and a p-value together show.

    Args:
        difference: to zero.
        worthwhile: the smallest difference worth having.

    Example:
        >>> told(against_zero([0.01, -0.02, 0.01, 0.0, 0.01, -0.01]), worthwhile=0.2)
        'no difference worth having'
    """
    if equivalent(difference, worthwhile):
        return "no difference worth having"
    if above(difference):
        return "above"
    if below(difference):
        return "below"
    return "too few seeds" if difference.smallest_p > LEVEL else "not told apart"
