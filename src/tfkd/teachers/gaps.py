"""Gaps as logits, for teachers that look at every class of another's answer."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tfkd.teachers.base import Answer, Batch


def class_dim(logits: Tensor) -> int:
    """Return the dimension of the classes: 1, or 0 of unbatched logits `(K,)`."""
    return 0 if logits.dim() == 1 else 1


def at_least_float32(numbers: Tensor) -> Tensor:
    """Return numbers of half precision in float32, others as they are."""
    return numbers.float() if numbers.dtype.itemsize < 4 else numbers


def label_probabilities(batch: Batch) -> Tensor:
    """Return the labels of a batch as probabilities; one to be ignored is that of some class."""
    logits, labels = at_least_float32(batch.student_logits), batch.labels
    if labels.shape == logits.shape:
        return labels.to(logits.dtype)
    dim = class_dim(logits)
    classes = torch.arange(logits.shape[dim], device=logits.device)
    classes = classes.view(-1, *[1] * (logits.dim() - 1 - dim))
    known = labels.long().clamp(0, logits.shape[dim] - 1)
    return (known.unsqueeze(dim) == classes).to(logits.dtype)


def logits_of(answer: Answer, batch: Batch) -> Tensor:
    """Return the logits of an answer at the temperature of the batch, in float32 at least.

    A gap becomes logits that the loss will soften to the same probabilities; for labels that are
    probabilities those of the mixture.

    Args:
        answer: of a teacher.
        batch: that it answered.
    """
    said, z = answer.logits, batch.student_logits
    if isinstance(said, Tensor) and said.shape == z.shape:
        return at_least_float32(said)
    dim, q = class_dim(z), label_probabilities(batch)
    gap = torch.as_tensor(said, device=q.device).to(q.dtype)
    gap = gap.unsqueeze(dim) if gap.dim() > 0 else gap
    ahead = gap / batch.temperature - math.log(z.shape[dim] - 1)  # of all others together
    true, other = torch.sigmoid(ahead), torch.sigmoid(-ahead) / (z.shape[dim] - 1)
    mixed = q * true + (q.sum(dim, keepdim=True) - q) * other
    return batch.temperature * mixed.log()
