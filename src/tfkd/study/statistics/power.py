"""What so many seeds can find: the power of the paired t-test, and of the sign-flip test."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from functools import lru_cache

import numpy as np
from scipy import optimize, special

from tfkd._checks import check_fraction, check_number
from tfkd.study.statistics.sign_flip import all_signs, smallest_p

MOST_DRAWN = 10
"""Up to so many seeds the power of the sign-flip test is drawn; beyond, the t-test's is near."""

DRAWS = 4000

NODES, WEIGHTS = np.polynomial.legendre.leggauss(200)


def seeds_needed(
    difference: float, sd: float, *, power: float = 0.8, level: float = 0.05, maximum: int = 1000
) -> int | None:
    """How many seeds a study needs to find a difference.

    Args:
        difference: the true mean difference to the baseline, of either sign.
        sd: standard deviation of the differences between seeds, at least 0.
        power: chance to find it, above 0 and below 1.
        level: of the two-sided test, above 0 and below 1.
        maximum: the most seeds to consider.

    Returns:
        The smallest n for which a paired t-test has this power and the sign-flip test can reach
        this level at all (2/2ⁿ ≤ level); None if that is more than `maximum`.

    Raises:
        TypeError: if an argument is not a number.
        ValueError: if one is out of its range.

    Example:
        >>> seeds_needed(0.5, 1.0)
        34
        >>> seeds_needed(100.0, 1.0)
        6
    """
    size = abs(check_number("difference", difference))
    if not math.isfinite(size):
        raise ValueError(f"Expected `difference` to be finite, got {difference}.")
    if not 0.0 <= check_number("sd", sd) < math.inf:
        raise ValueError(f"Expected `sd` of at least 0 and finite, got {sd}.")
    for name, value in (("power", power), ("level", level)):
        if not 0.0 < check_fraction(name, value) < 1.0:
            raise ValueError(f"Expected `{name}` above 0 and below 1, got {value}.")
    if size == 0.0:
        return None

    def enough(n: int) -> bool:
        noncentrality = size * math.sqrt(n) / sd if sd > 0.0 else math.inf  # inf: always found
        return smallest_p(n) <= level and _power(noncentrality, n, level) >= power

    candidates = range(2, maximum + 1)
    place = bisect_left(candidates, True, key=enough)
    return candidates[place] if place < len(candidates) else None


def detectable_difference(n: int, sd: float) -> float:
    """Return the true mean difference that the test at level 0.05 finds with a power of 0.8.

    Args:
        n: number of seeds.
        sd: standard deviation of the differences between them.

    Returns:
        The difference; nan for one seed.

    Example:
        >>> round(detectable_difference(5, 1.0), 4)
        1.682
    """
    return _noncentrality_found(n) * sd / math.sqrt(n) if n > 1 else math.nan


def least_seeds(level: float = 0.05) -> int:
    """Return with how many seeds the sign-flip test can reach a level at all.

    Example:
        >>> least_seeds(), least_seeds(0.05 / 6)
        (6, 8)
    """
    check_fraction("level", level)
    return next(n for n in itertools.count(1) if smallest_p(n) <= level)


@lru_cache
def spreads_found(n: int, level: float = 0.05) -> float:
    """Return the difference that n seeds show with a power of 0.8, in sds of their differences.

    The test is the sign-flip, of normal differences: drawn where its exact power matters, for few
    seeds, and as good as that of the t-test for more.

    Args:
        n: number of seeds.
        level: of the two-sided test.

    Returns:
        The true mean difference over the standard deviation; infinite where so many seeds cannot
        reach the level.

    Example:
        >>> spreads_found(5), round(spreads_found(8), 1), round(spreads_found(20), 2)
        (inf, 1.2, 0.66)
    """
    if smallest_p(n) > level:
        return math.inf
    if n > MOST_DRAWN:
        root = optimize.brentq(  # type: ignore[no-untyped-call]
            lambda value: _power(value, n, level) - 0.8, 0.0, 60.0
        )
        return float(root) / math.sqrt(n)
    drawn = np.random.default_rng(0).standard_normal((DRAWS, n))
    # Half of the flips: the other half are these with all signs turned.
    signs = all_signs(n)[: 2 ** (n - 1)]

    def power(spreads: float) -> float:
        differences = drawn + spreads
        sums = np.abs(differences @ signs.T)
        extreme = sums >= np.abs(differences.sum(1, keepdims=True)) - 1e-9
        return float((extreme.mean(1) <= level).mean())

    low, high = 0.0, 8.0
    while high - low > 0.01:
        middle = (low + high) / 2
        low, high = (low, middle) if power(middle) >= 0.8 else (middle, high)
    return high


@lru_cache
def _noncentrality_found(n: int) -> float:
    """The noncentrality at which the t-test of n differences at level 0.05 has a power of 0.8."""
    root = optimize.brentq(  # type: ignore[no-untyped-call]
        lambda value: _power(value, n, 0.05) - 0.8, 0.0, 30.0
    )
    return float(root)


def _power(noncentrality: float, n: int, level: float) -> float:
    """Power of the two-sided t-test of n differences; noncentrality is √n · difference / sd.

    T = (Z + noncentrality) / (X/√df), X of the chi distribution: the tails of the normal Z, given
    X, are integrated over X. `scipy.stats.nct` gives nan in parts of its lower tail.
    """
    df = n - 1
    middle = math.sqrt(df)  # X has a variance below 1/2
    start, stop = max(0.0, middle - 9.0), middle + 9.0
    x = start + (stop - start) * (NODES + 1.0) / 2.0
    log_density = (1 - df / 2) * math.log(2) - math.lgamma(df / 2) + special.xlogy(df - 1, x)
    density = np.exp(log_density - x**2 / 2) * WEIGHTS * (stop - start) / 2.0
    critical = special.stdtrit(df, 1 - level / 2) * x / middle
    found = special.ndtr(noncentrality - critical) + special.ndtr(-noncentrality - critical)
    return float(density @ found)
