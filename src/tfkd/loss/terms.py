"""What the equation is written with: small functions of tensors, and the settings of a loss."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class LossSettings(NamedTuple):
    """The settings of a loss that are no tensors.

    Attributes:
        alpha: weight of the teacher term, in [0, 1].
        temperature: τ, positive.
        scale: loss scale s, positive.
        ignore_index: class index whose samples do not count.
        reduction: `mean`, `sum` or `none`.
    """

    alpha: float
    temperature: float
    scale: float
    ignore_index: int
    reduction: str


def class_dim(logits: Tensor) -> int:
    """Return the dimension of the classes: 1, or 0 of unbatched logits `(K,)`."""
    return 0 if logits.dim() == 1 else 1


def at_least_float32(logits: Tensor) -> Tensor:
    """Return logits of half precision in float32, others as they are."""
    return logits.float() if logits.dtype.itemsize < 4 else logits


def in_one_precision(
    logits: Tensor, labels: Tensor, class_weight: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return the logits in float32 at least, probabilities and class weights in their dtype."""
    logits = at_least_float32(logits)
    if labels.is_floating_point():
        labels = labels.to(logits.dtype)
    return logits, labels, None if class_weight is None else class_weight.to(logits.dtype)


def softened(logits: Tensor, temperature: float) -> Tensor:
    """Return logits / τ."""
    return logits if temperature == 1.0 else logits / temperature


def softened_gap(gap: float, num_classes: int) -> tuple[float, float]:
    """Return the probability of the true class and of each other one, for a gap of logits."""
    others = (num_classes - 1) * math.exp(-gap)
    return 1.0 / (1.0 + others), math.exp(-gap) / (1.0 + others)


def one_hot(labels: Tensor, logits: Tensor) -> Tensor:
    """Return class indices as probabilities of the shape of the logits; 0 where out of range."""
    dim = class_dim(logits)
    classes = torch.arange(logits.shape[dim], device=logits.device)
    classes = classes.view(-1, *([1] * (logits.dim() - 1 - dim)))
    return (labels.unsqueeze(dim) == classes).to(logits.dtype)


def dot(probabilities: Tensor, values: Tensor, dim: int) -> Tensor:
    """Return Σ_k p_k·v_k, where a class without mass counts 0 even if its value is infinite."""
    return torch.where(probabilities == 0.0, 0.0, probabilities * values).sum(dim)


def times_class_weight(labels: Tensor, class_weight: Tensor | None, dim: int) -> Tensor:
    """Return probability labels times the weight of each class, q_k·w_k."""
    if class_weight is None:
        return labels
    return labels * class_weight.view(-1, *([1] * (labels.dim() - 1 - dim)))


def sample_weights(
    labels: Tensor, logits: Tensor, class_weight: Tensor | None, ignore_index: int
) -> tuple[Tensor | None, Tensor | int]:
    """Return Σ_k q_k·w_k of each sample, and the divisor of the mean, which is torch's.

    The weights have the shape of class indices. None stands for 1 everywhere, a boolean for 1 or 0.
    """
    if labels.is_floating_point():
        dim = class_dim(logits)
        weight = None
        if class_weight is not None:
            weight = times_class_weight(labels, class_weight, dim).sum(dim)
        return weight, logits.numel() // logits.shape[dim]
    if class_weight is None:
        counts = labels != ignore_index
        return counts, counts.sum()
    weight = index_weights(labels, class_weight, ignore_index)
    return weight, weight.sum()


def index_weights(labels: Tensor, class_weight: Tensor, ignore_index: int) -> Tensor:
    """Return the weight of each class index, 0 where it is ignored."""
    counts = labels != ignore_index
    # Clamped only so that this look-up cannot fail before torch reports the label itself.
    index = torch.where(counts, labels, 0).clamp(0, len(class_weight) - 1)
    # Not by indexing, which vmap cannot do with the label of a single sample.
    return class_weight.index_select(0, index.flatten()).view(index.shape) * counts


def weighed(loss: Tensor, weight: Tensor | None) -> Tensor:
    """Return the loss of each sample times its weight; 0 for no weight, even if it is infinite."""
    if weight is None:
        return loss
    if weight.dtype == torch.bool:
        return torch.where(weight, loss, 0.0)
    return torch.where(weight == 0.0, 0.0, loss * weight)


def reduced(loss: Tensor, divisor: Tensor | int, reduction: str) -> Tensor:
    """Return the loss of each sample, their sum, or their sum over the divisor."""
    if reduction == "none":
        return loss
    total = loss.sum()
    return total if reduction == "sum" else total / divisor
