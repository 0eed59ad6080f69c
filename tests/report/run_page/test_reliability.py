"""Bins of equal mass: every image once, none of a handful, ties together."""

import itertools

import numpy as np
import pytest

from tfkd.report.run_page.reliability import LEAST_IMAGES, MOST_BINS, bins_of_equal_mass


def test_bins_hold_every_image_once_and_never_a_handful(chance, examples):
    for _ in range(examples):
        count = chance.randrange(1, 600)
        digits = chance.choice((1, 2, 9))
        confidence = np.array([round(chance.betavariate(4, 1), digits) for _ in range(count)])
        right = np.array([chance.random() < value for value in confidence])
        bins = bins_of_equal_mass(confidence, right)
        assert 1 <= len(bins) <= MOST_BINS
        assert sum(each.images for each in bins) == count
        for each, following in itertools.pairwise(bins):
            assert each.highest < following.lowest
        for each in bins:
            inside = (confidence >= each.lowest) & (confidence <= each.highest)
            assert each.images == inside.sum() >= min(LEAST_IMAGES, count)
            assert each.right == right[inside].sum()
            assert each.confidence == pytest.approx(confidence[inside].mean())
        order = np.array(chance.sample(range(count), count))
        for other, each in zip(
            bins_of_equal_mass(confidence[order], right[order]), bins, strict=True
        ):
            assert other == pytest.approx(each)


def test_without_ties_bins_are_of_equal_mass():
    confidence = np.linspace(0.2, 0.9, 150)
    bins = bins_of_equal_mass(confidence, np.ones(150, dtype=bool))
    assert [each.images for each in bins] == [21] * 6 + [24]
