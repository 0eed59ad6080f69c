"""What the equation is written with: small functions of tensors, and the settings of a loss."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from tfkd.teachers.base import Answer, has_values_at_hand
from tfkd.teachers.few_logits import FewLogits
from tfkd.teachers.logits import at_least_float32 as at_least_float32
from tfkd.teachers.logits import class_dim as class_dim
from tfkd.teachers.logits import one_hot as one_hot
from tfkd.teachers.logits import softened_gap as softened_gap

FAR = 128.0
"""Logits beyond it are first measured from their largest: of what is far from 0 a quotient and a
sum have fewer digits left than the loss."""


class LossSettings(NamedTuple):
    """The settings of a loss.

    Attributes:
        alpha: weight of the teacher term, in [0, 1]; a tensor `()` where it follows a schedule
            and is compiled, as the two that follow.
        temperature: τ, positive.
        scale: loss scale s, positive.
        ignore_index: class index whose samples do not count.
        reduction: `mean`, `sum` or `none`.
        decoupled: weights of the two parts of the divergence; None: as they are, 1 and 1 − t_y.
        standardize: whether the teacher term looks at standardised logits.
        falls_to_0: whether an `alpha` of 0 was more before: then the label term goes on as it was
            computed, and is not torch's.
    """

    alpha: Tensor | float
    temperature: Tensor | float
    scale: Tensor | float
    ignore_index: int = -100
    reduction: str = "mean"
    decoupled: tuple[float, float] | None = None
    standardize: bool = False
    falls_to_0: bool = False


def in_one_precision(
    logits: Tensor, labels: Tensor, class_weight: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return the logits in float32 at least, probabilities and class weights in their dtype."""
    logits = at_least_float32(logits)
    if labels.is_floating_point():
        labels = labels.to(logits.dtype)
    return logits, labels, None if class_weight is None else class_weight.to(logits.dtype)


def is_number(value: Tensor | float, number: float) -> bool:
    """Return whether a value is this number, as far as can be told without looking at a tensor."""
    return not isinstance(value, Tensor) and value == number


def near_0(logits: Tensor) -> Tensor:
    """Return logits measured from the largest of their sample if they are far from 0 together.

    Not on an accelerator, which would have to be waited for, nor where it is compiled.
    """
    if not has_values_at_hand(logits) or logits.numel() == 0:
        return logits
    dim = class_dim(logits)
    far = bool(logits.detach().select(dim, 0).abs().amax() > FAR)
    return logits - logits.detach().amax(dim, keepdim=True) if far else logits


def softened(logits: Tensor, temperature: Tensor | float) -> Tensor:
    """Return logits / τ."""
    return logits if is_number(temperature, 1.0) else logits / temperature


