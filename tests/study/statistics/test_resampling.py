"""Drawing once for all samples of one size changes no number: against drawing anew each time."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from tfkd.study.statistics.differences import paired_difference

RESAMPLES = 9999


def drawn_anew(differences: NDArray[np.float64], seed: int) -> tuple[float, float, float]:
    """Ends of scipy's interval, and p of the signs that the same generator draws behind it."""
    n, generator = len(differences), np.random.default_rng(seed)
    low = high = differences[0]
    if np.ptp(differences) > 0.0:
        low, high = stats.bootstrap(
            (differences,),
            np.mean,
            n_resamples=RESAMPLES,
            method="BCa",
            random_state=generator,
        ).confidence_interval
    signs = 1 - 2 * generator.integers(2, size=(RESAMPLES, n))
    as_large = np.abs(signs @ differences) >= abs(differences.sum()) - 1e-12
    return low, high, (as_large.sum() + 1) / (RESAMPLES + 1)


@pytest.mark.parametrize("n", [15, 20, 300])
@pytest.mark.parametrize("seed", [0, 3])
def test_interval_and_p_are_those_of_one_stream_drawn_anew(n: int, seed: int) -> None:
    generator = np.random.default_rng(n)
    samples = [
        generator.normal(0.3 / np.sqrt(n), 1.0, size=n),
        np.full(n, 0.25),
        generator.normal(0.3 / np.sqrt(n), 1.0, size=n),
    ]
    for differences in samples:
        result = paired_difference(differences, np.zeros(n), seed=seed)
        low, high, p_value = drawn_anew(differences, seed)
        # scipy 1.14 weighs the nearest two resamples with another rounding.
        assert (result.low, result.high) == pytest.approx((low, high), rel=1e-13, abs=1e-15)
        assert result.p_value == p_value
