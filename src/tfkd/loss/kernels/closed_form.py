"""The loss of a gap teacher in sums over the classes.

By operations that torch can differentiate, transform and compile.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from tfkd.loss import terms
from tfkd.loss.kernels.exponentials import LOG2_E
from tfkd.loss.terms import LossSettings, dot, is_number, softened, softened_gap
from tfkd.teachers.base import Answer, is_plain

COMPILED_POWER = 32
"""Whole powers below it are compiled to multiplications. They are powers of exp2, because Inductor
keeps an exp that is used twice in memory."""


class GapTarget(NamedTuple):
    """The target (1−α)·q + α·τ·t_τ of a class index and a gap teacher.

    Attributes:
        floor: what it gives to every class; a tensor where gaps, shares or settings are some.
        extra: what it gives to the true class on top.
        constant: α·τ²·Σ_k t_k·log t_k, which the loss holds beside it.
    """

    floor: Any
    extra: Any
    constant: Any


def gap_target(
    gap: Tensor | float,
    num_classes: int,
    temperature: Tensor | float,
    dtype: torch.dtype,
    *,
    kept: Tensor | float,
    taught: Tensor | float,
) -> GapTarget:
    """Return the target; `floor` and `constant` are 0 where the dtype has no such probability.

    Args:
        gap: one, or one for each sample.
        num_classes: K.
        temperature: τ.
        dtype: of the logits.
        kept: weight of the label term, 1 − α.
        taught: weight of the teacher term, α.
    """
    true, other = softened_gap(gap / temperature, num_classes)
    extra = kept + taught * temperature * (true - other)
    tiny = torch.finfo(dtype).tiny
    if isinstance(true, Tensor):
        counts = other >= tiny  # times an infinite logit it were not 0
        logs = torch.special.xlogy(true, true) + (num_classes - 1) * torch.special.xlogy(
            other, other
        )
        floor = taught * temperature * torch.where(counts, other, 0.0)
        return GapTarget(floor, extra, taught * temperature**2 * torch.where(counts, logs, 0.0))
    if other < tiny:
        return GapTarget(0.0, extra, 0.0)
    negative_entropy = true * math.log(true) + (num_classes - 1) * other * math.log(other)
    constant = taught * temperature**2 * negative_entropy
    return GapTarget(taught * temperature * other, extra, constant)


def closed_form_loss(
    logits: Tensor,
    labels: Tensor,
    answer: Answer,
    class_weight: Tensor | None,
    settings: LossSettings,
) -> Tensor:
    """Return `tfkd.distillation_loss` of checked arguments, for α above 0.

    Args:
        logits: `(N, K)`, `(N, K, d1, ...)` or `(K,)`.
        labels: class indices `(N)`, `(N, d1, ...)` or `()`, int64; or probabilities of the shape
            of the logits.
        answer: the gap of the teacher's logits before they are softened, one or one for each
            sample, and the shares.
        class_weight: `(K,)` or None.
        settings: of the loss.
    """
    z, labels, class_weight = terms.in_one_precision(logits, labels, class_weight)
    weight, divisor = terms.sample_weights(labels, z, class_weight, settings.ignore_index)
    answer = terms.without_ignored(answer, labels, z, settings.ignore_index)
    said: Any = answer  # a gap
    gap, share, label_share = (terms.constant(value, z) for value in said)
    numbers = (settings.alpha, settings.temperature, settings.scale)
    alpha, tau, s = (terms.constant(value, z) for value in numbers)
    kept, taught = (1.0 - alpha) * label_share, alpha * share
    both = 1.0 if is_plain(answer) else kept + taught
    parts = _Parts(gap, kept, taught, both, tau)
    if labels.is_floating_point():
        loss = _of_probabilities(z, labels, parts, class_weight, weight)
    else:
        loss = terms.weighed(_of_class_indices(z, labels, parts, settings.ignore_index), weight)
    return terms.reduced(s * loss, divisor, settings.reduction)


class _Parts(NamedTuple):
    """The gap, the weights of the label term, of the teacher term and of both together, and τ."""

    gap: Any
    kept: Any
    taught: Any
    both: Any
    temperature: Any


def _of_class_indices(z: Tensor, labels: Tensor, parts: _Parts, ignore_index: int) -> Tensor:
    """Loss of each sample, without its weight; nothing of the shape of the logits is a target.

    With logits z measured from the largest of their sample,

        loss = -extra·z_y - floor·Σ_k z_k + (1-α)·lse(z) + α·τ²·lse(z/τ) + constant
    """
    gap, kept, taught, both, tau = parts
    dim = terms.class_dim(z)
    target = gap_target(gap, z.shape[dim], tau, z.dtype, kept=kept, taught=taught)
    # The loss does not depend on what it is measured from, so neither does its gradient.
    # Contiguous, for the derivatives of nll_loss that torch.func takes.
    z = (z - z.detach().amax(dim, keepdim=True)).contiguous()
    # Also reports a label out of range, as torch does.
    below = F.nll_loss(z, labels, ignore_index=ignore_index, reduction="none")
    exponential = torch.exp2(z * (LOG2_E / tau))
    if is_number(tau, 1.0):
        loss = terms.times(both, exponential.sum(dim).log())
    else:
        loss = taught * tau**2 * exponential.sum(dim).log()
        if not is_number(kept, 0.0):
            sharp = raised(exponential, z, tau)
            loss = loss + kept * sharp.sum(dim).log()
    if isinstance(target.extra, Tensor):
        loss = loss + terms.times(
            torch.where(below.isinf(), target.extra.abs(), target.extra), below
        )
    elif target.extra != 0.0:
        loss = loss + target.extra * below
    if isinstance(target.floor, Tensor):
        loss = loss - terms.times(target.floor, z.sum(dim)) + target.constant
    elif target.floor != 0.0:
        loss = loss - target.floor * z.sum(dim) + target.constant
    return loss


def raised(exponential: Tensor, z: Tensor, tau: Tensor | float) -> Tensor:
    """Return exp(z), of exp(z/τ): compiled, a power costs less than another exponential."""
    power = (
        torch.compiler.is_compiling()
        and not isinstance(tau, Tensor)
        and float(tau).is_integer()
        and tau < COMPILED_POWER
    )
    return exponential.pow(int(tau)) if power else torch.exp2(z * LOG2_E)


def _of_probabilities(
    z: Tensor, q: Tensor, parts: _Parts, class_weight: Tensor | None, weight: Tensor | None
) -> Tensor:
    """Loss of each sample, with its weight, its target being mixed by the labels q.

    t = other·Σ_c q_c + (true − other)·q, and, p being the student's probabilities at τ,

        KL = Σ_k t_k·log t_k - other·Σ_c q_c·Σ_k log p_k - (true - other)·Σ_k q_k·log p_k
    """
    gap, kept, taught, _, tau = parts
    dim = terms.class_dim(z)
    z = terms.near_0(z)
    log_p_tau = F.log_softmax(softened(z, tau), dim)
    true, other = softened_gap(gap / tau, z.shape[dim])
    mass = q.sum(dim)
    each, ahead = terms.by_sample(other, dim), terms.by_sample(true - other, dim)
    target = each * mass.unsqueeze(dim) + ahead * q
    divergence: Tensor = -torch.special.entr(target).sum(dim)
    tiny = torch.finfo(z.dtype).tiny  # below it, times an infinite logit it were not 0
    if isinstance(other, Tensor):
        counts = torch.where(other >= tiny, other, 0.0)
        divergence = divergence - terms.times(counts * mass, log_p_tau.sum(dim))
    elif other >= tiny:
        divergence = divergence - terms.times(other * mass, log_p_tau.sum(dim))
    if isinstance(true, Tensor) or true != other:
        divergence = divergence - _times_ahead(true - other, dot(q, log_p_tau, dim))
    loss = terms.times(taught * tau**2, terms.weighed(divergence, weight))
    if not is_number(kept, 0.0):
        log_p = log_p_tau if is_number(tau, 1.0) else F.log_softmax(z, dim)
        label_loss = -dot(terms.times_class_weight(q, class_weight, dim), log_p, dim)
        loss = loss + terms.times(kept, label_loss)
    return loss


def _times_ahead(ahead: Tensor | float, values: Tensor) -> Tensor:
    """How far the true class is ahead of the others, times its values.

    Of a gap below 0 it is behind; what is infinite is not made up for by the others.
    """
    if isinstance(ahead, Tensor):
        ahead = torch.where(values.isinf(), ahead.abs(), ahead)
    return terms.times(ahead, values)
