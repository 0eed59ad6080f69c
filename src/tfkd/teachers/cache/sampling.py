"""Draws from what a teacher says, the same whatever the batch that a sample comes in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from tfkd._checks import check_integer, check_positive

BLOCK = 1 << 22
"""Logits to a block, about, whose probabilities are in memory in float64."""


@final
@dataclass(frozen=True)
class Sampling:
    """What draws depend on beside the logits, the sample and its view.

    Args:
        temperature: of the softmax that is drawn from: that of the loss.
        seed: of the draws, at least 0.
    """

    temperature: float
    seed: int = 0

    def __post_init__(self) -> None:
        check_positive("temperature", self.temperature)
        if check_integer("seed", self.seed, minimum=0) > 2**63 - 1:
            raise ValueError(f"Expected `seed` of at most {2**63 - 1}, got {self.seed}.")


def drawn(
    logits: Tensor, indices: Tensor, view: int, *, draws: int, sampling: Sampling
) -> tuple[Tensor, Tensor]:
    """Draw classes with replacement from softmax(logits / τ).

    Counts over draws have that softmax as their expectation, so that a loss that is linear in its
    target, as the divergence is but for a constant, has an unbiased gradient.

    Args:
        logits: `(n, K, ...)`.
        indices: `(n,)` int64, of the samples.
        view: of them.
        draws: how many.
        sampling: temperature and seed.

    Returns:
        Classes and counts, each `(n, min(draws, K), ...)` int64, the most frequent first; behind
        them the first classes that were not drawn, with a count of 0, so that each comes once.

    Source: Anshumann et al., 2025, arXiv 2503.16870, at the proposal temperature 1.
    """
    num_classes = logits.shape[1]
    # MPS has no float64.
    rows = (logits.cpu() if logits.device.type == "mps" else logits).movedim(1, -1)
    positions = rows.shape[1:-1].numel()
    rows = rows.reshape(-1, num_classes)
    chance = uniforms(indices.to(rows.device), view, positions, draws=draws, seed=sampling.seed)
    each = max(BLOCK // num_classes, 1)
    found = [
        counted(rows[at : at + each], chance[at : at + each], sampling.temperature)
        for at in range(0, len(rows), each)
    ]
    shape = (len(logits), *logits.shape[2:], -1)
    classes, counts = (
        torch.cat(part).view(shape).movedim(-1, 1).to(logits.device)
        for part in zip(*found, strict=True)
    )
    return classes, counts


def counted(rows: Tensor, chance: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Classes `(n, k)` and counts of uniform numbers `(n, draws)`, of logits `(n, K)`."""
    log = rows.double() / temperature
    below = log.softmax(1).cumsum(1)
    total = below[:, -1:]
    # Below the total even where it is rounded: above it there is no class.
    at = torch.minimum(chance * total, torch.nextafter(total, torch.zeros_like(total)))
    which = torch.searchsorted(below, at, right=True)
    counts = torch.zeros_like(below, dtype=torch.int64)
    counts.scatter_add_(1, which, torch.ones_like(which))
    # By count, then by class: no two are equal, of which topk might take any.
    num_classes = rows.shape[1]
    first = torch.arange(num_classes - 1, -1, -1, device=rows.device)
    ranked = (counts * num_classes + first).topk(min(chance.shape[1], num_classes), dim=1).values
    return num_classes - 1 - ranked % num_classes, ranked // num_classes


def uniforms(indices: Tensor, view: int, positions: int, *, draws: int, seed: int) -> Tensor:
    """Return numbers in [0, 1), `(n · positions, draws)` float64, a function of what is given.

    Those of a sample do not depend on which others there are, nor does a draw on how many follow.

    Example:
        >>> few = uniforms(torch.tensor([7]), 0, 1, draws=2, seed=3)
        >>> many = uniforms(torch.tensor([5, 7]), 0, 1, draws=4, seed=3)
        >>> bool((few[0] == many[1, :2]).all())
        True
    """
    device = indices.device
    key = mixed(mixed(mixed(torch.tensor(seed, device=device)) ^ view) ^ indices)
    key = mixed(key.unsqueeze(1) ^ torch.arange(positions, device=device)).reshape(-1, 1)
    key = mixed(key ^ torch.arange(draws, device=device))
    return _shifted(key, 11).double() * 2.0**-53


def mixed(key: Tensor) -> Tensor:
    """Return 64 bits that look random, other ones for each key; int64 wraps around.

    Source: Steele, Lea and Flood, 2014, SplitMix64.
    """
    key = key + _signed(0x9E3779B97F4A7C15)
    key = (key ^ _shifted(key, 30)) * _signed(0xBF58476D1CE4E5B9)
    key = (key ^ _shifted(key, 27)) * _signed(0x94D049BB133111EB)
    return key ^ _shifted(key, 31)


def _signed(bits: int) -> int:
    return bits - 2**64


def _shifted(key: Tensor, by: int) -> Tensor:
    """Shift to the right with zeros, not with the sign."""
    shifted: Tensor = (key >> by) & (2 ** (64 - by) - 1)
    return shifted
