"""The sign-flip test against a loop over all signs, exact error rates, and scipy."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from tfkd.study.statistics.differences import PairedDifference, paired_difference


def compare(differences: Any, **options: Any) -> PairedDifference:
    return paired_difference(differences, np.zeros(len(differences)), **options)


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


@pytest.mark.parametrize("n", [2, 3, 5, 10, 13])
def test_sign_flip_p_is_scipys(n: int) -> None:
    differences = np.random.default_rng(n).normal(0.4, 1.0, size=n)
    theirs = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=np.inf, vectorized=True
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


def p_of_one_stream(differences: NDArray[np.float64], seed: int) -> float:
    """p of the signs that one generator draws."""
    n, resamples, generator = len(differences), 9999, np.random.default_rng(seed)
    signs = 1 - 2 * generator.integers(2, size=(resamples, n))
    as_large = np.abs(signs @ differences) >= abs(differences.sum()) - 1e-12
    return float((as_large.sum() + 1) / (resamples + 1))


@pytest.mark.parametrize("n", [15, 20, 300])
@pytest.mark.parametrize("seed", [0, 3])
def test_sampled_p_is_that_of_one_stream(n: int, seed: int) -> None:
    generator = np.random.default_rng(n)
    for differences in (
        generator.normal(0.3 / np.sqrt(n), 1.0, size=n),
        np.full(n, 0.25),
        generator.normal(0.3 / np.sqrt(n), 1.0, size=n),
    ):
        assert compare(differences, seed=seed).p_value == p_of_one_stream(differences, seed)


def test_sampled_p_is_near_scipys() -> None:
    differences = np.random.default_rng(7).normal(0.25, 1.0, size=30)
    theirs = stats.permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        random_state=np.random.default_rng(5),
    ).pvalue
    assert 0.05 < theirs < 0.5
    # The difference of two estimates of one p, each of 9999 flips.
    spread = math.sqrt(2 * theirs * (1 - theirs) / 9999)
    assert compare(differences).p_value == pytest.approx(theirs, abs=4 * spread)
