"""The statistics against scipy, exact enumeration, worked examples, and simulated studies."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from tfkd.study.statistics.differences import (
    PairedDifference,
    Summary,
    holm,
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


def bca_by_enumeration(values: NDArray[np.float64], confidence: float) -> list[float]:
    """Efron's interval of the mean from all nⁿ resamples."""
    n = len(values)
    means = np.sort([np.mean(resample) for resample in product(values, repeat=n)])
    middle = values.mean()
    below = (np.sum(means < middle - 1e-12) + np.sum(means <= middle + 1e-12)) / (2 * len(means))
    bias = stats.norm.ppf(below)
    left_out = np.array([np.delete(values, i).mean() for i in range(n)])
    pull = left_out.mean() - left_out
    acceleration = np.sum(pull**3) / (6 * np.sum(pull**2) ** 1.5)
    ends = []
    for tail in ((1 - confidence) / 2, (1 + confidence) / 2):
        z = bias + stats.norm.ppf(tail)
        ends.append(np.quantile(means, stats.norm.cdf(bias + z / (1 - acceleration * z))))
    return ends


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_interval_is_bca(confidence: float) -> None:
    differences = np.random.default_rng(4).exponential(size=6) - 0.3  # skewed
    result = compare(differences, confidence=confidence, resamples=50_000)
    expected = bca_by_enumeration(differences, confidence)
    assert [result.low, result.high] == pytest.approx(expected, abs=0.02 * result.sd)
    percentile = np.quantile(
        [np.mean(resample) for resample in product(differences, repeat=6)], (1 + confidence) / 2
    )
    assert abs(percentile - expected[1]) > 0.05 * result.sd  # a plain bootstrap would not pass


def test_differences_too_small_to_be_cubed_have_no_interval() -> None:
    result = compare([1e-120, 2e-120, 4e-120], resamples=999)
    assert math.isnan(result.low)
    assert math.isnan(result.high)
    assert result.p_value == 0.25


@pytest.mark.parametrize("n", [2, 3, 10, 30, 300])
def test_interval_is_scipys(n: int) -> None:
    differences = np.random.default_rng(n).exponential(size=n)
    theirs = stats.bootstrap(
        (differences,), np.mean, method="BCa", random_state=np.random.default_rng(3)
    ).confidence_interval
    result = compare(differences, seed=3)
    assert (result.low, result.high) == pytest.approx((theirs.low, theirs.high), rel=1e-13)


def test_interval_covers_a_known_difference() -> None:
    # BCa of the mean covers about 93 % here. Four standard errors of 300 studies are 6 %.
    generator = np.random.default_rng(5)
    hits = 0
    for study in range(300):
        base = generator.normal(size=20)
        result = paired_difference(
            base + generator.normal(0.5, 1.0, size=20), base, resamples=999, seed=study
        )
        hits += result.low <= 0.5 <= result.high
    assert 0.87 <= hits / 300 <= 0.985


def test_resampling_is_by_seed() -> None:
    differences = np.random.default_rng(6).normal(size=15)
    assert compare(differences, seed=1) == compare(differences, seed=1)
    assert compare(differences, seed=1) != compare(differences, seed=2)


def test_one_seed_says_nothing_about_spread() -> None:
    result = paired_difference([0.72], [0.70])
    assert result.mean == pytest.approx(0.02)
    assert all(math.isnan(x) for x in (result.sd, result.low, result.high, result.detectable))
    assert (result.p_value, result.smallest_p) == (1.0, 1.0)


def test_equal_differences_have_no_width_in_spite_of_rounding() -> None:
    baseline = np.array([0.1, 0.2, 0.3, 0.7, 0.9])
    values = baseline + 0.1
    assert len(set(values - baseline)) > 1
    result = paired_difference(values, baseline)
    assert result.low == result.mean == result.high == pytest.approx(0.1)
    assert (result.sd, result.detectable, result.p_value) == (0.0, 0.0, 0.0625)
    nothing = paired_difference(baseline, baseline)
    assert (nothing.mean, nothing.low, nothing.high, nothing.p_value) == (0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_few_and_coarse_differences_have_an_interval(n: int) -> None:
    generator = np.random.default_rng(n)
    for _ in range(20):
        result = compare(generator.integers(-2, 3, size=n) / 100, resamples=499)
        assert result.low <= result.mean <= result.high


def test_holm_by_hand() -> None:
    # Sorted .005 .01 .03 .04, times 4 3 2 1: .02 .03 .06 .04, and never falling: the last is .06.
    adjusted = holm([0.01, 0.04, 0.03, 0.005])
    assert adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_is_capped_and_leaves_nan_out() -> None:
    adjusted = holm([math.nan, 0.6, 0.02, math.nan, 0.7])
    assert adjusted[1:3] + adjusted[4:] == pytest.approx([1.0, 0.06, 1.0])
    assert math.isnan(adjusted[0])
    assert math.isnan(adjusted[3])
    assert holm([]) == []
    assert holm([0.04]) == [0.04]


def test_holm_keeps_the_family_wise_error_rate() -> None:
    p_values = np.random.default_rng(9).uniform(size=(4000, 5))
    wrong = np.mean([min(holm(row.tolist())) <= 0.1 for row in p_values])
    assert wrong == pytest.approx(1 - 0.98**5, abs=4 * math.sqrt(0.09 / 4000))


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
        (lambda: holm([0.5, 1.5]), ValueError, "`p_values`"),
        (lambda: holm(["a"]), TypeError, "`p_values`"),  # type: ignore[list-item]
    ],
)
def test_wrong_input_is_refused(
    call: Callable[[], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()
