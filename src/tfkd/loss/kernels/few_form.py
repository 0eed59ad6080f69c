"""The loss of a teacher of few logits in sums over the classes.

By operations that torch can differentiate, transform and compile.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from tfkd.loss import terms
from tfkd.loss.kernels.few_target import few_target
from tfkd.loss.terms import LossSettings, dot, is_number, softened
from tfkd.teachers.base import Answer
from tfkd.teachers.few_logits import FewLogits


def closed_form_of_few(
    logits: Tensor,
    labels: Tensor,
    answer: Answer,
    class_weight: Tensor | None,
    settings: LossSettings,
) -> Tensor:
    """Return `tfkd.distillation_loss` of checked arguments, for α above 0.

    With the probabilities t of k classes and `other` of each of the rest, and the student's p,

        KL = Σ t·log t − Σ_k t_k·log p_k − other · Σ_rest log p

    Args:
        logits: `(N, K)`, `(N, K, d1, ...)` or `(K,)`.
        labels: class indices `(N)`, `(N, d1, ...)` or `()`, int64; or probabilities of the shape
            of the logits.
        answer: few logits and the shares.
        class_weight: `(K,)` or None.
        settings: of the loss.
    """
    z, labels, class_weight = terms.in_one_precision(logits, labels, class_weight)
    dim = terms.class_dim(z)
    weight, divisor = terms.sample_weights(labels, z, class_weight, settings.ignore_index)
    answer = terms.without_ignored(answer, labels, z, settings.ignore_index)
    few = answer.logits
    assert isinstance(few, FewLogits)
    share, label_share = (terms.constant(value, z) for value in answer[1:])
    numbers = (settings.alpha, settings.temperature, settings.scale)
    alpha, tau, s = (terms.constant(value, z) for value in numbers)

    z = terms.near_0(z)
    log_p_tau = F.log_softmax(softened(z, tau), dim)
    target = few_target(few, z, tau, z.dtype)
    log_p_few = log_p_tau.gather(dim, few.classes)
    divergence = target.negative_entropy.squeeze(dim) - dot(target.each, log_p_few, dim)
    if target.other is not None:
        of_rest = _sum_of_rest(log_p_tau, log_p_few, dim)
        divergence = divergence - terms.times(target.other.squeeze(dim), of_rest)
    loss = terms.times(alpha * tau**2 * share, terms.weighed(divergence, weight))

    kept = (1.0 - alpha) * label_share
    if not is_number(kept, 0.0):
        log_p = log_p_tau if is_number(tau, 1.0) else F.log_softmax(z, dim)
        if labels.is_floating_point():
            label_term = -dot(terms.times_class_weight(labels, class_weight, dim), log_p, dim)
        else:
            ignored = settings.ignore_index
            label_term = F.nll_loss(log_p, labels, ignore_index=ignored, reduction="none")
            label_term = terms.weighed(label_term, weight)
        loss = loss + terms.times(kept, label_term)
    elif not labels.is_floating_point():  # only to refuse an index out of range, as torch does
        F.nll_loss(log_p_tau.detach(), labels, ignore_index=settings.ignore_index)
    return terms.reduced(s * loss, divisor, settings.reduction)


def _sum_of_rest(log_p: Tensor, log_p_few: Tensor, dim: int) -> Tensor:
    """Σ log p over the classes that are not the few; minus infinity if one of them is masked."""
    every, masked = _sum_of_finite(log_p, dim)
    few, masked_few = _sum_of_finite(log_p_few, dim)
    return torch.where(masked > masked_few, -math.inf, every - few)


def _sum_of_finite(log_p: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """The sum of what is not minus infinity, and how often it is."""
    masked = log_p == -math.inf
    return torch.where(masked, 0.0, log_p).sum(dim), masked.sum(dim)
