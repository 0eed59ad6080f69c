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
    seeds_needed,
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


def sign_flip_by_loop(differences: list[int]) -> float:
    """In integers, so that ties are ties."""
    observed = abs(sum(differences))
    flips = list(product((1, -1), repeat=len(differences)))
    sums = [sum(s * d for s, d in zip(signs, differences, strict=True)) for signs in flips]
    return sum(abs(s) >= observed for s in sums) / len(flips)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 11])
def test_sign_flip_p_is_the_loop_over_all_signs(n: int) -> None:
    generator = np.random.default_rng(n)
    for _ in range(5):
        # Accuracies on 10,000 samples: their differences tie, but for rounding.
        values = generator.integers(7000, 7010, size=n)
        baseline = generator.integers(7000, 7006, size=n)
        result = paired_difference(values / 10_000, baseline / 10_000, resamples=199)
        assert result.p_value == sign_flip_by_loop((values - baseline).tolist())


def test_sign_flip_p_is_scipys() -> None:
    differences = np.random.default_rng(1).normal(0.4, 1.0, size=10)
    theirs = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert compare(differences).p_value == pytest.approx(theirs.pvalue, abs=1e-12)


def test_exact_sign_flip_keeps_its_level() -> None:
    # Under the null hypothesis all 2⁸ signs are equally likely, so this is the exact error rate.
    sizes = np.random.default_rng(2).exponential(size=8)
    p_values = [
        compare(sizes * np.array(signs), resamples=99).p_value
        for signs in product((1.0, -1.0), repeat=8)
    ]
    for level in (2 / 256, 0.05, 0.1, 0.5):
        assert sum(p <= level for p in p_values) == math.floor(level * 128) * 2
    assert min(p_values) == compare(sizes).smallest_p


def test_sampled_sign_flip_p_is_near_the_exact_one() -> None:
    differences = np.random.default_rng(3).normal(0.7, 1.0, size=16)
    result = compare(differences, resamples=19_999)
    sums = np.zeros(1)
    for d in differences:
        sums = np.concatenate([sums + d, sums - d])
    exact = np.mean(np.abs(sums) >= abs(differences.sum()) - 1e-12)
    assert 0.05 < exact < 0.5
    assert result.p_value == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 19_999))
    assert result.p_value != exact


@pytest.mark.parametrize(
    ("n", "resamples", "expected"),
    [
        (1, 9999, 1.0),
        (3, 9999, 0.25),
        (5, 9999, 0.0625),
        (6, 9999, 0.03125),
        (14, 99, 2 / 2**14),
        (15, 99, 0.01),
        (15, 20_000, 2 / 2**15),
    ],
)
def test_smallest_p_is_that_of_equal_signs(n: int, resamples: int, expected: float) -> None:
    result = compare(np.full(n, 0.3), resamples=resamples)
    assert result.smallest_p == expected
    if n <= 14 or resamples == 99:
        assert result.p_value == pytest.approx(expected, rel=0.1)


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


@pytest.mark.parametrize("n", [3, 5, 10, 40])
def test_detectable_has_power_of_four_in_five(n: int) -> None:
    differences = np.random.default_rng(7).normal(0.1, 1.3, size=n)
    result = compare(differences, resamples=99)
    critical = stats.t.ppf(0.975, n - 1)
    noncentrality = result.detectable * math.sqrt(n) / result.sd
    # The lower tail is below 1e-4 here.
    power = stats.nct.sf(critical, n - 1, noncentrality)
    assert power == pytest.approx(0.8, abs=1e-4)


def test_detectable_of_two_seeds_by_simulation() -> None:
    result = compare([0.0, math.sqrt(2.0)], resamples=99)  # sd 1
    data = np.random.default_rng(8).normal(result.detectable, 1.0, size=(20_000, 2))
    found = stats.ttest_1samp(data, 0.0, axis=1).pvalue <= 0.05
    assert found.mean() == pytest.approx(0.8, abs=4 * math.sqrt(0.16 / 20_000))


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
    ("difference", "sd", "power", "level"),
    [(0.5, 1.0, 0.8, 0.05), (-0.02, 0.03, 0.9, 0.05), (1.0, 1.0, 0.8, 0.01), (0.1, 1.0, 0.5, 0.1)],
)
def test_seeds_needed_is_the_first_with_that_power(
    difference: float, sd: float, power: float, level: float
) -> None:
    def power_of(n: int) -> float:
        critical, shift = stats.t.isf(level / 2, n - 1), abs(difference) / sd * math.sqrt(n)
        lower = stats.nct.cdf(-critical, n - 1, shift)
        return float(stats.nct.sf(critical, n - 1, shift) + np.nan_to_num(lower))

    n = seeds_needed(difference, sd, power=power, level=level)
    assert n is not None
    assert power_of(n) >= power > power_of(n - 1)
    assert 2 / 2**n <= level


def test_seeds_needed_have_their_power_in_simulated_studies() -> None:
    n = seeds_needed(0.9, 1.0)
    assert n is not None
    data = np.random.default_rng(10).normal(0.9, 1.0, size=(20_000, n))
    found = np.mean(stats.ttest_1samp(data, 0.0, axis=1).pvalue <= 0.05)
    assert 0.8 - 4 * math.sqrt(0.16 / 20_000) <= found < 0.85


@pytest.mark.parametrize(("level", "expected"), [(0.05, 6), (0.0625, 5), (0.01, 8), (0.5, 2)])
@pytest.mark.parametrize("sd", [0.0, 1e-9])
def test_seeds_needed_let_the_sign_flip_test_reach_the_level(
    sd: float, level: float, expected: int
) -> None:
    assert seeds_needed(0.1, sd, level=level) == expected


def test_too_many_seeds_are_none() -> None:
    assert seeds_needed(0.5, 1.0, maximum=34) == 34
    assert seeds_needed(0.5, 1.0, maximum=33) is None
    assert seeds_needed(0.0, 1.0) is None
    assert seeds_needed(1e-6, 1.0) is None


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
        (lambda: seeds_needed(math.nan, 1.0), ValueError, "`difference`"),
        (lambda: seeds_needed(0.1, -1.0), ValueError, "`sd`"),
        (lambda: seeds_needed(0.1, math.nan), ValueError, "`sd`"),
        (lambda: seeds_needed(0.1, 1.0, power=1.0), ValueError, "`power`"),
        (lambda: seeds_needed(0.1, 1.0, level=0.0), ValueError, "`level`"),
    ],
)
def test_wrong_input_is_refused(
    call: Callable[[], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()
