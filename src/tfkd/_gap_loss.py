"""The loss of a gap teacher and its gradient in one sweep over the logits."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.forward_ad import unpack_dual

from tfkd._loss_terms import LossNumbers, loss_by_terms, softened_gap

BLOCK = 1 << 20
"""Logits to a block, about: what it works on stays in the cache, and is all that it allocates
beside the gradient."""

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
        and not torch.compiler.is_compiling()
        and not torch._C._are_functorch_transforms_active()  # what Function.apply itself asks
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
        return gradient, *NO_GRADIENTS


def _loss_and_gradient(
    logits: Tensor, labels: Tensor, gap: float, class_weight: Tensor | None, numbers: LossNumbers
) -> tuple[Tensor, Tensor]:
    """The reduced loss, and its gradient; for `none` each position's loss, and their sum's."""
    dtype = torch.float32 if logits.dtype.itemsize < 4 else logits.dtype
    gradient = torch.empty_like(logits)
    loss = torch.empty(labels.shape, dtype=dtype, device=logits.device)
    weight, divisor = _position_weight(labels, class_weight, numbers, dtype)
    share: Tensor | float = numbers.scale
    if isinstance(weight, Tensor):
        # A position of no weight has no gradient, even where all the weights add up to 0.
        share = torch.where(weight == 0.0, 0.0, numbers.scale * weight / divisor)
    else:
        share = numbers.scale * weight / divisor
    samples = len(logits)
    rows = max(BLOCK * samples // max(logits.numel(), 1), 1)
    for first in range(0, samples, rows):
        part = slice(first, first + rows)
        _block(
            logits[part],
            labels[part],
            gap,
            share[part] if isinstance(share, Tensor) else share,
            numbers,
            gradient=gradient[part],
            loss=loss[part],
        )
    if isinstance(weight, Tensor):
        loss = torch.where(weight == 0.0, 0.0, loss * weight)
    if numbers.scale != 1.0:
        loss = numbers.scale * loss
    if numbers.reduction != "none":
        loss = loss.sum()
    return (loss / divisor if numbers.reduction == "mean" else loss), gradient


def _position_weight(
    labels: Tensor, class_weight: Tensor | None, numbers: LossNumbers, dtype: torch.dtype
) -> tuple[Tensor | float, Tensor | float]:
    """Weight of each position, a number where all have the same, and the divisor of the mean."""
    mean = numbers.reduction == "mean"
    ignored = labels == numbers.ignore_index
    # On a GPU it is cheaper to weigh all than to wait for whether any is ignored.
    if class_weight is None and labels.device.type == "cpu" and not ignored.any():
        return 1.0, float(labels.numel()) if mean else 1.0
    if class_weight is None:
        weight = (~ignored).to(dtype)
    else:
        # Clamped only so that this look-up cannot fail before the label itself is reported.
        index = labels.masked_fill(ignored, 0).clamp(0, len(class_weight) - 1)
        weight = class_weight.to(dtype)[index].masked_fill(ignored, 0.0)
    return weight, weight.sum() if mean else 1.0


def _block(
    logits: Tensor,
    labels: Tensor,
    gap: float,
    share: Tensor | float,
    numbers: LossNumbers,
    *,
    gradient: Tensor,
    loss: Tensor,
) -> None:
    """Write the loss of each position, unweighted, and its gradient times `share`.

    With everything measured from the largest logit, whose probabilities are p_max and p_τ,max,

        loss     = (1-α)·(-log p_max) + α·τ²·(Σ_k t_k·log t_k - log p_τ,max)
                   - c·z_y - α·τ·t_other·Σ_k z_k
        gradient = (1-α)·p + α·τ·(p_τ - t_other), less c at the true class y
        c        = (1-α) + α·τ·(t_true - t_other)
    """
    alpha, tau = numbers.alpha, numbers.temperature
    classes = logits.shape[1]
    true, other = softened_gap(gap / tau, classes)
    at_label = (1.0 - alpha) + alpha * tau * (true - other)
    everywhere = alpha * tau * other

    whole = logits.dtype.itemsize >= 4
    z = logits if whole else logits.float()
    result = gradient if whole else torch.empty_like(z)
    top = z.amax(1)
    # Also reports a label out of range, as torch does; 0 at labels that are ignored.
    true_logit = F.nll_loss(z, labels, ignore_index=numbers.ignore_index, reduction="none").neg_()

    if tau == 1.0:
        softened = torch.softmax(z, 1, out=result)
        value = softened.amax(1).log_().neg_()
        weight = 1.0
    else:
        softened = z * (1.0 / tau)
        torch.softmax(softened, 1, out=softened)
        value = softened.amax(1).log_().mul_(-alpha * tau**2)
        if alpha < 1.0:
            torch.softmax(z, 1, out=result)
            value.add_(result.amax(1).log_(), alpha=alpha - 1.0)
            softened = torch.add(softened, result, alpha=(1.0 - alpha) / (alpha * tau), out=result)
        weight = alpha * tau
    if other > 0.0:
        value += alpha * tau**2 * (true * math.log(true) + (classes - 1) * other * math.log(other))
        value.sub_(z.sum(1).sub_(top, alpha=classes), alpha=everywhere)
    if at_label != 0.0:
        value.sub_(true_logit.sub_(top), alpha=at_label)
    loss.copy_(value)

    factor = 1.0 if isinstance(share, Tensor) else share
    shift = torch.full((), -everywhere * factor, dtype=z.dtype, device=z.device)
    torch.add(shift, softened, alpha=weight * factor, out=result)
    index = labels.unsqueeze(1)
    if isinstance(share, Tensor):
        index = index.masked_fill(index == numbers.ignore_index, 0)
    result.scatter_(1, index, result.gather(1, index).sub_(at_label * factor))
    if isinstance(share, Tensor):
        result.mul_(share.unsqueeze(1))
    if not whole:
        gradient.copy_(result)
