"""Splits of a data set: chosen by a seed, stratified by class."""

from __future__ import annotations

from functools import cached_property
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tfkd.data.images import Images
from tfkd.data.randomness import SPLIT, permutation


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
    official: Images, *, validation_fraction: float, train_size: int | None, split_seed: int
) -> tuple[Split, Split]:
    """Return the training and the validation split of the official training samples.

    Each class is shuffled by the seed; its first samples are for validation, the next for
    training. So the validation split does not depend on `train_size`.

    Args:
        official: the official training samples.
        validation_fraction: in [0, 1).
        train_size: samples to keep for training, at least one per class; None: all that are left.
        split_seed: of the choice.

    Returns:
        Disjoint splits, each in the order of the official one.

    Raises:
        ValueError: if fewer samples are left than `train_size`, or fewer asked for than classes.
    """
    labels = official.labels.numpy()
    present, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    held_out = _shares(counts, round(validation_fraction * len(labels)))
    left = counts - held_out
    if train_size is not None:
        if not len(present) <= train_size <= left.sum():
            raise ValueError(
                f"Expected `train_size` from {len(present)} (one per class) to {left.sum()} "
                f"(what the validation split leaves), got {train_size}."
            )
        left = _shares(left, train_size)
    order = permutation(len(labels), split_seed, SPLIT)
    train, validation = [], []
    for label in range(len(present)):
        members = order[classes[order] == label]
        stop = held_out[label] + left[label]
        validation.append(members[: held_out[label]])
        train.append(members[held_out[label] : stop])
    return _split(official, train), _split(official, validation)


def _split(official: Images, parts: list[NDArray[np.int64]]) -> Split:
    return Split(official, torch.from_numpy(np.sort(np.concatenate(parts))))


def _shares(counts: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """Divide `total` in proportion to `counts`, by largest remainders (ties: first class)."""
    exact = counts * (total / counts.sum())
    shares: NDArray[np.int64] = np.floor(exact + 1e-9).astype(
        np.int64
    )  # 0.1 · 70 is no less than 7
    missing = total - int(shares.sum())
    shares[np.argsort(shares - exact, kind="stable")[:missing]] += 1
    return shares
