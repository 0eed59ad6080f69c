"""SmoothECE against the sum over reflections, root and integral by scipy, and against relplot."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from tfkd.metrics import all_metrics, expected_calibration_error, smooth_calibration_error

CELLS = 20_000
FINEST = 2.0**-11


def two_classes(confidence, right):
    """Logits whose largest probability, of class 0, is the confidence; float64."""
    confidence = torch.tensor(confidence, dtype=torch.float64)
    labels = torch.tensor([0 if hit else 1 for hit in right])
    return torch.stack([confidence, 1.0 - confidence], 1).log(), labels


def by_reflections(confidence, right):
    """The definition: Gaussians and their mirror images at 0 and 1, summed one by one."""
    gap = np.asarray(right, dtype=np.float64) - confidence
    points = (np.arange(CELLS) + 0.5) / CELLS

    def smoothed(sigma):
        total = np.zeros(CELLS)
        reach = math.ceil(5 * sigma) + 1
        for turn in range(-reach, reach + 1):
            for images in (confidence + 2 * turn, 2 * turn - confidence):
                for place, weight in zip(images, gap, strict=True):
                    if abs(place - 0.5) < 0.5 + 9 * sigma:
                        total += weight * np.exp(-0.5 * ((points - place) / sigma) ** 2)
        return np.abs(total).mean() / (sigma * math.sqrt(2 * math.pi) * len(gap))

    if smoothed(FINEST) <= FINEST:
        return smoothed(FINEST)
    return brentq(lambda sigma: smoothed(sigma) - sigma, FINEST, 1.0, xtol=1e-7)


def draw(chance, count, *, power=1.0, ends=6.0):
    """Confidences from 0.5 to 1, right with probability confidence ** power."""
    confidence = np.array([0.5 + 0.5 * chance.betavariate(ends, 1.0) for _ in range(count)])
    return confidence, [chance.random() < value**power for value in confidence]


@pytest.mark.parametrize(("count", "power"), [(1, 1.0), (12, 1.0), (40, 2.5), (80, 0.8)])
def test_it_is_the_sum_over_reflections(chance, count, power):
    confidence, right = draw(chance, count, power=power)
    found = smooth_calibration_error(*two_classes(confidence, right))
    assert found == pytest.approx(by_reflections(confidence, right), rel=2e-5, abs=1e-7)


def test_who_is_sure_counts_as_much_as_others():
    """relplot 1.0 counts a confidence of 1 by half: 0.157 here."""
    confidence = np.array([1.0] * 30 + [0.9] * 20)
    right = [True] * 27 + [False] * 3 + [True] * 14 + [False] * 6
    found = smooth_calibration_error(*two_classes(confidence, right))
    assert found == pytest.approx(by_reflections(confidence, right), rel=2e-5)
    # So near one another that all lie on one side: as much as they are off in the mean.
    assert found == pytest.approx((0.1 * 30 + 0.2 * 20) / 50)


def test_below_the_finest_bandwidth_it_is_what_that_leaves():
    # Ties of right and wrong that cancel but for one part in 1,000.
    confidence, right = np.full(1000, 0.749), [True] * 750 + [False] * 250
    assert smooth_calibration_error(*two_classes(confidence, right)) == pytest.approx(0.001)
    confidence = np.full(1000, 0.7499)
    # The mean is left by any bandwidth.
    assert smooth_calibration_error(*two_classes(confidence, right)) == pytest.approx(0.0001)
    confidence = np.concatenate([np.full(1000, 0.74995), np.full(1000, 0.75005)])
    found = smooth_calibration_error(*two_classes(confidence, right * 2))
    assert 0.0 <= found < FINEST


def test_it_is_relplots_but_for_their_grid(chance):
    relplot = pytest.importorskip("relplot", exc_type=ImportError)
    for count, power, ends in ((30, 1.0, 3.0), (300, 2.0, 6.0), (3000, 1.2, 9.0), (3000, 1.0, 2.0)):
        confidence, right = draw(chance, count, power=power, ends=ends)
        theirs = relplot.smECE(confidence, np.array(right, dtype=np.float64))
        # They halve the range of bandwidths ten times, and add 1e-4 to the density.
        found = smooth_calibration_error(*two_classes(confidence, right))
        assert found == pytest.approx(theirs, abs=1.5e-3)


def test_of_one_confidence_it_is_the_error_in_bins(chance):
    for confidence in (0.5, 0.61, 0.999, 1.0):
        right = [chance.random() < 0.7 for _ in range(50)]
        both = two_classes(np.full(50, confidence), right)
        assert smooth_calibration_error(*both) == pytest.approx(expected_calibration_error(*both))


def test_it_moves_little_where_confidence_does(chance):
    """Unlike the error in bins: there a hair's breadth over an edge moves a whole sample."""
    confidence, right = draw(chance, 60)
    moved = np.clip(confidence + 1e-4, 0.0, 1.0)
    found, after = (smooth_calibration_error(*two_classes(c, right)) for c in (confidence, moved))
    # The distance to calibration, of which it is a constant factor, moves by no more.
    assert abs(found - after) < 5e-4


def test_neither_order_nor_names_of_classes_are_of_account(chance):
    generator = torch.Generator().manual_seed(chance.randrange(1 << 32))
    logits = 3.0 * torch.randn(70, 6, generator=generator)
    labels = torch.randint(6, (70,), generator=generator)
    found = smooth_calibration_error(logits, labels)
    order, names = torch.randperm(70, generator=generator), torch.randperm(6, generator=generator)
    renamed = smooth_calibration_error(logits[order][:, names.argsort()], names[labels][order])
    assert renamed == pytest.approx(found, rel=1e-9)
    assert all_metrics(logits, labels)["smooth_ece"] == found
