"""Where the random numbers of training come from: each a function of its names alone."""

from __future__ import annotations

from tfkd.data.randomness import derive_seed

# Purposes of random numbers, beside those of the data.
WEIGHTS, STEP, MIXING, LOSS, EPOCH_END = 101, 102, 103, 104, 105


def weights_seed(seed: int) -> int:
    """Return the seed of a run's initial weights."""
    return derive_seed(seed, WEIGHTS)


def step_seed(seed: int, *, epoch: int, step: int, rank: int) -> int:
    """Return the seed of what the network of a process draws at a step of an epoch, as dropout."""
    return derive_seed(seed, epoch, step, rank, STEP)


def mixing_seed(seed: int, *, epoch: int, batch: int) -> int:
    """Return the seed of how a batch of an epoch is mixed."""
    return derive_seed(seed, epoch, batch, MIXING)


def loss_seed(seed: int) -> int:
    """Return the seed of what a loss draws when it is made, the same for every process."""
    return derive_seed(seed, LOSS)


def epoch_end_seed(seed: int, *, epoch: int) -> int:
    """Return the seed of what a loss draws at the end of an epoch, the same for every process."""
    return derive_seed(seed, epoch, EPOCH_END)
