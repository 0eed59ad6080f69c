"""The statistics against scipy, worked examples, and simulated studies."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from tfkd.study.statistics.differences import (
    Paired,
    PairedDifference,
    Summary,
    describe,
    pair,
    paired_difference,
    summarise,
)


def compare(differences: Any, **options: Any) -> PairedDifference:
    return paired_difference(differences, np.zeros(len(differences)), **options)


def test_summary_by_hand() -> None:
    assert summarise([1, 2, 6]) == Summary(n=3, mean=3.0, sd=math.sqrt(7.0))


def test_one_seed_has_no_sd() -> None:
    summary = summarise([0.5])
    assert (summary.n, summary.mean) == (1, 0.5)
    assert math.isnan(summary.sd)


def test_mean_and_sd_are_of_the_differences() -> None:
    generator = np.random.default_rng(0)
    easy = generator.normal(size=9)  # what the seeds share cancels
    result = paired_difference(easy + np.arange(9) / 10, easy)
    assert result.n == 9
    assert result.mean == pytest.approx(0.4, abs=1e-12)
    assert result.sd == pytest.approx(math.sqrt(60 / 8) / 10, abs=1e-12)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize("n", [3, 5, 10, 40])
def test_interval_is_scipys(n: int, confidence: float) -> None:
    differences = np.random.default_rng(n).exponential(size=n) - 0.3
    theirs = stats.ttest_1samp(differences, 0.0).confidence_interval(confidence)
    result = compare(differences, confidence=confidence)
    assert (result.low, result.high) == pytest.approx((theirs.low, theirs.high), rel=1e-12)


def test_interval_by_hand() -> None:
    # Mean 3, sd 1; t of 2 degrees of freedom and 97.5 % is 4.302653.
    result = compare([2.0, 3.0, 4.0])
    assert (result.low, result.high) == pytest.approx((0.5159, 5.4841), abs=1e-4)


def test_two_seeds_have_a_spread_and_no_interval() -> None:
    result = compare([1.64, 1.65])
    assert result.sd > 0.0
    assert not result.has_interval
    assert math.isnan(result.low) and math.isnan(result.high)
    assert compare([1.64, 1.65, 1.66]).has_interval


def normal(generator: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    return generator.standard_normal(shape)


def skewed(generator: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Exponential, of mean 0: a skewness of 2."""
    return generator.standard_exponential(shape) - 1.0


@pytest.mark.parametrize(
    ("draw", "n", "covers"),
    [
        (normal, 3, 0.95),
        (normal, 5, 0.95),
        (normal, 10, 0.95),
        # As measured with 10⁶ studies, by scipy.
        (skewed, 3, 0.882),
        (skewed, 5, 0.883),
        (skewed, 10, 0.901),
    ],
)
def test_interval_covers_the_truth(
    draw: Callable[[np.random.Generator, tuple[int, int]], NDArray[np.float64]],
    n: int,
    covers: float,
) -> None:
    studies = 2000
    differences = draw(np.random.default_rng(n), (studies, n))
    found = [describe(Paired(tuple(range(n)), each, 0.0), resamples=1) for each in differences]
    hits = np.mean([each.low <= 0.0 <= each.high for each in found])
    assert hits == pytest.approx(covers, abs=4 * math.sqrt(covers * (1 - covers) / studies))


def test_resampling_is_by_seed() -> None:
    differences = np.random.default_rng(6).normal(0.3, 1.0, size=15)
    assert compare(differences, seed=1) == compare(differences, seed=1)
    assert compare(differences, seed=1) != compare(differences, seed=2)


def test_one_seed_says_nothing_about_spread() -> None:
    result = paired_difference([0.72], [0.70])
    assert result.mean == pytest.approx(0.02)
    assert all(math.isnan(x) for x in (result.sd, result.low, result.high))
    assert (result.p_value, result.smallest_p) == (1.0, 1.0)


def test_equal_differences_have_no_width_in_spite_of_rounding() -> None:
    baseline = np.array([0.1, 0.2, 0.3, 0.7, 0.9])
    values = baseline + 0.1
    assert len(set(values - baseline)) > 1
    result = paired_difference(values, baseline)
    assert result.low == result.mean == result.high == pytest.approx(0.1)
    assert (result.sd, result.p_value) == (0.0, 0.0625)
    nothing = paired_difference(baseline, baseline)
    assert (nothing.mean, nothing.low, nothing.high, nothing.p_value) == (0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: summarise([]), ValueError, "`values`"),
        (lambda: summarise([0.1, math.nan]), ValueError, "`values` to be finite"),
        (lambda: summarise(["a"]), TypeError, "`values`"),  # type: ignore[list-item]
        (lambda: paired_difference([1.0, 2.0], [1.0]), ValueError, "`baseline` of the 2 seeds"),
        (lambda: paired_difference([1.0], [math.inf]), ValueError, "`baseline`"),
        (lambda: compare([1.0, 2.0], confidence=1.0), ValueError, "`confidence`"),
        (lambda: compare([1.0, 2.0], confidence="high"), TypeError, "`confidence`"),
        (lambda: compare([1.0, 2.0], resamples=0), ValueError, "`resamples`"),
        (lambda: pair([1.0, 2.0], [1.0, 2.0], seeds=[3]), ValueError, "`seeds` of the 2"),
        (lambda: pair([1.0, 2.0], [1.0, 2.0], seeds=[3, 3]), ValueError, "`seeds` of the 2"),
    ],
)
def test_wrong_input_is_refused(
    call: Callable[[], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()
