"""What a teacher of few logits gives at a temperature."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from tfkd.loss import terms
from tfkd.teachers.few_logits import FewLogits


class FewTarget(NamedTuple):
    """Probabilities t of k classes and of each other one.

    Attributes:
        each: `(N, k, ...)`, of the k classes.
        other: `(N, ...)`, of each other class; None: they have none, or there is none.
        negative_entropy: `(N, ...)`, Σ t·log t over all classes.
    """

    each: Tensor
    other: Tensor | None
    negative_entropy: Tensor


def few_target(few: FewLogits, logits: Tensor, temperature: Tensor | float) -> FewTarget:
    """Return the target of checked few logits, in the dtype of the student's logits."""
    dim = terms.class_dim(logits)
    values = few.values.detach().to(logits.dtype)
    number = logits.shape[dim] - values.shape[dim]
    others: Tensor | None = None
    if isinstance(few.others, Tensor):
        others = few.others.detach().to(logits.dtype)
    elif few.others > -math.inf:
        others = torch.full_like(values.select(dim, 0), few.others)
    largest = values.amax(dim)
    if others is None or number == 0:
        log_t = (values - largest.unsqueeze(dim)) / temperature
        log_t = log_t - log_t.logsumexp(dim, keepdim=True)
        each = log_t.exp()
        return FewTarget(each, None, terms.dot(each, log_t, dim))
    # Measured from the largest: of what is far from 0 a quotient has fewer digits left.
    largest = torch.maximum(largest, others)
    log_t = (values - largest.unsqueeze(dim)) / temperature
    log_other = (others - largest) / temperature
    mass = torch.logaddexp(log_t.logsumexp(dim), log_other + math.log(number))
    log_t, log_other = log_t - mass.unsqueeze(dim), log_other - mass
    each, other = log_t.exp(), log_other.exp()
    of_others = number * terms.times(other, log_other)
    return FewTarget(each, other, terms.dot(each, log_t, dim) + of_others)
