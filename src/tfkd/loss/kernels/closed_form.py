"""The loss of a gap teacher in sums over the classes.

By operations that torch can differentiate, transform and compile.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from tfkd.loss import terms
from tfkd.loss.terms import LossSettings, dot, softened, softened_gap

LOG2_E = math.log2(math.e)

COMPILED_POWER = 32
"""Whole powers below it are compiled to multiplications. They are powers of exp2, because Inductor
keeps an exp that is used twice in memory."""


class GapTarget(NamedTuple):
    """The target (1−α)·q + α·τ·t_τ of a class index and a gap teacher.

    Attributes:
        floor: what it gives to every class.
        extra: what it gives to the true class on top.
        constant: α·τ²·Σ_k t_k·log t_k, which the loss holds beside it.
    """

    floor: float
    extra: float
    constant: float


def gap_target(
    gap: float, num_classes: int, settings: LossSettings, dtype: torch.dtype
) -> GapTarget:
    """Return the target; `floor` and `constant` are 0 where the dtype has no such probability."""
    alpha, tau = settings.alpha, settings.temperature
    true, other = softened_gap(gap / tau, num_classes)
    extra = (1.0 - alpha) + alpha * tau * (true - other)
    if other < torch.finfo(dtype).tiny:  # times an infinite logit it were not 0
        return GapTarget(0.0, extra, 0.0)
    negative_entropy = true * math.log(true) + (num_classes - 1) * other * math.log(other)
    return GapTarget(alpha * tau * other, extra, alpha * tau**2 * negative_entropy)


def closed_form_loss(
    logits: Tensor, labels: Tensor, gap: float, class_weight: Tensor | None, settings: LossSettings
) -> Tensor:
    """Return `tfkd.distillation_loss` of checked arguments, for α above 0.

    Args:
        logits: `(N, K)`, `(N, K, d1, ...)` or `(K,)`.
        labels: class indices `(N)`, `(N, d1, ...)` or `()`, int64; or probabilities of the shape
            of the logits.
        gap: of the teacher's logits before they are softened, at least 0; may be infinite.
        class_weight: `(K,)` or None.
        settings: of the loss.
    """
    z, labels, class_weight = terms.in_one_precision(logits, labels, class_weight)
    weight, divisor = terms.sample_weights(labels, z, class_weight, settings.ignore_index)
    if labels.is_floating_point():
        loss = _of_probabilities(z, labels, gap, class_weight, weight, settings)
    else:
        loss = terms.weighed(_of_class_indices(z, labels, gap, settings), weight)
    return terms.reduced(settings.scale * loss, divisor, settings.reduction)


def _of_class_indices(z: Tensor, labels: Tensor, gap: float, settings: LossSettings) -> Tensor:
    """Loss of each sample, without its weight; nothing of the shape of the logits is a target.

    With logits z measured from the largest of their sample,

        loss = -extra·z_y - floor·Σ_k z_k + (1-α)·lse(z) + α·τ²·lse(z/τ) + constant
    """
    alpha, tau = settings.alpha, settings.temperature
    dim = terms.class_dim(z)
    target = gap_target(gap, z.shape[dim], settings, z.dtype)
    # The loss does not depend on what it is measured from, so neither does its gradient.
    # Contiguous, for the derivatives of nll_loss that torch.func takes.
    z = (z - z.detach().amax(dim, keepdim=True)).contiguous()
    # Also reports a label out of range, as torch does.
    below = F.nll_loss(z, labels, ignore_index=settings.ignore_index, reduction="none")
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
    if target.extra != 0.0:
        loss = loss + target.extra * below
    if target.floor != 0.0:
        loss = loss - target.floor * z.sum(dim) + target.constant
    return loss


def _of_probabilities(
    z: Tensor,
    q: Tensor,
    gap: float,
    class_weight: Tensor | None,
    weight: Tensor | None,
    settings: LossSettings,
) -> Tensor:
    """Loss of each sample, with its weight, its target being mixed by the labels q.

    t = other·Σ_c q_c + (true − other)·q, and, p being the student's probabilities at τ,

        KL = Σ_k t_k·log t_k - other·Σ_c q_c·Σ_k log p_k - (true - other)·Σ_k q_k·log p_k
    """
    alpha, tau = settings.alpha, settings.temperature
    dim = terms.class_dim(z)
    log_p_tau = F.log_softmax(softened(z, tau), dim)
    true, other = softened_gap(gap / tau, z.shape[dim])
    mass = q.sum(dim)
    target = other * mass.unsqueeze(dim) + (true - other) * q
    divergence: Tensor = -torch.special.entr(target).sum(dim)
    if other >= torch.finfo(z.dtype).tiny:  # below it, times an infinite logit it were not 0
        divergence = divergence - other * mass * log_p_tau.sum(dim)
    if true != other:
        divergence = divergence - (true - other) * dot(q, log_p_tau, dim)
    loss = alpha * tau**2 * terms.weighed(divergence, weight)
    if alpha < 1.0:
        log_p = log_p_tau if tau == 1.0 else F.log_softmax(z, dim)
        label_loss = -dot(terms.times_class_weight(q, class_weight, dim), log_p, dim)
        loss = loss + (1.0 - alpha) * label_loss
    return loss