def log_softened_gap(gap: Tensor | float, logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logarithms of both, also of what is too small for the dtype of the logits."""
    dim = class_dim(logits)
    ahead = gap if isinstance(gap, Tensor) else torch.full((), gap, dtype=torch.float64)
    ahead = ahead.to(logits)
    ahead = ahead.unsqueeze(dim) if ahead.dim() > 0 else ahead
    of_others = math.log(logits.shape[dim] - 1)
    return F.logsigmoid(ahead - of_others), F.logsigmoid(of_others - ahead) - of_others


def standardized(logits: Tensor, dim: int) -> Tensor:
    """Return (z − mean) / (1e-7 + sd) over the classes, sd with K − 1; masked classes stay so.

    Source: Sun et al., 2024, arXiv 2403.01427.
    """
    there = logits != -math.inf
    count = there.sum(dim, keepdim=True)
    kept = torch.where(there, logits, 0.0)
    off = torch.where(there, kept - kept.sum(dim, keepdim=True) / count, 0.0)
    square = off.square().sum(dim, keepdim=True) / (count - 1).clamp(min=1)
    # The root has no derivative at 0, where all logits are equal.
    sd = torch.where(square > 0.0, square, 1.0).sqrt()
    result = off / (torch.where(square > 0.0, sd, 0.0) + 1e-7)
    return torch.where(there, result, -math.inf)


def standardized_gap(gap: Tensor | float, num_classes: int) -> Tensor | float:
    """Return the gap of standardised logits that have one: √K whatever it was, unless it was 0."""
    root = math.sqrt(num_classes)
    if isinstance(gap, Tensor):
        return torch.where(gap.isinf(), gap.sign() * root, gap / (gap.abs() / root + 1e-7))
    return root if math.isinf(gap) else gap / (gap / root + 1e-7)


def largest(z: Tensor, dim: int, *, keepdim: bool = False) -> Tensor:
    """Return the largest logit of each sample; equal ones share its slope, as those of amax.

    The backward pass of amax looks at the logits again, which the caller may have changed in place.
    """
    at = z == z.detach().amax(dim, keepdim=True)
    return torch.where(at, z, 0.0).sum(dim, keepdim=keepdim) / at.sum(dim, keepdim=keepdim)


def by_sample(value: Tensor | float, dim: int) -> Tensor | float:
    """Return a number of each sample with a dimension for the classes; others as they are."""
    return value.unsqueeze(dim) if isinstance(value, Tensor) and value.dim() > 0 else value


def times(weight: Tensor | float, values: Tensor) -> Tensor:
    """Return a weight times values; 0 for no weight, even of infinity."""
    if is_number(weight, 1.0):
        return values
    if is_number(weight, 0.0):
        return 0.0 * torch.where(values.isfinite(), values, 0.0)
    if not isinstance(weight, Tensor):
        return weight * values
    return torch.where(weight == 0.0, 0.0, weight * values)


def dot(probabilities: Tensor, values: Tensor, dim: int) -> Tensor:
    """Return Σ_k p_k·v_k, where a class without mass counts 0 even if its value is infinite."""
    return times(probabilities, values).sum(dim)


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


def without_ignored(answer: Answer, labels: Tensor, logits: Tensor, ignore_index: int) -> Answer:
    """Return an answer that is finite where nobody looks: where it is ignored, or its share is 0.

    There NaN would reach the gradient, which is 0 times that.
    """
    if not any(isinstance(number, Tensor | FewLogits) for number in answer):
        return answer
    counts = None if labels.is_floating_point() else labels != ignore_index
    said, share, label_share = answer
    if isinstance(share, Tensor):
        share = share if counts is None else torch.where(counts, share, 0.0)
    if counts is not None and isinstance(label_share, Tensor):
        label_share = torch.where(counts, label_share, 0.0)
    heard = share != 0.0 if isinstance(share, Tensor) else counts
    if heard is not None:
        said = _where_heard(heard, said, logits)
    return Answer(said, share, label_share)


def _where_heard(
    heard: Tensor, said: Tensor | FewLogits | float, logits: Tensor
) -> Tensor | FewLogits | float:
    """What is said, and 0 where it is not heard."""
    dim = class_dim(logits)
    if isinstance(said, FewLogits):
        values, classes, others = said
        if isinstance(others, Tensor):
            others = torch.where(heard, others, 0.0)
        return FewLogits(torch.where(heard.unsqueeze(dim), values, 0.0), classes, others)
    if not isinstance(said, Tensor):
        return said
    return torch.where(heard.unsqueeze(dim) if said.shape == logits.shape else heard, said, 0.0)


def weighed(loss: Tensor, weight: Tensor | None) -> Tensor:
    """Return the loss of each sample times its weight; 0 for no weight, even if it is infinite."""
    if weight is None:
        return loss
    if weight.dtype == torch.bool:
        return torch.where(weight, loss, 0.0)
    return times(weight, loss)


def constant(value: Tensor | float, logits: Tensor) -> Tensor | float:
    """Return a number of a teacher, or one for each sample, without gradient, in their dtype."""
    return value.detach().to(logits.dtype) if isinstance(value, Tensor) else value


def reduced(loss: Tensor, divisor: Tensor | int, reduction: str) -> Tensor:
    """Return the loss of each sample, their sum, or their sum over the divisor."""
    if reduction == "none":
        return loss
    total = loss.sum()
    return total if reduction == "sum" else total / divisor
