"""The order in which the samples of an epoch come, a function of seed and epoch alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tfkd.data.randomness import BALANCE, ORDER, PARTNERS, permutation, uniforms


def balanced_order(labels: NDArray[np.int64], *, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return as many positions as there are samples, of every class equally many.

    The numbers of two classes differ by one at most, where they do not divide; and so do those of
    two samples of a class: a large class shows some of its samples, a small one all of them,
    several times. Where the classes are equally large, every sample comes once.

    Args:
        labels: (n,) the class of each position; classes without one have no share.
        seed: of the run.
        epoch: from 0.

    Example:
        >>> order = balanced_order(np.array([0, 0, 0, 0, 0, 1]), seed=0, epoch=0)
        >>> sorted(order.tolist())[-3:]
        [5, 5, 5]
    """
    present, classes = np.unique(labels, return_inverse=True)
    share, rest = divmod(len(labels), len(present))
    favoured = set(permutation(len(present), seed, epoch, BALANCE)[:rest].tolist())
    shuffled = np.argsort(uniforms((len(labels),), seed, epoch, BALANCE, 1), kind="stable")
    drawn = [
        np.resize(shuffled[classes[shuffled] == label], share + (label in favoured))
        for label in range(len(present))
    ]
    order: NDArray[np.int64] = np.concatenate(drawn)[permutation(len(labels), seed, epoch, ORDER)]
    return order


def same_class_order(
    order: NDArray[np.int64], labels: NDArray[np.int64], *, seed: int, epoch: int
) -> NDArray[np.int64]:
    """Return for each place of an order a random position of the same class, perhaps the same.

    Args:
        order: positions, as an epoch shows them.
        labels: (n,) the class of each position.
        seed: of the run.
        epoch: from 0.

    Example:
        >>> labels = np.array([0, 1, 0, 2, 1])
        >>> drawn = same_class_order(np.arange(5), labels, seed=0, epoch=0)
        >>> labels[drawn].tolist()
        [0, 1, 0, 2, 1]
    """
    by_class = np.argsort(labels, kind="stable")
    sorted_labels, wanted = labels[by_class], labels[order]
    first = np.searchsorted(sorted_labels, wanted, "left")
    counts = np.searchsorted(sorted_labels, wanted, "right") - first
    drawn = np.floor(uniforms((len(order),), seed, epoch, PARTNERS) * counts).astype(np.int64)
    partners: NDArray[np.int64] = by_class[first + drawn].astype(np.int64, copy=False)
    return partners


def occurrences(order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each place of an order how often its sample has come before.

    Example:
        >>> occurrences(np.array([3, 1, 3, 3, 1])).tolist()
        [0, 0, 1, 2, 1]
    """
    by_sample = np.argsort(order, kind="stable")
    places = np.arange(len(order))
    begins = np.diff(order[by_sample], prepend=-1) != 0
    result = np.empty(len(order), dtype=np.int64)
    result[by_sample] = places - np.maximum.accumulate(np.where(begins, places, 0))
    return result
