"""Exponentials of logits and their sums, which softmax would take in more passes."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LOG2_E = math.log2(math.e)

LEAST, MOST = 1e-25, 1e13
"""Exponentials of the true class, and sums, within which they are taken of the logits as they are.
Otherwise these are measured from their largest first: of larger ones too few digits are left, and
in float32 smaller ones are nearly 0."""


def exponentials(
    x: Tensor, temperature: float, *, out: Tensor, hidden: Tensor | None = None
) -> Tensor:
    """Write exp(x/τ), and return the sums over the classes, `(N, 1, ...)`.

    Args:
        x: logits.
        temperature: τ.
        out: where they are written.
        hidden: a class of each sample, `(N, 1, ...)`, for which 0 is written.
    """
    torch.mul(x, LOG2_E / temperature, out=out).exp2_()
    if hidden is not None:
        out.scatter_(1, hidden, 0.0)
    return out.sum(1, keepdim=True)


def are_within(*sums: Tensor) -> bool:
    """Return whether sums, and parts of them, are such as can be computed with."""
    least, most = torch.aminmax(torch.cat(sums, 1) if len(sums) > 1 else sums[0])
    return least.item() >= LEAST and most.item() <= MOST


def from_largest(x: Tensor) -> Tensor:
    """Return logits measured from the largest of their sample."""
    return x - x.amax(1, keepdim=True)
