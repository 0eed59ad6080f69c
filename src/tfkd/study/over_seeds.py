"""One number for each seed, beside zero: its mean, interval and p-value, and what they say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from tfkd.study.conclusions import LEVEL
from tfkd.study.plan import of_folds
from tfkd.study.statistics.differences import PairedDifference, paired_difference

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
    if difference.p_value <= LEVEL and difference.low > 0.0:
        return "above"
    if difference.p_value <= LEVEL and difference.high < 0.0:
        return "below"
    if -worthwhile < difference.low and difference.high < worthwhile:
        return "no difference worth having"
    return "too few seeds" if difference.smallest_p > LEVEL else "not told apart"


def in_words(
    difference: PairedDifference,
    unit: str,
    *,
    digits: int = 2,
    folds: int | None = None,
    with_p: bool = True,
) -> str:
    """Return mean, interval, seeds and p-value, as sentences have them.

    Args:
        difference: to zero.
        unit: of the mean.
        digits: behind the point.
        folds: of a cross-validation, if the seeds are of one.
        with_p: whether the p-value is said.

    Example:
        >>> in_words(against_zero([1.0]), "points")
        '+1.00 points, 1 seed'
    """
    text = f"{difference.mean:+.{digits}f} {unit}"
    seeds = of_folds(f"{difference.n} seed{'' if difference.n == 1 else 's'}", folds)
    if math.isnan(difference.low):
        return f"{text}, {seeds}"
    ends = f"{difference.low:+.{digits}f} to {difference.high:+.{digits}f}"
    p = f", p {difference.p_value:.2g}" if with_p else ""
    return f"{text}, 95 % interval {ends}, {seeds}{p}"
