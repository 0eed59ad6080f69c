"""The loss of a gap teacher and its gradient in one sweep over the logits."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.forward_ad import unpack_dual

from tfkd.loss.terms import (
    LossNumbers,
    at_least_float32,
    label_weights,
    loss_by_terms,
    negative_entropy,
    softened_gap,
)
from tfkd.teachers.base import is_transformed

BLOCK = 1 << 19
"""Logits to a block, about: what it works on stays in the cache, and is all that it allocates
beside the gradient."""

SMALL = 1e-30
"""Smallest probability whose logarithm is taken; of one below it too few digits may be left."""

NO_GRADIENTS = (None,) * 4
"""Of the labels, the gap, the class weights and the numbers."""


def takes_gap_loss(logits: Tensor) -> bool:
    """Whether a gradient will be asked for, of a plain tensor and by plain backpropagation.

    Compilers, `torch.func`, forward-mode differentiation and subclasses of tensors get operations
    that they can follow.
    """
    return (
        logits.requires_grad
        and torch.is_grad_enabled()
        and type(logits) in (Tensor, torch.nn.Parameter)
        and not is_transformed()
        and unpack_dual(logits).tangent is None  # type: ignore[no-untyped-call]
    )


def gap_loss(
    logits: Tensor, labels: Tensor, gap: float, class_weight: Tensor | None, numbers: LossNumbers
) -> Tensor:
    """Return the loss; its gradient is computed on the way and kept for the backward pass.

    Args:
        logits: `(N, K)` or `(N, K, d1, ...)`.
        labels: class indices `(N)` or `(N, d1, ...)`, int64.
        gap: of the teacher's logits, before they are softened.
        class_weight: `(K,)` or None.
        numbers: of the loss.
    """
    loss: Tensor = _GapLoss.apply(logits, labels, gap, class_weight, numbers)
    return loss


class _GapLoss(Function):
    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        labels: Tensor,
        gap: float,
        class_weight: Tensor | None,
        numbers: LossNumbers,
    ) -> Tensor:
        loss, ctx.gradient = _loss_and_gradient(logits, labels, gap, class_weight, numbers)
        ctx.gap, ctx.numbers = gap, numbers
        ctx.save_for_backward(logits, labels, class_weight)
        return loss

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        logits, labels, class_weight = ctx.saved_tensors
        of = (labels, ctx.gap, class_weight, ctx.numbers)
        if torch.is_grad_enabled():  # to be differentiated again
            loss = loss_by_terms(logits, *of)
            return *torch.autograd.grad(loss, logits, upstream, create_graph=True), *NO_GRADIENTS
        # Given away, so that nobody else holds what the caller may change; made anew if the graph
        # is kept and asked again.
        gradient, ctx.gradient = ctx.gradient, None
        if gradient is None:
            gradient = _loss_and_gradient(logits, *of)[1]
        if upstream.dim() > 0:
            gradient.mul_(upstream.unsqueeze(1))
        elif upstream.device.type != "cpu" or upstream.item() != 1.0:
            gradient.mul_(upstream)
        return gradient.to(logits.dtype), *NO_GRADIENTS


def _loss_and_gradient(
    logits: Tensor, labels: Tensor, gap: float, class_weight: Tensor | None, numbers: LossNumbers
) -> tuple[Tensor, Tensor]:
    """The reduced loss, and its gradient; for `none` each position's loss, and their sum's."""
    # In float16 it would underflow before the backward pass can scale it (torch.amp.GradScaler).
    kept_dtype = torch.float32 if logits.dtype == torch.float16 else logits.dtype
    gradient = torch.empty_like(logits, dtype=kept_dtype)
    weight, divisor = _position_weight(logits, labels, class_weight, numbers)
    share: Tensor | float = numbers.scale / divisor
    if weight is not None:
        # A position of no weight has no gradient, even where all the weights add up to 0.
        share = torch.where(weight == 0.0, 0.0, numbers.scale * weight / divisor)
    samples = len(logits)
    rows = max(BLOCK * samples // max(logits.numel(), 1), 1)
    if rows >= samples:
        loss = _block(logits, labels, gap, share, numbers, gradient)
    else:
        parts = [slice(first, first + rows) for first in range(0, samples, rows)]
        shares = [share[part] if isinstance(share, Tensor) else share for part in parts]
        loss = torch.cat(
            [
                _block(logits[part], labels[part], gap, own, numbers, gradient[part])
                for part, own in zip(parts, shares, strict=True)
            ]
        )
    if weight is not None:
        loss = torch.where(weight == 0.0, 0.0, numbers.scale * weight * loss)
    if numbers.reduction != "none":
        loss = loss.sum()
    if weight is not None:
        return loss / divisor, gradient
    return (loss if share == 1.0 else loss * share), gradient


def _position_weight(
    logits: Tensor, labels: Tensor, class_weight: Tensor | None, numbers: LossNumbers
) -> tuple[Tensor | None, Tensor | float]:
    """Weight of each position, None where all count alike, and the divisor of the mean."""
    mean = numbers.reduction == "mean"
    # On a GPU it is cheaper to weigh all than to wait for whether any is ignored.
    on_cpu = labels.device.type == "cpu"
    if class_weight is None and on_cpu and not (labels == numbers.ignore_index).any():
        return None, (float(labels.numel()) or math.nan) if mean else 1.0
    dtype = torch.promote_types(logits.dtype, torch.float32)
    class_weight = None if class_weight is None else class_weight.to(dtype)
    weight = label_weights(labels, class_weight, numbers.ignore_index, dtype)
    return weight, weight.sum() if mean else 1.0


def _block(
    logits: Tensor,
    labels: Tensor,
    gap: float,
    share: Tensor | float,
    numbers: LossNumbers,
    gradient: Tensor,
) -> Tensor:
    """Return the loss of each position, unweighted; write its gradient times `share`.

    Measured from the logit z_r of a class r whose probabilities are p_r and p_τ,r,

        loss     = -(1-α)·log p_r - α·τ²·log p_τ,r + c·(z_r - z_y)
                   - α·τ·t_other·(Σ_k z_k - K·z_r) + α·τ²·Σ_k t_k·log t_k
        gradient = (1-α)·p + α·τ·(p_τ - t_other), less c at the true class y
        c        = (1-α) + α·τ·(t_true - t_other)
    """
    alpha, tau = numbers.alpha, numbers.temperature
    classes = logits.shape[1]
    true, other = softened_gap(gap / tau, classes)
    at_label = (1.0 - alpha) + alpha * tau * (true - other)
    z = at_least_float32(logits)
    if other < torch.finfo(z.dtype).tiny:  # times an infinite logit it were not 0
        other = 0.0
    everywhere = alpha * tau * other
    # A copy in another dtype than the gradient's is written over.
    result = gradient if gradient.dtype == z.dtype else z
    index = labels.unsqueeze(1)
    if isinstance(share, Tensor):
        index = index.masked_fill(index == numbers.ignore_index, 0)
    try:
        z_y = z.gather(1, index).squeeze(1)
    except RuntimeError:
        F.nll_loss(z, labels, ignore_index=numbers.ignore_index)  # names the label, as torch does
        raise
    total = z.sum(1) if other > 0.0 else None

    # Probabilities, with their weights in the loss and in the gradient.
    terms = []
    if tau != 1.0:
        scaled = z * (1.0 / tau)
        terms.append((torch.softmax(scaled, 1, out=scaled), alpha * tau**2, alpha * tau))
    if tau == 1.0 or alpha < 1.0:
        weight = 1.0 if tau == 1.0 else 1.0 - alpha
        terms.append((torch.softmax(z, 1, out=result), weight, weight))
    z_r, of_r = z_y, [p.gather(1, index).squeeze(1) for p, _, _ in terms]
    if z.device.type == "cpu" and z_r.numel() > 0 and all(p_r.amin() >= SMALL for p_r in of_r):
        loss = torch.zeros_like(z_r)
    else:
        z_r, of_r = logits.amax(1).to(z.dtype), [p.amax(1) for p, _, _ in terms]
        loss = torch.zeros_like(z_r) if at_label == 0.0 else (z_r - z_y).mul_(at_label)
    for p_r, (_, weight, _) in zip(of_r, terms, strict=True):
        loss.sub_(p_r.log_(), alpha=weight)
    if total is not None:
        loss.sub_(total.sub_(z_r, alpha=classes), alpha=everywhere)
        loss.add_(alpha * tau**2 * negative_entropy(true, other, classes))

    factor = 1.0 if isinstance(share, Tensor) else share
    p, _, weight = terms[0]
    if len(terms) > 1:
        sharp, _, sharp_weight = terms[1]
        p = torch.add(p, sharp, alpha=sharp_weight / weight, out=result)
    if everywhere == 0.0:
        torch.mul(p, weight * factor, out=result)
    else:
        shift = torch.full((), -everywhere * factor, dtype=z.dtype, device=z.device)
        torch.add(shift, p, alpha=weight * factor, out=result)
    result.scatter_(1, index, result.gather(1, index).sub_(at_label * factor))
    if isinstance(share, Tensor):
        result.mul_(share.unsqueeze(1))
    if result is not gradient:
        gradient.copy_(result)
    return loss
