"""The loss of a gap teacher and its gradient in one sweep over the logits."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from tfkd.loss.kernels.closed_form import closed_form_loss, gap_target
from tfkd.loss.terms import FAR, LossSettings, at_least_float32, index_weights
from tfkd.teachers.base import Answer, is_transformed

BLOCK = 1 << 19
"""Logits to a block, about: what it works on stays in the cache, and is all that it allocates
beside the gradient."""

SMALL = 1e-30
"""Smallest probability whose logarithm is taken; of one below it too few digits may be left."""

NO_GRADIENTS = (None,) * 4
"""Of the labels, the gap, the class weights and the settings."""


def swept_loss(
    logits: Tensor,
    labels: Tensor,
    answer: Answer,
    class_weight: Tensor | None,
    settings: LossSettings,
) -> Tensor:
    """Return the loss; its gradient is computed on the way and kept for the backward pass.

    Args:
        logits: `(N, K)` or `(N, K, d1, ...)`; a gradient is to be asked for.
        labels: class indices `(N)` or `(N, d1, ...)`, int64.
        answer: the gap of the teacher's logits before they are softened, a number of at least 0;
            may be infinite.
        class_weight: `(K,)` or None.
        settings: of the loss, numbers, α above 0.
    """
    loss: Tensor = _SweptLoss.apply(logits, labels, answer.logits, class_weight, settings)
    return loss


class _SweptLoss(Function):
    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        labels: Tensor,
        gap: float,
        class_weight: Tensor | None,
        settings: LossSettings,
    ) -> Tensor:
        loss, ctx.gradient = _loss_and_gradient(logits, labels, gap, class_weight, settings)
        ctx.gap, ctx.settings, ctx.dtype = gap, settings, logits.dtype
        ctx.save_for_backward(logits, labels, class_weight)
        return loss

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # to be differentiated again
            logits, labels, class_weight = ctx.saved_tensors
            loss = closed_form_loss(logits, labels, Answer(ctx.gap), class_weight, ctx.settings)
            return *torch.autograd.grad(loss, logits, upstream, create_graph=True), *NO_GRADIENTS
        # Given away, so that nobody else holds what the caller may change; made anew if the graph
        # is kept and asked again. Only then are the logits looked at: as after torch's own loss,
        # they may have been changed in place since.
        gradient, ctx.gradient = ctx.gradient, None
        if gradient is None:
            logits, labels, class_weight = ctx.saved_tensors
            gradient = _loss_and_gradient(logits, labels, ctx.gap, class_weight, ctx.settings)[1]
        if is_transformed() or torch._C._functorch.is_legacy_batchedtensor(upstream):
            # Several upstreams at once (`is_grads_batched`), which do not fit into one gradient.
            gradient = gradient * (upstream.unsqueeze(1) if upstream.dim() > 0 else upstream)
        elif upstream.dim() > 0:
            gradient.mul_(upstream.unsqueeze(1))
        elif upstream.device.type != "cpu" or upstream.item() != 1.0:
            gradient.mul_(upstream)
        return gradient.to(ctx.dtype), *NO_GRADIENTS


def _loss_and_gradient(
    logits: Tensor, labels: Tensor, gap: float, class_weight: Tensor | None, settings: LossSettings
) -> tuple[Tensor, Tensor]:
    """The reduced loss, and its gradient; for `none` each sample's loss, and their sum's."""
    # In float16 it would underflow before the backward pass can scale it (torch.amp.GradScaler).
    kept_dtype = torch.float32 if logits.dtype == torch.float16 else logits.dtype
    gradient = torch.empty_like(logits, dtype=kept_dtype)
    weight, divisor = _weight_and_divisor(logits, labels, class_weight, settings)
    factor: Tensor | float = settings.scale / divisor
    if weight is not None:
        # A sample of no weight has no gradient, even where all the weights add up to 0.
        factor = torch.where(weight == 0.0, 0.0, settings.scale * weight / divisor)
    samples = len(logits)
    rows = max(BLOCK * samples // max(logits.numel(), 1), 1)
    if rows >= samples:
        loss = _sweep(logits, labels, gap, factor, settings, gradient)
    else:
        blocks = [slice(first, first + rows) for first in range(0, samples, rows)]
        factors = [factor[block] if isinstance(factor, Tensor) else factor for block in blocks]
        loss = torch.cat(
            [
                _sweep(logits[block], labels[block], gap, own, settings, gradient[block])
                for block, own in zip(blocks, factors, strict=True)
            ]
        )
    if weight is not None:
        loss = torch.where(weight == 0.0, 0.0, settings.scale * weight * loss)
    if settings.reduction != "none":
        loss = loss.sum()
    if weight is not None:
        return loss / divisor, gradient
    return (loss if factor == 1.0 else loss * factor), gradient


def _weight_and_divisor(
    logits: Tensor, labels: Tensor, class_weight: Tensor | None, settings: LossSettings
) -> tuple[Tensor | None, Tensor | float]:
    """Weight of each sample, None where all count alike, and what their sum is divided by."""
    mean = settings.reduction == "mean"
    # On a GPU it is cheaper to weigh all than to wait for whether any is ignored.
    on_cpu = labels.device.type == "cpu"
    if class_weight is None and on_cpu and not (labels == settings.ignore_index).any():
        return None, (float(labels.numel()) or math.nan) if mean else 1.0
    dtype = torch.promote_types(logits.dtype, torch.float32)
    if class_weight is None:
        weight = (labels != settings.ignore_index).to(dtype)
    else:
        weight = index_weights(labels, class_weight.to(dtype), settings.ignore_index)
    return weight, weight.sum() if mean else 1.0


def _sweep(
    logits: Tensor,
    labels: Tensor,
    gap: float,
    factor: Tensor | float,
    settings: LossSettings,
    gradient: Tensor,
) -> Tensor:
    """Return the loss of each sample, without weight and scale; write its gradient times `factor`.

    Measured from the logit z_r of a class r whose probabilities are p_r and p_τ,r, and with the
    target of `gap_target`,

        loss     = -(1-α)·log p_r - α·τ²·log p_τ,r + extra·(z_r - z_y)
                   - floor·(Σ_k z_k - K·z_r) + constant
        gradient = (1-α)·p + α·τ·p_τ - floor, less `extra` at the true class y
    """
    alpha, tau = float(settings.alpha), float(settings.temperature)
    num_classes = logits.shape[1]
    z = at_least_float32(logits)
    floor, extra, constant = gap_target(
        gap, num_classes, tau, z.dtype, kept=1.0 - alpha, taught=alpha
    )
    # A copy in another dtype than the gradient's is written over.
    result = gradient if gradient.dtype == z.dtype else z
    index = labels.unsqueeze(1)
    if isinstance(factor, Tensor):
        index = index.masked_fill(index == settings.ignore_index, 0)
    try:
        z_y = z.gather(1, index).squeeze(1)
    except RuntimeError:
        F.nll_loss(z, labels, ignore_index=settings.ignore_index)  # names the label, as torch does
        raise
    on_cpu = z.device.type == "cpu"
    if on_cpu and z_y.numel() > 0 and z_y.abs().amax() > FAR:
        logits = z = z - z.amax(1, keepdim=True)
        z_y = z.gather(1, index).squeeze(1)
    total = z.sum(1) if floor != 0.0 and on_cpu else None

    # Probabilities, with their weights in the loss and in the gradient.
    softmaxes = []
    if tau != 1.0:
        scaled = z * (1.0 / tau)
        softmaxes.append((torch.softmax(scaled, 1, out=scaled), alpha * tau**2, alpha * tau))
    if tau == 1.0 or alpha < 1.0:
        weight = 1.0 if tau == 1.0 else 1.0 - alpha
        softmaxes.append((torch.softmax(z, 1, out=result), weight, weight))
    z_r, of_r = z_y, [p.gather(1, index).squeeze(1) for p, _, _ in softmaxes]
    if on_cpu and z_r.numel() > 0 and all(p_r.amin() >= SMALL for p_r in of_r):
        loss = torch.zeros_like(z_r)
    else:
        z_r, of_r = logits.amax(1).to(z.dtype), [p.amax(1) for p, _, _ in softmaxes]
        loss = torch.zeros_like(z_r) if extra == 0.0 else (z_r - z_y).mul_(extra)
    for p_r, (_, weight, _) in zip(of_r, softmaxes, strict=True):
        loss.sub_(p_r.log_(), alpha=weight)
    if floor != 0.0:
        # On an accelerator it is cheaper to measure all than to wait for how far they are.
        if total is None:
            total = (logits - z_r.unsqueeze(1)).sum(1)
        else:
            total.sub_(z_r, alpha=num_classes)
        loss.sub_(total, alpha=floor).add_(constant)

    number = 1.0 if isinstance(factor, Tensor) else factor
    p, _, weight = softmaxes[0]
    if len(softmaxes) > 1:
        sharp, _, sharp_weight = softmaxes[1]
        p = torch.add(p, sharp, alpha=sharp_weight / weight, out=result)
    if floor == 0.0:
        torch.mul(p, weight * number, out=result)
    else:
        shift = torch.full((), -floor * number, dtype=z.dtype, device=z.device)
        torch.add(shift, p, alpha=weight * number, out=result)
    result.scatter_(1, index, result.gather(1, index).sub_(extra * number))
    if isinstance(factor, Tensor):
        result.mul_(factor.unsqueeze(1))
    if result is not gradient:
        gradient.copy_(result)
    return loss
