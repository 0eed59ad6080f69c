"""What a teacher of few logits gives at a temperature."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from tfkd.loss import terms
from tfkd.teachers.few_logits import FewLogits

SMALLEST = -1000.0
"""A logarithm of what is 0 in every dtype, whose product with it is 0."""


class FewTarget(NamedTuple):
    """Probabilities t of k classes and of each other one.

    Attributes:
        each: `(N, k, ...)`, of the k classes.
        other: `(N, 1, ...)`, of each other class; None: they have none, or there is none.
        negative_entropy: `(N, 1, ...)`, Σ t·log t over all classes.
    """

    each: Tensor
    other: Tensor | None
    negative_entropy: Tensor


def few_target(
    few: FewLogits, logits: Tensor, temperature: Tensor | float, dtype: torch.dtype
) -> FewTarget:
    """Return the target of checked few logits, of the student's logits, in a dtype."""
    dim = terms.class_dim(logits)
    values, others = few.values.detach().to(dtype), few.others
    kept = values.shape[dim]
    number = logits.shape[dim] - kept
    if number == 0 or (not isinstance(others, Tensor) and others == -math.inf):
        each, _, negative_entropy = _softmax(values, 1, temperature, dim)
        return FewTarget(each, None, negative_entropy)
    if isinstance(others, Tensor):
        last = others.detach().to(dtype).unsqueeze(dim)
    else:
        last = torch.full_like(values.narrow(dim, 0, 1), others)
    both = torch.cat([values, last], dim)
    each, other, negative_entropy = _softmax(both, number, temperature, dim)
    return FewTarget(each.narrow(dim, 0, kept), other, negative_entropy)


def _softmax(
    values: Tensor, last_counts: int, temperature: Tensor | float, dim: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Softmax of logits of which the last stands for several, its last, and Σ t·log t."""
    # Measured from the largest: of what is far from 0 a quotient has fewer digits left.
    log = values - values.amax(dim, keepdim=True)
    log = log if terms.is_number(temperature, 1.0) else log / temperature
    log = log.clamp(min=SMALLEST)
    each = log.exp()
    last = values.shape[dim] - 1
    other, log_other = each.narrow(dim, last, 1), log.narrow(dim, last, 1)
    mass = each.sum(dim, keepdim=True).add_(other, alpha=last_counts - 1)
    each.div_(mass)
    log.mul_(each)
    negative_entropy = log.sum(dim, keepdim=True).add_(log_other, alpha=last_counts - 1)
    negative_entropy.sub_(mass.log_())
    return each, other, negative_entropy
