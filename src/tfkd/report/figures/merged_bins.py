"""Bins of confidence that hold images enough to say something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tfkd.report.predictions import BINS, Bins
from tfkd.report.wilson import wilson

LEAST_IMAGES = 20
"""Of one network, in a bin; the accuracy on fewer is chance."""


class MergedBin(NamedTuple):
    """Neighbouring bins of the ECE, taken together.

    Attributes:
        low: lower edge, a probability.
        high: upper edge.
        images: how many there are for one network, in the mean over seeds.
        confidence: mean.
        accuracy: share that is right.
        interval: Wilson's 95 % interval of the accuracy on as many images as one network has: those
            of all seeds are the same images, so that more seeds do not make it shorter.
    """

    low: float
    high: float
    images: float
    confidence: float
    accuracy: float
    interval: tuple[float, float]

    @property
    def gap(self) -> float:
        """Accuracy minus confidence, in points."""
        return 100.0 * (self.accuracy - self.confidence)

    @property
    def gap_interval(self) -> tuple[float, float]:
        """The interval, of the gap."""
        low, high = (100.0 * (end - self.confidence) for end in self.interval)
        return low, high


def merged(found: Sequence[Bins]) -> list[MergedBin]:
    """Merge each bin with those above it until it has `LEAST_IMAGES`, the last with those below.

    Args:
        found: the bins of each seed.

    Example:
        >>> import numpy as np
        >>> count = np.array([0, 5, 0, 30, 1000, 3] + [0] * 9, dtype=float)
        >>> bins = merged([Bins(count, 0.5 * count, 0.4 * count)])
        >>> [(round(each.low, 2), round(each.high, 2), each.images) for each in bins]
        [(0.0, 0.27, 35.0), (0.27, 1.0, 1003.0)]
        >>> round(bins[1].gap, 6), [round(end, 2) for end in bins[1].gap_interval]
        (-10.0, [-13.01, -6.96])
    """
    count, confidence, correct = (sum(each) for each in zip(*found, strict=True))
    per_network = count / len(found)
    starts = [0]
    held = 0.0
    for place in range(BINS):
        held += per_network[place]
        if held >= LEAST_IMAGES and per_network[place + 1 :].sum() >= LEAST_IMAGES:
            starts.append(place + 1)
            held = 0.0
    merged_bins = []
    for start, end in zip(starts, [*starts[1:], BINS], strict=True):
        total, right = count[start:end].sum(), correct[start:end].sum()
        images = float(per_network[start:end].sum())
        merged_bins.append(
            MergedBin(
                start / BINS,
                end / BINS,
                images,
                float(confidence[start:end].sum() / total),
                float(right / total),
                wilson(round(right / len(found)), max(round(images), 1)),
            )
        )
    return merged_bins
