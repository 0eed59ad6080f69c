"""The loss, term by term, by operations that torch can differentiate, transform and compile."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

LOG2_E = math.log2(math.e)

COMPILED_POWER = 32
"""Whole powers below it are compiled to multiplications. They are powers of exp2, because Inductor
keeps an exp that is used twice in memory."""


class LossNumbers(NamedTuple):
    """The numbers of a loss.

    Attributes:
        alpha: weight of the teacher term, above 0.
        temperature: τ.
        scale: loss scale s.
        ignore_index: class index whose positions do not count.
        reduction: `mean`, `sum` or `none`.
    """

    alpha: float
    temperature: float
    scale: float
    ignore_index: int
    reduction: str


def softened_gap(gap: float, num_classes: int) -> tuple[float, float]:
    """Return the probability of the true class and of each other one, for a gap of logits."""
    others = (num_classes - 1) * math.exp(-gap)
    return 1.0 / (1.0 + others), math.exp(-gap) / (1.0 + others)


def negative_entropy(true: float, other: float, num_classes: int) -> float:
    """Return Σ_k t_k·log t_k of such a soft target, none of it 0."""
    return true * math.log(true) + (num_classes - 1) * other * math.log(other)


def loss_by_terms(
    student_logits: Tensor,
    labels: Tensor,
    teacher_logits: Tensor | float,
    weight: Tensor | None,
    numbers: LossNumbers,
) -> Tensor:
    """Return `tfkd.distillation_loss` of checked arguments; class indices are int64."""
    alpha, temperature, scale, ignore_index, reduction = numbers
    z = at_least_float32(student_logits)
    class_weight = None if weight is None else weight.to(z.dtype)
    soft_labels = labels.to(z.dtype) if labels.shape == z.shape else None
    position_weight, divisor = _position_weights(z, labels, soft_labels, class_weight, ignore_index)

    class_dim = 0 if z.dim() == 1 else 1
    if soft_labels is None and not isinstance(teacher_logits, Tensor):
        loss = _class_index_loss(z, labels, teacher_logits, class_dim, numbers)
        return _reduce(scale * _weigh(loss, position_weight), divisor, reduction)

    # The terms are per position, so that each may be infinite alone: 0 · inf never arises.
    log_student = F.log_softmax(z / temperature if temperature != 1.0 else z, dim=class_dim)
    if isinstance(teacher_logits, Tensor):
        t = teacher_logits.detach().to(z.dtype)
        divergence = _tensor_divergence(log_student, t / temperature, class_dim)
    else:
        assert soft_labels is not None
        divergence = _gap_divergence(
            log_student, soft_labels, teacher_logits / temperature, class_dim
        )
    loss = alpha * temperature**2 * _weigh(divergence, position_weight)

    if alpha < 1.0:
        log_p = log_student if temperature == 1.0 else F.log_softmax(z, dim=class_dim)
        if soft_labels is None:
            label_loss = F.nll_loss(
                log_p, labels, class_weight, ignore_index=ignore_index, reduction="none"
            )
        else:
            label_loss = -_dot(_per_class(soft_labels, class_weight, class_dim), log_p, class_dim)
        loss = loss + (1.0 - alpha) * label_loss
    elif soft_labels is None:
        # Unused, but it reports a class index out of range as torch does.
        F.nll_loss(log_student.detach(), labels, ignore_index=ignore_index)

    return _reduce(loss if scale == 1.0 else scale * loss, divisor, reduction)


def _reduce(loss: Tensor, divisor: Tensor | int, reduction: str) -> Tensor:
    if reduction == "none":
        return loss
    total = loss.sum()
    return total if reduction == "sum" else total / divisor


def at_least_float32(logits: Tensor) -> Tensor:
    """Return logits of half precision in float32, others as they are."""
    return logits.float() if logits.dtype.itemsize < 4 else logits


def _dot(probabilities: Tensor, log_probabilities: Tensor, dim: int) -> Tensor:
    """Sum of p · log p' over classes, where a class without mass counts 0 even at −inf."""
    product = torch.where(probabilities == 0.0, 0.0, probabilities * log_probabilities)
    return product.sum(dim)


def _per_class(soft_labels: Tensor, class_weight: Tensor | None, dim: int) -> Tensor:
    """Soft labels times the weight of each class."""
    if class_weight is None:
        return soft_labels
    shape = [1] * soft_labels.dim()
    shape[dim] = -1
    return soft_labels * class_weight.view(shape)


def _weigh(loss: Tensor, position_weight: Tensor | None) -> Tensor:
    """Weigh each position; one of no weight counts 0 even where its loss is infinite."""
    if position_weight is None:
        return loss
    if position_weight.dtype == torch.bool:
        return torch.where(position_weight, loss, 0.0)
    return torch.where(position_weight == 0.0, 0.0, loss * position_weight)


