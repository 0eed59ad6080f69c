"""What so many seeds can find, against scipy and simulated studies."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from tfkd.study.statistics.power import (
    detectable_difference,
    least_seeds,
    seeds_needed,
    spreads_found,
)
from tfkd.study.statistics.sign_flip import sign_flip_p, smallest_p


@pytest.mark.parametrize("n", [3, 5, 10, 40])
def test_detectable_has_power_of_four_in_five(n: int) -> None:
    critical = stats.t.ppf(0.975, n - 1)
    noncentrality = detectable_difference(n, 1.3) * math.sqrt(n) / 1.3
    # The lower tail is below 1e-4 here.
    power = stats.nct.sf(critical, n - 1, noncentrality)
    assert power == pytest.approx(0.8, abs=1e-4)


def test_detectable_of_two_seeds_by_simulation() -> None:
    data = np.random.default_rng(8).normal(detectable_difference(2, 1.0), 1.0, size=(20_000, 2))
    found = stats.ttest_1samp(data, 0.0, axis=1).pvalue <= 0.05
    assert found.mean() == pytest.approx(0.8, abs=4 * math.sqrt(0.16 / 20_000))


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


def test_six_seeds_find_that_all_of_them_have_one_sign() -> None:
    """Their p is 2/64 then, and 4/64 at least otherwise."""
    found = spreads_found(6)
    power = stats.norm.cdf(found) ** 6 + stats.norm.cdf(-found) ** 6
    assert power == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize(("n", "level"), [(8, 0.05), (10, 0.05 / 6), (14, 0.05)])
def test_spreads_found_are_found_in_four_of_five_studies(n: int, level: float) -> None:
    generator = np.random.default_rng(1)
    studies = 400
    found = 0
    for _ in range(studies):
        differences = generator.standard_normal(n) + spreads_found(n, level)
        p = sign_flip_p(differences, tolerance=1e-9, resamples=1, generator=generator)
        found += p <= level
    assert found / studies == pytest.approx(0.8, abs=0.08)  # four standard errors


@pytest.mark.parametrize("level", [0.5, 0.05, 0.0083, 1e-4])
def test_the_least_seeds_are_the_first_that_reach_a_level(level: float) -> None:
    n = least_seeds(level)
    assert smallest_p(n) <= level < smallest_p(n - 1)
    assert math.isinf(spreads_found(n - 1, level))
    assert math.isfinite(spreads_found(n, level))
