"""What so many seeds can find, against studies that are simulated anew and tested in full."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from tfkd.study.statistics.differences import describe, pair, paired_difference
from tfkd.study.statistics.family import max_t
from tfkd.study.statistics.power import (
    least_seeds,
    measure_spreads_found,
    seeds_for_equivalence,
    seeds_needed,
    spreads_found,
)
from tfkd.study.statistics.power_table import CLAIMS, FOUND, SEEDS
from tfkd.study.statistics.sign_flip import smallest_p


@pytest.mark.parametrize(("n", "columns"), [(6, 4), (8, 6), (11, 3), (20, 2)])
def test_the_table_is_what_is_measured(n: int, columns: int) -> None:
    measured = measure_spreads_found(n, CLAIMS[:columns], studies=2000, seed=7)
    entries = FOUND[SEEDS.index(n)][:columns]
    assert measured == pytest.approx(entries, rel=0.06)


@pytest.mark.parametrize(("n", "claims"), [(6, 1), (8, 6), (9, 5), (10, 3), (13, 7)])
def test_what_is_found_is_found_in_four_studies_of_five(n: int, claims: int) -> None:
    """By the functions that make the verdicts, all steps of them."""
    generator, studies, found = np.random.default_rng(n), 300, 0
    for _ in range(studies):
        values = generator.standard_normal((claims, n))
        values[0] += spreads_found(n, claims)
        family = [pair(each, np.zeros(n)) for each in values]
        found += max_t(family)[0] <= 0.05 and describe(family[0]).low > 0.0
    assert found / studies == pytest.approx(0.8, abs=4 * math.sqrt(0.16 / studies))


def test_with_many_seeds_it_is_the_t_tests() -> None:
    n = 100
    shift = spreads_found(n) * math.sqrt(n)
    assert stats.nct.sf(stats.t.ppf(0.975, n - 1), n - 1, shift) == pytest.approx(0.8, abs=0.02)
    assert spreads_found(400) == pytest.approx(spreads_found(100) / 2)


def test_more_seeds_find_more_and_more_claims_less() -> None:
    for n in (*range(6, 31), 50, 99, 100, 150):
        found = [spreads_found(n, claims) for claims in (*range(1, 20), 39, 40, 41, 80)]
        assert found == sorted(found)
        assert spreads_found(n + 1, 5) < spreads_found(n, 5)


def test_six_seeds_find_that_all_of_them_have_one_sign() -> None:
    """Their p is 2/64 then, and 4/64 at least otherwise."""
    found = spreads_found(6)
    power = stats.norm.cdf(found) ** 6 + stats.norm.cdf(-found) ** 6
    assert 0.8 <= power < 0.84  # the interval asks for a little more


@pytest.mark.parametrize("level", [0.5, 0.05, 0.0083, 1e-4])
def test_the_least_seeds_are_the_first_that_reach_a_level(level: float) -> None:
    n = least_seeds(level)
    assert smallest_p(n) <= level < smallest_p(n - 1)


@pytest.mark.parametrize("claims", [1, 6, 100])
def test_fewer_than_six_seeds_find_nothing_however_large(claims: int) -> None:
    assert math.isinf(spreads_found(5, claims))
    assert math.isfinite(spreads_found(6, claims))
    assert seeds_needed(100.0, 1e-9, claims=claims) == 6
    assert seeds_needed(0.1, 0.0, claims=claims) == 6


@pytest.mark.parametrize(("difference", "sd", "claims"), [(0.5, 1.0, 1), (-0.02, 0.03, 6)])
def test_seeds_needed_are_the_first_that_find_it(difference: float, sd: float, claims: int) -> None:
    n = seeds_needed(difference, sd, claims=claims)
    assert n is not None
    assert spreads_found(n, claims) * sd <= abs(difference) < spreads_found(n - 1, claims) * sd


def test_too_many_seeds_are_none() -> None:
    assert seeds_needed(0.5, 1.0, maximum=34) == 34
    assert seeds_needed(0.5, 1.0, maximum=33) is None
    assert seeds_needed(0.0, 1.0) is None
    assert seeds_needed(1e-6, 1.0) is None
    assert seeds_for_equivalence(1.0, 1e-6) is None


@pytest.mark.parametrize("sd", [0.1, 0.3])
def test_seeds_for_equivalence_show_it_in_four_studies_of_five(sd: float) -> None:
    n = seeds_for_equivalence(sd, 0.2)
    assert n is not None

    def shown(n: int) -> float:
        values = np.random.default_rng(1).normal(0.0, sd, size=(4000, n))
        interval = stats.ttest_1samp(values, 0.0, axis=1).confidence_interval(0.95)
        return float(np.mean((interval.low >= -0.2) & (interval.high <= 0.2)))

    assert shown(n - 2) - 0.025 < 0.8 < shown(n) + 0.025
    assert seeds_for_equivalence(0.0, 0.2) == 3


@pytest.mark.parametrize("true", [0.2, 0.3])
@pytest.mark.parametrize("n", [3, 5, 10])
def test_a_difference_worth_having_is_said_to_be_none_in_at_most_3_studies_of_100(
    n: int, true: float
) -> None:
    generator, studies, wrong = np.random.default_rng(n), 1500, 0
    for sd in (0.03, 0.1, 0.3):
        for values in generator.normal(true, sd, size=(studies // 3, n)):
            found = paired_difference(values, np.zeros(n), resamples=1)
            wrong += found.low >= -0.2 and found.high <= 0.2
    assert wrong / studies <= 0.025 + 4 * math.sqrt(0.025 / studies)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: seeds_needed(math.nan, 1.0), ValueError, "`difference`"),
        (lambda: seeds_needed(0.1, -1.0), ValueError, "`sd`"),
        (lambda: seeds_needed(0.1, math.nan), ValueError, "`sd`"),
        (lambda: seeds_needed(0.1, 1.0, claims=0), ValueError, "`claims`"),
        (lambda: spreads_found(0), ValueError, "`n`"),
        (lambda: least_seeds(0.0), ValueError, "`level`"),
        (lambda: seeds_for_equivalence(-1.0, 0.2), ValueError, "`sd`"),
        (lambda: seeds_for_equivalence(1.0, 0.0), ValueError, "`worthwhile`"),
    ],
)
def test_wrong_input_is_refused(
    call: Callable[[], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()
