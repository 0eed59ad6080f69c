from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tfkd.data import Augmentation, DataSettings, MemoryImages, Source, load_data, split_source
from tfkd.data.splits import fold_of


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


def _as_in_version_0_1(
    labels: np.ndarray, fraction: float, size: int | None, seed: int
) -> tuple[list[int], list[int]]:
    """How the known data sets have always been split: written anew, class after class."""

    def shares(counts: np.ndarray, total: int) -> np.ndarray:
        exact = counts * (total / counts.sum())
        whole = np.floor(exact + 1e-9).astype(int)
        by_remainder = sorted(range(len(counts)), key=lambda label: whole[label] - exact[label])
        for label in by_remainder[: total - whole.sum()]:
            whole[label] += 1
        return whole

    counts = np.bincount(labels)
    held_out = shares(counts, round(fraction * len(labels)))
    kept = counts - held_out if size is None else shares(counts - held_out, size)
    order = np.argsort(np.random.default_rng([seed, 3]).random(len(labels)), kind="stable")
    train, validation = [], []
    for label in range(len(counts)):
        members = [int(n) for n in order if labels[n] == label]
        validation += members[: held_out[label]]
        train += members[held_out[label] :][: kept[label]]
    return sorted(train), sorted(validation)


@pytest.mark.parametrize("size", [None, 10, 60, 103, 300])
@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.15, 0.3])
def test_known_data_sets_are_split_as_before(fraction: float, size: int | None) -> None:
    settings = DataSettings("digits", validation_fraction=fraction, train_size=size)
    data = load_data(settings, seed=5)
    labels = data.train.official.labels.numpy()
    train, validation = _as_in_version_0_1(labels, fraction, size, 5)
    assert (data.train.indices.tolist(), data.validation.indices.tolist()) == (train, validation)


def _split(counts: list[int], *, seed: int, **settings: Any) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of training and of validation images of each class, of classes of such sizes."""
    labels = torch.repeat_interleave(torch.tensor(counts))
    images = MemoryImages(torch.zeros((len(labels), 1, 1, 1), dtype=torch.uint8), labels)
    names = tuple(f"class {label}" for label in range(len(counts)))
    source = Source(names, images, images, (0.0,), (1.0,), 1, Augmentation())
    data = split_source(source, DataSettings("own:data", **settings), seed=seed)
    found = (
        np.bincount(part.labels, minlength=len(counts)) for part in (data.train, data.validation)
    )
    train, validation = found
    return train, validation


def test_equal_classes_have_equal_chances(drawn_seed: str) -> None:
    first = int(drawn_seed)
    chosen = np.zeros((2, 20))
    for seed in range(first, first + 200):
        _, validation = _split([8] * 20, seed=seed, validation_fraction=0.1)
        assert sorted(validation) == [0] * 4 + [1] * 16
        train, _ = _split([8] * 20, seed=seed, validation_fraction=0.0, train_size=30)
        assert sorted(train) == [1] * 10 + [2] * 10
        chosen += [validation, train - 1]
    # Of 200 draws at 4 in 5 and 1 in 2, five standard deviations are 28 and 35.
    assert np.abs(chosen[0] - 160).max() <= 28
    assert np.abs(chosen[1] - 100).max() <= 35


@pytest.mark.parametrize(
    ("counts", "fraction", "validation"),
    [
        ([300, 5], 0.1, [29, 1]),
        ([300, 4, 3, 2, 1], 0.1, [30, 1, 0, 0, 0]),
        ([40, 3], 0.5, [20, 2]),
        ([1, 1], 0.9, [0, 0]),
        ([2, 2], 0.9, [1, 1]),
        ([1] * 6, 0.1, [0] * 6),
        ([2, 2], 0.5, [1, 1]),
        ([10, 1], 0.8, [9, 0]),
        ([5, 5], 0.0, [0, 0]),
    ],
)
def test_small_classes_are_validated_where_they_can_and_trained_always(
    counts: list[int], fraction: float, validation: list[int]
) -> None:
    for seed in range(5):
        train, found = _split(counts, seed=seed, validation_fraction=fraction)
        assert found.tolist() == validation
        assert (train + found).tolist() == counts


def test_every_class_keeps_a_training_image_however_few_are_asked_for() -> None:
    train, _ = _split([500, 3, 2], seed=0, validation_fraction=0.0, train_size=4)
    assert train.tolist() == [2, 1, 1]


@pytest.mark.parametrize("counts", [[30, 30, 30], [300, 30, 3], [7, 2, 11, 2], [5, 5]])
@pytest.mark.parametrize("folds", [2, 3, 5])
def test_every_image_is_tested_once_in_as_many_seeds_as_folds(
    counts: list[int], folds: int
) -> None:
    labels = torch.repeat_interleave(torch.tensor(counts))
    for division in range(2):
        seeds = range(division * folds, (division + 1) * folds)
        parts = torch.stack([fold_of(labels, folds=folds, seed=seed) for seed in seeds])
        assert parts.sum(0).tolist() == [1] * len(labels)
        sizes = parts.sum(1)
        assert int(sizes.max() - sizes.min()) <= 1
        for label, count in enumerate(counts):
            tested = parts[:, labels == label].sum(1).tolist()
            assert {min(tested), max(tested)} <= {count // folds, -(-count // folds)}
    one, other = (fold_of(labels, folds=folds, seed=seed) for seed in (0, folds))
    assert not one.equal(other)


def test_folds_divide_the_training_images_and_leave_a_given_test_split_alone() -> None:
    settings = DataSettings("digits", folds=4, validation_fraction=0.2)
    tested = []
    for seed in range(4):
        data = load_data(settings, seed=seed)
        parts = [set(part.indices.tolist()) for part in (data.train, data.validation, data.test)]
        assert sum(map(len, parts)) == len(set().union(*parts)) == 1201
        assert len(parts[1]) == round(0.2 * (1201 - len(parts[2])))
        assert data.test.official is data.train.official
        assert "596 images are left alone" in data.remarks[0]
        assert f"fold {seed + 1} of 4" in data.origins["test"]
        tested += parts[2]
    assert sorted(tested) == list(range(1201))
    again = load_data(settings, seed=3)
    assert again.test.indices.equal(data.test.indices)
    assert again.validation.indices.equal(data.validation.indices)


def test_folds_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`folds` of at least 2"):
        DataSettings("digits", folds=1)
    with pytest.raises(ValueError, match=r"at most 1201 `folds`"):
        load_data(DataSettings("digits", folds=1202))
    with pytest.raises(ValueError, match=r"for `folds`, got 1 of 'class 1'"):
        _split([5, 1], seed=0, folds=2)
