"""Seeds times images, by hand and against studies in which both vary."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from tfkd.study.statistics.differences import paired_difference
from tfkd.study.statistics.images import seeds_and_images


def test_by_hand() -> None:
    # Means of the seeds ½, ¾, ¼, variance 1/16; of the images 1, 0, 1/3, 2/3, variance 5/27.
    # Squares of what is left over: 5/6, over 2 · 3.
    found = seeds_and_images(np.array([[1.0, 0, 0, 1], [1, 0, 1, 1], [1, 0, 0, 0]]))
    seeds, images, both = 1 / 48, 5 / 108, (5 / 6) / 6 / 12
    assert found.mean == 0.5
    assert found.by_seeds == pytest.approx(math.sqrt(seeds))
    assert found.by_images == pytest.approx(math.sqrt(images - both))
    assert found.variance == pytest.approx(seeds + images - both)
    df = found.variance**2 / (seeds**2 / 2 + images**2 / 3 + both**2 / 6)
    half = stats.t.ppf(0.975, df) * math.sqrt(found.variance)
    assert (found.low, found.high) == pytest.approx((0.5 - half, 0.5 + half))


def test_where_all_images_are_alike_it_is_the_interval_of_the_seeds() -> None:
    of_seeds = np.array([0.2, 0.5, 0.1, 0.4])
    found = seeds_and_images(np.repeat(of_seeds[:, None], 50, axis=1))
    ours = paired_difference(of_seeds, np.zeros(4))
    assert (found.low, found.high) == pytest.approx((ours.low, ours.high))
    assert found.by_images == pytest.approx(0.0, abs=1e-9)


def test_where_all_seeds_are_alike_it_is_the_interval_of_the_images() -> None:
    of_images = np.random.default_rng(0).normal(0.1, 1.0, size=200)
    found = seeds_and_images(np.repeat(of_images[None], 5, axis=0))
    theirs = stats.ttest_1samp(of_images, 0.0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))


def test_few_seeds_have_no_interval_and_no_difference_has_no_width() -> None:
    for n in (1, 2):
        found = seeds_and_images(np.random.default_rng(n).normal(size=(n, 9)))
        assert math.isnan(found.low) and math.isnan(found.high)
    nothing = seeds_and_images(np.zeros((3, 9)))
    assert (nothing.low, nothing.high, nothing.variance) == (0.0, 0.0, 0.0)


def answers(
    generator: np.random.Generator, n: int, images: int, truth: float
) -> NDArray[np.float64]:
    """Right minus right of two arms of which each image favours one, and each seed too."""
    favour = truth + 0.25 * generator.standard_normal(images)
    luck = 0.02 * generator.standard_normal((n, 1))
    chance = np.clip(0.5 + (favour + luck) / 2, 0.0, 1.0)
    return (generator.uniform(size=(n, images)) < chance) * 1.0 - (
        generator.uniform(size=(n, images)) < 1.0 - chance
    )


def test_the_variance_is_that_of_new_seeds_and_new_images() -> None:
    generator, studies = np.random.default_rng(1), 2000
    found = [seeds_and_images(answers(generator, 4, 60, 0.03)) for _ in range(studies)]
    true = np.var([each.mean for each in found], ddof=1)
    variances = np.array([each.variance for each in found])
    error = math.hypot(
        float(variances.std()) / math.sqrt(studies), float(true) * math.sqrt(2 / studies)
    )
    assert variances.mean() == pytest.approx(true, abs=4 * error)
    # What the seeds alone say is less than half of it.
    assert np.mean([each.by_seeds**2 for each in found]) < 0.8 * true


@pytest.mark.parametrize(("n", "images"), [(3, 100), (8, 100)])
def test_the_interval_covers_what_other_images_would_show(n: int, images: int) -> None:
    generator, studies, truth = np.random.default_rng(n), 1000, 0.03
    found = [seeds_and_images(answers(generator, n, images, truth)) for _ in range(studies)]
    covered = np.mean([each.low <= truth <= each.high for each in found])
    assert 0.93 <= covered <= 0.985
    by_seeds = [
        abs(each.mean - truth) <= stats.t.ppf(0.975, n - 1) * each.by_seeds for each in found
    ]
    assert np.mean(by_seeds) < covered - 0.02  # these are about the images at hand


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: seeds_and_images(np.zeros(5)), r"the shape \(5,\)"),
        (lambda: seeds_and_images(np.zeros((3, 1))), "`differences`"),
        (lambda: seeds_and_images(np.full((3, 4), np.nan)), "finite"),
        (lambda: seeds_and_images(np.zeros((3, 4)), confidence=1.0), "`confidence`"),
    ],
)
def test_wrong_input_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
