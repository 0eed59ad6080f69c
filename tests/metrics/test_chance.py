"""The band of a calibration error: chance as exact binomials have it, interval as scipy has it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from tfkd.metrics import (
    calibration_band,
    expected_calibration_error,
    smooth_calibration_error,
)


def of_one_confidence(confidence, right, count):
    logits = torch.tensor([[confidence, 1.0 - confidence]] * count, dtype=torch.float64).log()
    return logits, torch.tensor([0] * right + [1] * (count - right))


@pytest.mark.parametrize("num_bins", [None, 15])
def test_of_one_confidence_it_is_the_binomial(num_bins):
    """There both errors are |share that is right − confidence|."""
    count, right, confidence = 400, 300, 0.9
    both = of_one_confidence(confidence, right, count)
    found = calibration_band(*both, num_bins=num_bins, draws=400)
    assert found.value == pytest.approx(0.15, abs=1e-7)
    binomial = stats.binom(count, confidence)
    distance = np.abs(np.arange(count + 1) / count - confidence)
    nearer = [binomial.pmf(np.arange(count + 1))[distance <= d].sum() for d in distance]
    chance = min(d for d, share in zip(distance, nearer, strict=True) if share >= 0.95)
    assert found.chance == pytest.approx(chance, abs=4.1 / count)
    again = stats.binom(count, right / count)
    low, high = (confidence - again.ppf([0.975, 0.025]) / count).tolist()
    # Basic: the quantiles turned over at the value.
    assert found.low == pytest.approx(2 * 0.15 - high, abs=8.1 / count)
    assert found.high == pytest.approx(2 * 0.15 - low, abs=8.1 / count)


def test_a_calibrated_network_is_seldom_above_chance(chance):
    above = 0
    for _ in range(40):
        confidence = torch.tensor([0.5 + 0.5 * chance.random() for _ in range(150)]).double()
        labels = torch.tensor([0 if chance.random() < c else 1 for c in confidence.tolist()])
        logits = torch.stack([confidence, 1 - confidence], 1).log()
        found = calibration_band(logits, labels, num_bins=15, draws=100)
        assert found.value == expected_calibration_error(logits, labels)
        above += found.value > found.chance
    # Binomial of 40 at 0.05: more than 7 in one of 5,000 tests.
    assert above <= 7


def test_the_same_seed_draws_the_same():
    logits, labels = of_one_confidence(0.8, 50, 100)
    logits = logits + torch.linspace(0.0, 1.0, 100).double()[:, None] * torch.tensor([1.0, 0.0])
    found = calibration_band(logits, labels, draws=20)
    assert found == calibration_band(logits, labels, draws=20)
    assert found != calibration_band(logits, labels, draws=20, seed=1)
    assert found.value == smooth_calibration_error(logits, labels)
    assert 0.0 <= found.low <= found.high <= 1.0


def test_wrong_options_are_refused():
    logits, labels = of_one_confidence(0.8, 5, 10)
    with pytest.raises(ValueError, match="`draws` of at least 20"):
        calibration_band(logits, labels, draws=1)
    with pytest.raises(ValueError, match="`num_bins` of at least 1"):
        calibration_band(logits, labels, num_bins=0)
