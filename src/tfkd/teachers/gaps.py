"""Answers as logits of every class, for teachers that look at those of another."""

from __future__ import annotations

import torch
from torch import Tensor

from tfkd.teachers.base import Answer, Batch
from tfkd.teachers.few_logits import FewLogits, all_logits
from tfkd.teachers.logits import at_least_float32, class_dim, one_hot, softened_gap


def class_indices(batch: Batch) -> Tensor:
    """Return labels that are class indices; one that is to be ignored as that of some class."""
    logits = batch.student_logits
    return batch.labels.long().clamp(0, logits.shape[class_dim(logits)] - 1)


def logits_or_gap(answer: Answer, batch: Batch) -> Tensor | float:
    """Return the logits of an answer, of all classes in place of few, or its gap."""
    said, z = answer.logits, batch.student_logits
    return all_logits(said, z.shape[class_dim(z)]) if isinstance(said, FewLogits) else said


def logits_of(answer: Answer, batch: Batch) -> Tensor:
    """Return the logits of an answer at the temperature of the batch, in float32 at least.

    A gap becomes logits that the loss will soften to the same probabilities; for labels that are
    probabilities those of the mixture.

    Args:
        answer: of a teacher.
        batch: that it answered.

    Raises:
        ValueError: for logits of another shape than the student's.
    """
    said, z = logits_or_gap(answer, batch), batch.student_logits
    dim = class_dim(z)
    if isinstance(said, Tensor) and said.shape == z.shape:
        return at_least_float32(said)
    if isinstance(said, Tensor) and said.shape != z.select(dim, 0).shape:
        raise ValueError(
            f"Expected the logits of a teacher to be of the shape of `student_logits`, "
            f"{tuple(z.shape)}, got {tuple(said.shape)}: do teacher and student have the same "
            "classes?"
        )
    q = label_probabilities(batch)
    gap = torch.as_tensor(said, dtype=q.dtype, device=q.device)
    gap = gap.unsqueeze(dim) if gap.dim() > 0 else gap
    true, other = softened_gap(gap / batch.temperature, z.shape[dim])
    mixed = q * true + (q.sum(dim, keepdim=True) - q) * other
    # A sample without any label, of which nothing is known: uniform.
    return batch.temperature * torch.where(q.sum(dim, keepdim=True) > 0.0, mixed, 1.0).log()


def label_probabilities(batch: Batch) -> Tensor:
    """Return the labels of a batch as probabilities; one to be ignored is that of some class."""
    logits = at_least_float32(batch.student_logits)
    if batch.labels.shape == logits.shape:
        return batch.labels.to(logits.dtype)
    return one_hot(class_indices(batch), logits)
