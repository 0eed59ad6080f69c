"""Random numbers that depend on their names alone: a seed, an epoch, a purpose."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

# One number per purpose, so that the streams of one (seed, epoch) share nothing.
ORDER, AUGMENTATION, SPLIT, BALANCE, ERASING, PARTNERS = 1, 2, 3, 4, 5, 6
TIES, FOLDS = 11, 12


def uniforms(shape: tuple[int, ...], *key: int) -> NDArray[np.float64]:
    """Return uniform numbers in [0, 1) that are a function of `key` alone.

    Row i does not depend on how many rows are drawn.

    Example:
        >>> bool((uniforms((2, 3), 0, 1) == uniforms((9, 3), 0, 1)[:2]).all())
        True
    """
    return np.random.default_rng(list(key)).random(shape)


def permutation(n: int, *key: int) -> NDArray[np.int64]:
    """Return a permutation of 0 … n−1 that is a function of `key` alone."""
    # By sorting uniforms: the stream of `random` has never changed between versions of NumPy,
    # while `Generator.permutation` promises nothing of the kind.
    order: NDArray[Any] = np.argsort(uniforms((n,), *key), kind="stable")
    return order.astype(np.int64, copy=False)


def derive_seed(*key: int) -> int:
    """Return a 64-bit seed that is a function of `key` alone."""
    digest = hashlib.blake2b("/".join(map(str, key)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def sample_seed(seed: int, view: int, index: int, occurrence: int = 0) -> int:
    """Return a 64-bit seed for one view of one sample, and one of its occurrences in an epoch."""
    return derive_seed(seed, view, index, *([occurrence] if occurrence else []))