def _position_weights(
    z: Tensor,
    labels: Tensor,
    soft_labels: Tensor | None,
    class_weight: Tensor | None,
    ignore_index: int,
) -> tuple[Tensor | None, Tensor | int]:
    """Weight of each position, Σ_k q_k·w_k (None: all 1; bool: 1 or 0), and the mean's divisor."""
    class_dim = 0 if z.dim() == 1 else 1
    if soft_labels is not None:
        weights = None
        if class_weight is not None:
            weights = _per_class(soft_labels, class_weight, class_dim).sum(class_dim)
        return weights, z.numel() // z.shape[class_dim]
    if class_weight is None:
        valid = labels != ignore_index
        return valid, valid.sum()
    weights = label_weights(labels, class_weight, ignore_index, z.dtype)
    return weights, weights.sum()


def label_weights(
    labels: Tensor, class_weight: Tensor | None, ignore_index: int, dtype: torch.dtype
) -> Tensor:
    """Return the weight of each class index, 0 where it is ignored."""
    valid = labels != ignore_index
    if class_weight is None:
        return valid.to(dtype)
    # Clamped only so that this look-up cannot fail before torch reports the label itself.
    index = torch.where(valid, labels, 0).clamp(0, len(class_weight) - 1)
    # Not by indexing, which vmap cannot do with the label of a single sample.
    return class_weight.index_select(0, index.flatten()).view(index.shape) * valid


def _tensor_divergence(log_student: Tensor, softened_logits: Tensor, dim: int) -> Tensor:
    """KL(t ‖ p) of each position, t = softmax of the teacher's logits over temperature."""
    log_teacher = F.log_softmax(softened_logits, dim=dim)
    return _dot(log_teacher.exp(), log_teacher - log_student, dim)


def _class_index_loss(
    z: Tensor, labels: Tensor, gap: float, dim: int, numbers: LossNumbers
) -> Tensor:
    """Loss of each position for class indices, unweighted, in sums over the classes alone.

    With logits z measured from the largest of their position,

        loss = c·(-z_y) - α·τ·t_other·Σ_k z_k + (1-α)·lse(z) + α·τ²·(lse(z/τ) + Σ_k t_k·log t_k)
        c    = (1-α) + α·τ·(t_true - t_other)
    """
    alpha, tau = numbers.alpha, numbers.temperature
    classes = z.shape[dim]
    true, other = softened_gap(gap / tau, classes)
    # The loss does not depend on what it is measured from, so neither does its gradient.
    # Contiguous, for the derivatives of nll_loss that torch.func takes.
    z = (z - z.detach().amax(dim, keepdim=True)).contiguous()
    # Also reports a label out of range, as torch does.
    below = F.nll_loss(z, labels, ignore_index=numbers.ignore_index, reduction="none")
    exponential = torch.exp2(z * (LOG2_E / tau))
    if tau == 1.0:
        loss = exponential.sum(dim).log()
    else:
        loss = alpha * tau**2 * exponential.sum(dim).log()
        if alpha < 1.0:
            # Compiled, a power costs less than another exponential.
            power = (
                torch.compiler.is_compiling() and float(tau).is_integer() and tau < COMPILED_POWER
            )
            sharp = exponential.pow(int(tau)) if power else torch.exp2(z * LOG2_E)
            loss = loss + (1.0 - alpha) * sharp.sum(dim).log()
    at_label = (1.0 - alpha) + alpha * tau * (true - other)
    if at_label != 0.0:
        loss = loss + at_label * below
    if other >= torch.finfo(z.dtype).tiny:  # times an infinite logit it were not 0
        constant = alpha * tau**2 * negative_entropy(true, other, classes)
        loss = loss - alpha * tau * other * z.sum(dim) + constant
    return loss


def _gap_divergence(log_student: Tensor, soft_labels: Tensor, gap: float, dim: int) -> Tensor:
    """KL(t ‖ p) for the q-mixture t_k = t_other Σ_c q_c + (t_true − t_other) q_k."""
    true, other = softened_gap(gap, log_student.shape[dim])
    mass = soft_labels.sum(dim)
    target = other * mass.unsqueeze(dim) + (true - other) * soft_labels
    divergence: Tensor = -torch.special.entr(target).sum(dim)
    if other >= torch.finfo(log_student.dtype).tiny:
        divergence = divergence - other * mass * log_student.sum(dim)
    if true != other:
        divergence = divergence - (true - other) * _dot(soft_labels, log_student, dim)
    return divergence
