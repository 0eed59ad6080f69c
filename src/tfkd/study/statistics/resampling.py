"""The random resamples and signs of the statistics, drawn once for all samples of one size."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

NUMBERS_AT_ONCE = 50_000
"""So many fit into a processor's cache; more would wait for the memory."""


def resampled_means(values: NDArray[np.float64], resamples: int, seed: int) -> NDArray[np.float64]:
    """Return the means of bootstrap resamples of values, in the order of their drawing.

    Args:
        values: `(n,)`.
        resamples: how many.
        seed: of the drawing.

    Returns:
        `(resamples,)`.
    """
    picked = _draw(len(values), resamples, seed, signs=False, after_resamples=False)
    means = [values.take(part.astype(np.intp)).mean(axis=-1) for part in _parts(picked)]
    return np.concatenate(means)


def flipped_sums(
    values: NDArray[np.float64], resamples: int, seed: int, *, after_resamples: bool
) -> NDArray[np.float64]:
    """Return the sums of values with random signs.

    Args:
        values: `(n,)`.
        resamples: how many.
        seed: of the drawing.
        after_resamples: whether the signs are drawn behind as many bootstrap resamples.

    Returns:
        `(resamples,)`.
    """
    signs = _draw(len(values), resamples, seed, signs=True, after_resamples=after_resamples)
    sums = [part.astype(np.float64) @ values for part in _parts(signs)]
    return np.concatenate(sums)


@lru_cache(maxsize=4)
def _draw(
    n: int, resamples: int, seed: int, *, signs: bool, after_resamples: bool
) -> NDArray[np.integer]:
    """Places in a sample of n, or signs, `(resamples, n)`, in as few bytes as hold them."""
    generator = np.random.default_rng(seed)
    if after_resamples:
        for rows in _row_counts(resamples, n):
            generator.integers(n, size=(rows, n))
    kind = np.dtype(np.int8) if signs else np.min_scalar_type(n - 1)
    drawn = np.empty((resamples, n), dtype=kind)
    start = 0
    for rows in _row_counts(resamples, n):
        found = generator.integers(2 if signs else n, size=(rows, n))
        drawn[start : start + rows] = 1 - 2 * found if signs else found
        start += rows
    drawn.flags.writeable = False
    return drawn


def _row_counts(resamples: int, n: int) -> list[int]:
    rows = _rows_at_once(n)
    return [min(rows, resamples - start) for start in range(0, resamples, rows)]


def _rows_at_once(n: int) -> int:
    return max(NUMBERS_AT_ONCE // n, 1)


def _parts(drawn: NDArray[np.integer]) -> list[NDArray[np.integer]]:
    rows = _rows_at_once(drawn.shape[1])
    return [drawn[start : start + rows] for start in range(0, len(drawn), rows)]
