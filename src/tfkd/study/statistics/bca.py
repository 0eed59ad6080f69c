"""The bias-corrected and accelerated bootstrap interval of a mean, from means already resampled.

As `scipy.stats.bootstrap` computes it, without its checks, which take longer than the interval.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]


def bca_interval(values: Array, resampled: Array, *, confidence: float) -> tuple[float, float]:
    """Return the ends of the BCa interval of the mean of values.

    With z₀ = Φ⁻¹(share of resamples below the mean), the acceleration a of the jackknife and
    z = Φ⁻¹((1 ∓ confidence) / 2), the ends are the quantiles Φ(z₀ + (z₀ + z) / (1 − a (z₀ + z))) of
    the resampled means.

    Args:
        values: `(n,)`, not all equal.
        resampled: `(resamples,)`, means of bootstrap resamples of them.
        confidence: of the interval, above 0 and below 1.

    Returns:
        The ends; nan where no resample lies on one side of the mean, or all differences are too
        small to be raised to the third power.

    Example:
        >>> bca_interval(np.array([0.0, 1.0, 5.0]), np.arange(6.0), confidence=0.5)
        (0.7312392125216471, 3.0249853677653116)

    Source: Efron, "Better Bootstrap Confidence Intervals", JASA 82, 1987.
    """
    mean, count = values.mean(), len(resampled)
    # A resample on the mean counts half.
    below = np.count_nonzero(resampled < mean) + np.count_nonzero(resampled <= mean)
    if below in (0, 2 * count):
        return math.nan, math.nan
    bias, acceleration = float(special.ndtri(below / (2 * count))), _acceleration(values)
    tail = float(special.ndtri((1 - confidence) / 2))
    low, high = (
        float(special.ndtr(bias + moved / (1 - acceleration * moved)))
        for moved in (bias + tail, bias - tail)
    )
    if math.isnan(low) or math.isnan(high):
        return math.nan, math.nan
    return _quantiles(resampled, low, high)


def _acceleration(values: Array) -> float:
    """A sixth of the skewness of the means without one value each."""
    n = len(values)
    others = np.broadcast_to(values, (n, n))[~np.eye(n, dtype=bool)].reshape(n, n - 1)
    means = others.mean(axis=-1)
    influence = (n - 1) * (means.mean() - means)
    third, second = (influence**3).sum() / n**3, (influence**2).sum() / n**2
    return float(1 / 6 * third / second ** (3 / 2)) if second ** (3 / 2) > 0 else math.nan


def _quantiles(values: Array, low: float, high: float) -> tuple[float, float]:
    """Two quantiles, each between the two nearest values, in proportion."""
    count = len(values)
    # Places from 1, rounded as scipy rounds them.
    places = [share * count + (1 - share) for share in (low, high)]
    nearest = [(max(int(place) - 1, 0), min(int(place), count - 1)) for place in places]
    ordered = np.partition(values, sorted({*nearest[0], *nearest[1]}))
    first, second = (
        float((1 - place % 1) * ordered[below] + place % 1 * ordered[above])
        for place, (below, above) in zip(places, nearest, strict=True)
    )
    return first, second
