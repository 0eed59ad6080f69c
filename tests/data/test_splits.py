from __future__ import annotations

import numpy as np
import pytest

from tfkd.data import DataSettings, load_data


def _official_counts() -> np.ndarray:
    data = load_data(DataSettings("digits", validation_fraction=0.0))
    return np.bincount(data.train.labels.numpy(), minlength=10)


def test_training_and_validation_are_disjoint_and_complete() -> None:
    data = load_data(DataSettings("digits", validation_fraction=0.3))
    both = data.train.indices.tolist() + data.validation.indices.tolist()
    assert sorted(both) == list(range(1201))
    assert len(data.validation) == 360
    assert data.test.indices.tolist() == list(range(596))


@pytest.mark.parametrize("fraction", [0.0, 0.01, 0.1, 0.5, 0.99])
def test_validation_is_stratified(fraction: float) -> None:
    data = load_data(DataSettings("digits", validation_fraction=fraction))
    counts = np.bincount(data.validation.labels.numpy(), minlength=10)
    assert np.abs(counts - fraction * _official_counts()).max() < 1
    assert counts.sum() == round(fraction * 1201)


@pytest.mark.parametrize("size", [10, 103, 1081])
def test_train_size_is_exact_and_stratified(size: int) -> None:
    data = load_data(DataSettings("digits", train_size=size))
    counts = np.bincount(data.train.labels.numpy(), minlength=10)
    assert counts.sum() == size
    assert np.abs(counts - size * _official_counts() / 1201).max() < 1.1
    assert not set(data.train.indices.tolist()) & set(data.validation.indices.tolist())


def test_labels_are_those_of_the_indices() -> None:
    data = load_data(DataSettings("digits", train_size=200))
    for split in (data.train, data.validation, data.test):
        assert split.labels.equal(split.official.labels[split.indices])


def test_the_split_is_chosen_by_the_seed() -> None:
    one, again, other = (load_data(DataSettings("digits"), seed=s) for s in (4, 4, 5))
    assert one.validation.indices.equal(again.validation.indices)
    assert not one.validation.indices.equal(other.validation.indices)


def test_validation_does_not_depend_on_train_size() -> None:
    whole, part = (load_data(DataSettings("digits", train_size=n)) for n in (None, 50))
    assert whole.validation.indices.equal(part.validation.indices)
    assert set(part.train.indices.tolist()) <= set(whole.train.indices.tolist())


@pytest.mark.parametrize("size", [9, 1082])
def test_impossible_train_sizes(size: int) -> None:
    with pytest.raises(ValueError, match=f"from 10 .*to 1081.*got {size}"):
        load_data(DataSettings("digits", train_size=size))
