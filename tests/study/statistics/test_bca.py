"""The BCa interval against scipy's, of the same resamples."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from tfkd.study.statistics.bca import bca_interval
from tfkd.study.statistics.resampling import resampled_means


def scipys(
    values: NDArray[np.float64], resampled: NDArray[np.float64], confidence: float
) -> tuple[float, float]:
    return stats.bootstrap(
        (values,),
        np.mean,
        confidence_level=confidence,
        n_resamples=0,
        method="BCa",
        bootstrap_result=SimpleNamespace(bootstrap_distribution=resampled),
    ).confidence_interval


@pytest.mark.parametrize("n", [2, 3, 5, 10, 100, 1000])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_interval_is_scipys(n: int, confidence: float) -> None:
    generator = np.random.default_rng(n)
    for values in (
        generator.normal(0.3, 1.0, size=n),
        generator.exponential(size=n) ** 2,  # far from symmetric
        1e6 + generator.integers(3, size=n).astype(float),  # many ties, far from 0
    ):
        values[0] += 1.0  # they vary
        for resamples in (99, 9999):
            resampled = resampled_means(values, resamples, seed=n)
            ours = bca_interval(values, resampled, confidence=confidence)
            expected = scipys(values, resampled, confidence)
            assert ours == pytest.approx(expected, rel=1e-14)


def test_resamples_on_one_side_of_the_mean_give_no_interval() -> None:
    values = np.array([0.0, 1.0, 5.0])
    for resampled in (np.zeros(9), np.full(9, 3.0)):
        assert all(math.isnan(end) for end in bca_interval(values, resampled, confidence=0.95))


def test_differences_too_small_to_be_cubed_have_no_interval():
    values = np.array([1e-120, 2e-120, 4e-120])
    resampled = np.random.default_rng(0).choice(values, (999, 3)).mean(1)
    assert all(math.isnan(end) for end in bca_interval(values, resampled, confidence=0.95))
