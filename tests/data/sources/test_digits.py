from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from tfkd.data import Augmentation, DataSettings, load_data


def test_pixels_labels_and_the_fixed_test_split() -> None:
    data = load_data(DataSettings("digits", validation_fraction=0.0))
    bunch = load_digits()
    seen = dict.fromkeys(range(10), 0)
    train, test = [], []
    for position, label in enumerate(bunch.target):
        seen[int(label)] += 1
        (test if seen[int(label)] % 3 == 0 else train).append(position)
    for split, positions in ((data.train, train), (data.test, test)):
        assert np.array_equal(split.labels.numpy(), bunch.target[positions])
        pixels = split.official.pixels[:, 0].numpy()  # type: ignore[attr-defined]
        exact = bunch.images[positions] * 255 / 16
        assert np.abs(pixels - exact).max() <= 0.5
    assert data.augmentation == Augmentation()


def test_normalisation_is_that_of_the_training_pixels() -> None:
    data = load_data(DataSettings("digits"))
    pixels = data.train.official.pixels.numpy() / 255  # type: ignore[attr-defined]
    assert pixels.mean() == pytest.approx(data.mean[0], abs=1e-4)
    assert pixels.std() == pytest.approx(data.std[0], abs=1e-4)


def test_the_test_split_is_the_same_for_every_seed() -> None:
    one, two = (load_data(DataSettings("digits"), seed=seed) for seed in (0, 1))
    assert one.test.labels.equal(two.test.labels)
    assert not one.train.indices.equal(two.train.indices)
