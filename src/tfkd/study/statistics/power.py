"""What so many seeds can find, by the tests that the verdicts have."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tfkd._checks import check_fraction, check_integer, check_number
from tfkd.study.statistics.differences import LEAST_FOR_INTERVAL
from tfkd.study.statistics.power_table import CLAIMS, FOUND, SEEDS
from tfkd.study.statistics.sign_flip import all_signs, smallest_p

LEVEL = 0.05
"""The largest p-value, corrected for the family, by which a difference is told from chance."""

POWER = 0.8
"""The chance to find a difference that counts as being able to."""

MOST_FLIPS = 1024
"""So many are counted in a simulated study; of more than 11 seeds they are drawn."""


def least_seeds(level: float = LEVEL) -> int:
    """Return with how many seeds the sign-flip test can reach a level at all, of any claims.

    Example:
        >>> least_seeds(), least_seeds(0.01)
        (6, 8)
    """
    if not check_fraction("level", level) > 0.0:
        raise ValueError(f"Expected `level` above 0, got {level}.")
    n = 1
    while smallest_p(n) > level:
        n += 1
    return n


def spreads_found(n: int, claims: int = 1) -> float:
    """Return the difference that n seeds find in four studies of five, in sds of the differences.

    Found is what a verdict calls better: a step-down max-T p of at most 0.05 over the family, and a
    95 % interval that leaves out 0. The differences are normal; one of the claims is true, and the
    others are as independent as they can be, which makes it hardest: where all are differences to
    one baseline (a correlation of ½) a little smaller ones are found, of 10 seeds and 18 claims
    1.59 sds for 1.64.

    Args:
        n: number of seeds.
        claims: of the family, at least 1.

    Returns:
        The true mean difference over the standard deviation of the differences; infinite with fewer
        than six seeds, which cannot reach a p of 0.05. From a table that `measure_spreads_found`
        made; between its entries and beyond them by interpolation.

    Example:
        >>> [round(spreads_found(n), 2) for n in (5, 8, 20)]
        [inf, 1.21, 0.67]
        >>> [round(spreads_found(n, 6), 2) for n in (6, 8, 10, 20)]
        [2.81, 1.71, 1.39, 0.86]
    """
    check_integer("n", n, minimum=1)
    check_integer("claims", claims, minimum=1)
    if n < SEEDS[0]:
        return math.inf
    # By √n they are nearly the same for all n, and nearly linear in 1/n and in log claims.
    rows = [
        float(np.interp(-1.0 / n, [-1.0 / s for s in SEEDS], _scaled(column)))
        for column in range(len(CLAIMS))
    ]
    place = min(max(int(np.searchsorted(CLAIMS, claims)), 1), len(CLAIMS) - 1)
    left, right = math.log(CLAIMS[place - 1]), math.log(CLAIMS[place])
    share = (math.log(claims) - left) / (right - left)
    return (rows[place - 1] + share * (rows[place] - rows[place - 1])) / math.sqrt(n)


def seeds_needed(
    difference: float, sd: float, *, claims: int = 1, maximum: int = 1000
) -> int | None:
    """How many seeds a study needs to find a difference in four studies of five.

    Args:
        difference: the true mean difference to the baseline, of either sign.
        sd: standard deviation of the differences between seeds, at least 0.
        claims: of the family, at least 1.
        maximum: the most seeds to consider.

    Returns:
        The smallest n with `spreads_found(n, claims)` times sd of at most the difference; None if
        that is more than `maximum`.

    Raises:
        TypeError: if an argument is not a number.
        ValueError: if one is out of its range.

    Example:
        >>> seeds_needed(0.5, 1.0), seeds_needed(0.5, 1.0, claims=6)
        (34, 53)
        >>> seeds_needed(100.0, 1.0)
        6
    """
    size = abs(check_number("difference", difference))
    if not math.isfinite(size):
        raise ValueError(f"Expected `difference` to be finite, got {difference}.")
    if not 0.0 <= check_number("sd", sd) < math.inf:
        raise ValueError(f"Expected `sd` of at least 0 and finite, got {sd}.")
    if size == 0.0:
        return None
    candidates = range(least_seeds(), maximum + 1)
    place = bisect_left(candidates, True, key=lambda n: spreads_found(n, claims) * sd <= size)
    return candidates[place] if place < len(candidates) else None


def seeds_for_equivalence(sd: float, worthwhile: float, *, maximum: int = 1000) -> int | None:
    """How many seeds show in four studies of five that there is no difference worth having.

    If there is none at all: the 95 % interval then lies within ± the smallest difference worth
    having. Of 20,000 simulated studies, with normal differences.

    Args:
        sd: standard deviation of the differences between seeds, at least 0.
        worthwhile: the smallest difference worth having, above 0.
        maximum: the most seeds to consider.

    Returns:
        The smallest n; None if that is more than `maximum`.

    Example:
        >>> seeds_for_equivalence(0.2, 0.2), seeds_for_equivalence(1.0, 0.2)
        (13, 265)
    """
    if not 0.0 <= check_number("sd", sd) < math.inf:
        raise ValueError(f"Expected `sd` of at least 0 and finite, got {sd}.")
    if not check_number("worthwhile", worthwhile) > 0.0:
        raise ValueError(f"Expected `worthwhile` above 0, got {worthwhile}.")

    def enough(n: int) -> bool:
        generator = np.random.default_rng(n)
        mean = sd * generator.standard_normal(20_000) / math.sqrt(n)
        own_sd = sd * np.sqrt(generator.chisquare(n - 1, 20_000) / (n - 1))
        half = special.stdtrit(n - 1, 0.975) * own_sd / math.sqrt(n)
        return bool((np.abs(mean) + half <= worthwhile).mean() >= POWER)

    candidates = range(LEAST_FOR_INTERVAL, maximum + 1)
    place = bisect_left(candidates, True, key=enough)
    return candidates[place] if place < len(candidates) else None


def measure_spreads_found(
    n: int,
    claims: Sequence[int],
    *,
    studies: int,
    seed: int = 0,
    correlation: float = 0.0,
) -> list[float]:
    """Simulate studies and return, for each number of claims, what they find: the table's entries.

    The claim that is true is held against all others at once, not step by step: what it loses by
    that is less than the simulation can see.

    Args:
        n: number of seeds, at least 6.
        claims: numbers of them, rising.
        studies: to simulate.
        seed: of the simulation.
        correlation: between the differences of two claims, at least 0.
    """
    generator = np.random.default_rng(seed)
    signs = _signs(n, generator)
    shared = math.sqrt(correlation) * generator.standard_normal((studies, n))
    own = math.sqrt(1.0 - correlation)
    noise = shared + own * generator.standard_normal((studies, n))
    others: NDArray[np.float32] | None = None
    made, found = 1, []
    for count in claims:
        while made < count:
            other = shared + own * generator.standard_normal((studies, n))
            scores = np.abs(_unit(other) @ signs)
            others = scores if others is None else np.maximum(others, scores, out=others)
            made += 1
        low, high = 0.0, 16.0
        while high - low > 0.002:
            middle = (low + high) / 2
            enough = _power(noise + middle, signs, others) >= POWER
            low, high = (low, middle) if enough else (middle, high)
        found.append(high)
    return found


def _power(
    differences: NDArray[np.float64], signs: NDArray[np.float32], others: NDArray[np.float32] | None
) -> float:
    """The share of the studies that find their claim."""
    n, unit = differences.shape[1], _unit(differences)
    scores = np.abs(unit @ signs)
    if others is not None:
        scores = np.maximum(scores, others)
    p = (scores >= np.abs(unit.sum(1, keepdims=True)) - 1e-5).mean(1)
    error = differences.std(1, ddof=1) / math.sqrt(n)
    beyond = np.abs(differences.mean(1)) > special.stdtrit(n - 1, 0.975) * error
    return float(((p <= LEVEL) & beyond).mean())


def _signs(n: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Choices of signs, `(n, many)`: half of all, the others being these turned, or drawn ones."""
    if 2 ** (n - 1) <= MOST_FLIPS:
        return all_signs(n)[: 2 ** (n - 1)].T.astype(np.float32)
    drawn = 1.0 - 2.0 * generator.integers(2, size=(n, MOST_FLIPS))
    drawn[:, 0] = 1.0  # the observed one
    return drawn.astype(np.float32)


def _unit(differences: NDArray[np.float64]) -> NDArray[np.float32]:
    size = np.sqrt(np.square(differences).sum(1, keepdims=True))
    unit: NDArray[np.float32] = (differences / size).astype(np.float32)
    return unit


def _scaled(column: int) -> list[float]:
    return [row[column] * math.sqrt(n) for n, row in zip(SEEDS, FOUND, strict=True)]
