"""Splits of a data set: chosen by a seed, stratified by class."""

from __future__ import annotations

from functools import cached_property
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tfkd.data.images import Images
from tfkd.data.randomness import FOLDS, SPLIT, TIES, permutation

_Counts = NDArray[np.int64]

SMALLEST_CLASS_VALIDATED = 4
"""A class of so many samples has one in the validation split; of fewer, one is too much to lose."""


@final
class Split:
    """Some samples of an official split.

    Args:
        official: all samples of the official split.
        indices: (n,) int64, which of them; the identity of each sample, by which its augmentation
            is drawn. None: all.
    """

    def __init__(self, official: Images, indices: Tensor | None = None) -> None:
        self.official = official
        self.indices = torch.arange(len(official)) if indices is None else indices
        self.labels = official.labels[self.indices]

    def __len__(self) -> int:
        return len(self.indices)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the place, label and content of each sample, computed when first asked for."""
        return self.official.digest_of(self.indices)


def split_training(
    official: Images,
    *,
    validation_fraction: float,
    train_size: int | None,
    split_seed: int,
    among: Tensor | None = None,
    first_class_first: bool = False,
) -> tuple[Split, Split]:
    """Return the training and the validation split of the official training samples.

    Each class is shuffled by the seed; its first samples are for validation, the next for
    training. So the validation split does not depend on `train_size`. Classes have their shares by
    largest remainders, and of equal ones the seed chooses. Each class keeps a sample for training,
    and each of at least 4 gives one to validation, where that takes no more than half of it. Where
    samples may have several labels, the class of a sample is here the rarest of them.

    Args:
        official: the official training samples.
        validation_fraction: in [0, 1).
        train_size: samples to keep for training, at least one per class; None: all that are left.
        split_seed: of the choice.
        among: (n,) int64, which of the samples there are to choose from; None: all.
        first_class_first: among equal remainders take the first class, not one chosen by the seed.

    Returns:
        Disjoint splits, each in the order of the official one.

    Raises:
        ValueError: if a class of at least 4 samples has none left, fewer samples are left than
            `train_size`, or that is less than classes.
    """
    chosen = np.arange(len(official)) if among is None else among.numpy()
    labels = official.strata.numpy()[chosen]
    present, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    ties = (
        np.arange(len(present))
        if first_class_first
        else permutation(len(present), split_seed, TIES)
    )
    wanted = round(validation_fraction * len(labels))
    one_each = (counts >= SMALLEST_CLASS_VALIDATED).astype(np.int64)
    asked = _shares(counts, wanted, least=np.zeros_like(counts), most=counts, ties=ties)
    if ((asked == counts) & (one_each == 1)).any():  # of smaller ones, one is kept all the same
        raise ValueError(
            f"Expected training images of every class, but a `validation_fraction` of "
            f"{validation_fraction} is {wanted} of {len(labels)} images, which leaves a class of "
            f"{counts[(asked == counts) & (one_each == 1)][0]} none."
        )
    if 2 * one_each.sum() > wanted:
        one_each[:] = 0
    held_out = _shares(counts, wanted, least=one_each, most=counts - 1, ties=ties)
    left = counts - held_out
    if train_size is not None:
        if not len(present) <= train_size <= left.sum():
            raise ValueError(
                f"Expected `train_size` from {len(present)} (one per class) to {left.sum()} "
                f"(what the validation split leaves), got {train_size}."
            )
        left = _shares(left, train_size, least=np.ones_like(left), most=left, ties=ties)
    order = permutation(len(labels), split_seed, SPLIT)
    train, validation = [], []
    for label in range(len(present)):
        members = chosen[order[classes[order] == label]]
        stop = held_out[label] + left[label]
        validation.append(members[: held_out[label]])
        train.append(members[held_out[label] : stop])
    return _split(official, train), _split(official, validation)


def fold_of(labels: Tensor, *, folds: int, seed: int) -> Tensor:
    """Return which samples a seed is tested on: a fold of a division into equal, alike parts.

    Seeds 0 to `folds` − 1 are tested on the folds of one division, the next as many on those of
    another. A class is spread over the folds as evenly as can be, and so are all samples.

    Args:
        labels: (N,) int64, class of each sample.
        folds: K, at least 2.
        seed: of the run.

    Returns:
        (N,) bool.

    Example:
        >>> labels = torch.tensor([0, 0, 0, 1, 1, 1])
        >>> parts = torch.stack([fold_of(labels, folds=3, seed=seed) for seed in range(3)])
        >>> parts.sum(0).tolist(), [labels[part].tolist() for part in parts]
        ([1, 1, 1, 1, 1, 1], [[0, 1], [0, 1], [0, 1]])
    """
    division, fold = divmod(seed, folds)
    order = permutation(len(labels), division, FOLDS)
    # In an order of the classes that is drawn as well: the first folds get more of the first.
    places = permutation(int(labels.max()) + 1, division, FOLDS, 1)
    by_class = order[np.argsort(places[labels.numpy()[order]], kind="stable")]
    folds_of = np.empty(len(labels), dtype=np.int64)
    folds_of[by_class] = np.arange(len(labels)) % folds  # dealt out class after class
    return torch.from_numpy(folds_of == fold)


def _split(official: Images, parts: list[_Counts]) -> Split:
    return Split(official, torch.from_numpy(np.sort(np.concatenate(parts))))


def _shares(
    counts: _Counts, total: int, *, least: _Counts, most: _Counts, ties: _Counts
) -> _Counts:
    """Divide `total` in proportion to `counts`, by largest remainders and within bounds.

    Of equal remainders the class of the lowest number in `ties` is first. Where the bounds leave no
    room the sum is another.
    """
    exact = counts * (total / counts.sum())
    shares: _Counts = np.floor(exact + 1e-9).astype(np.int64)  # 0.1 · 70 is no less than 7
    missing = total - int(shares.sum())
    shares[np.lexsort((ties, shares - exact))[:missing]] += 1
    shares = np.clip(shares, least, most)
    for _ in range(abs(total - int(shares.sum()))):
        step = 1 if shares.sum() < total else -1
        possible = np.flatnonzero(shares < most if step > 0 else shares > least)
        if len(possible) == 0:
            break
        want = step * (exact - shares)[possible]
        shares[possible[np.lexsort((ties[possible], -want))[0]]] += step
    return shares
