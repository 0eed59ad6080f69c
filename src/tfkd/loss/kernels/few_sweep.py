"""The loss of a teacher of few logits and its gradient in one sweep over the student's logits."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from tfkd.loss.kernels.few_closed_form import closed_form_of_few
from tfkd.loss.kernels.few_target import FewTarget, few_target
from tfkd.loss.kernels.sweep import BLOCK, NO_GRADIENTS, SMALL, _weight_and_divisor
from tfkd.loss.terms import FAR, LossSettings, at_least_float32, dot, times
from tfkd.teachers.base import Answer, is_transformed
from tfkd.teachers.few_logits import FewLogits


def swept_loss_of_few(
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
        answer: few logits.
        class_weight: `(K,)` or None.
        settings: of the loss, numbers, α above 0.
    """
    loss: Tensor = _SweptLossOfFew.apply(logits, labels, class_weight, answer, settings)
    return loss


class _SweptLossOfFew(Function):
    """Keeps and gives away its gradient as the sweep of a gap does."""

    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        labels: Tensor,
        class_weight: Tensor | None,
        answer: Answer,
        settings: LossSettings,
    ) -> Tensor:
        loss, ctx.gradient = _loss_and_gradient(logits, labels, answer, class_weight, settings)
        ctx.answer, ctx.settings, ctx.dtype = answer, settings, logits.dtype
        ctx.save_for_backward(logits, labels, class_weight)
        return loss

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # to be differentiated again
            logits, labels, class_weight = ctx.saved_tensors
            loss = closed_form_of_few(logits, labels, ctx.answer, class_weight, ctx.settings)
            return *torch.autograd.grad(loss, logits, upstream, create_graph=True), *NO_GRADIENTS
        gradient, ctx.gradient = ctx.gradient, None
        if gradient is None:
            logits, labels, class_weight = ctx.saved_tensors
            gradient = _loss_and_gradient(logits, labels, ctx.answer, class_weight, ctx.settings)[1]
        if is_transformed() or torch._C._functorch.is_legacy_batchedtensor(upstream):
            # Several upstreams at once (`is_grads_batched`), which do not fit into one gradient.
            gradient = gradient * (upstream.unsqueeze(1) if upstream.dim() > 0 else upstream)
        elif upstream.dim() > 0:
            gradient.mul_(upstream.unsqueeze(1))
        elif upstream.device.type != "cpu" or upstream.item() != 1.0:
            gradient.mul_(upstream)
        return gradient.to(ctx.dtype), *NO_GRADIENTS


def _loss_and_gradient(
    logits: Tensor,
    labels: Tensor,
    answer: Answer,
    class_weight: Tensor | None,
    settings: LossSettings,
) -> tuple[Tensor, Tensor]:
    """The reduced loss, and its gradient; for `none` each sample's loss, and their sum's."""
    few = answer.logits
    assert isinstance(few, FewLogits)
    target = few_target(few, at_least_float32(logits[:0]), float(settings.temperature))
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
        loss = _sweep(logits, labels, few.classes, target, factor, settings, gradient)
    else:
        losses = []
        for first in range(0, samples, rows):
            at = slice(first, first + rows)
            own = FewTarget(*(part if part is None else part[at] for part in target))
            by = factor[at] if isinstance(factor, Tensor) else factor
            of_block = (logits[at], labels[at], few.classes[at], own, by, settings, gradient[at])
            losses.append(_sweep(*of_block))
        loss = torch.cat(losses)
    if weight is not None:
        loss = torch.where(weight == 0.0, 0.0, settings.scale * weight * loss)
    if settings.reduction != "none":
        loss = loss.sum()
    if weight is not None:
        return loss / divisor, gradient
    return (loss if factor == 1.0 else loss * factor), gradient


def _sweep(
    logits: Tensor,
    labels: Tensor,
    classes: Tensor,
    target: FewTarget,
    factor: Tensor | float,
    settings: LossSettings,
    gradient: Tensor,
) -> Tensor:
    """Return the loss of each sample, without weight and scale; write its gradient times `factor`.

    Measured from the logit z_r of a class r whose probabilities are p_r and p_τ,r, with the target
    t of each of the few classes, o of each other one and H = -Σ t·log t,

        loss     = (1-α)·(z_r - z_y - log p_r) - α·τ²·(H + log p_τ,r)
                   - α·τ·[Σ_few (t_k - o)·z_k + o·Σ_all z_k - z_r]
        gradient = (1-α)·p + α·τ·(p_τ - o), less α·τ·(t_k - o) at the few, less 1-α at y
    """
    alpha, tau = float(settings.alpha), float(settings.temperature)
    kept, taught = 1.0 - alpha, alpha * tau
    z = at_least_float32(logits)
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
    z_few = z.gather(1, classes)
    total = z.sum(1) if target.other is not None and on_cpu else None

    # Probabilities, with their weights in the loss and in the gradient.
    softmaxes = []
    if tau != 1.0:
        scaled = z * (1.0 / tau)
        softmaxes.append((torch.softmax(scaled, 1, out=scaled), alpha * tau**2, taught))
    if tau == 1.0 or alpha < 1.0:
        weight = 1.0 if tau == 1.0 else kept
        softmaxes.append((torch.softmax(z, 1, out=result), weight, weight))
    z_r, of_r = z_y, [p.gather(1, index).squeeze(1) for p, _, _ in softmaxes]
    loss = target.negative_entropy * (alpha * tau**2)
    if not (on_cpu and z_r.numel() > 0 and all(p_r.amin() >= SMALL for p_r in of_r)):
        z_r, of_r = logits.amax(1).to(z.dtype), [p.amax(1) for p, _, _ in softmaxes]
        if kept != 0.0:
            loss.add_(z_r - z_y, alpha=kept)
    for p_r, (_, weight, _) in zip(of_r, softmaxes, strict=True):
        loss.sub_(p_r.log_(), alpha=weight)
    each, other = target.each, target.other
    of_few = each if other is None else each - other.unsqueeze(1)  # beyond what every class has
    product = None
    if on_cpu:
        product = (of_few * z_few).sum(1).sub_(z_r)
        if total is not None:
            product.addcmul_(other, total)
        if not math.isfinite(product.sum()):
            product = None
    if product is None:
        product = _product(logits, z_r, z_few, classes, target)
    loss.sub_(product, alpha=taught)

    number = 1.0 if isinstance(factor, Tensor) else factor
    p, _, weight = softmaxes[0]
    if len(softmaxes) > 1:
        sharp, _, sharp_weight = softmaxes[1]
        p = torch.add(p, sharp, alpha=sharp_weight / weight, out=result)
    if other is None:
        torch.mul(p, weight * number, out=result)
    else:
        shift = (other * (-taught * number)).unsqueeze(1)
        torch.add(shift, p, alpha=weight * number, out=result)
    # One after the other: the label may be among the few.
    result.scatter_(1, classes, result.gather(1, classes).sub_(of_few, alpha=taught * number))
    if kept != 0.0:
        result.scatter_(1, index, result.gather(1, index).sub_(kept * number))
    if isinstance(factor, Tensor):
        result.mul_(factor.unsqueeze(1))
    if result is not gradient:
        gradient.copy_(result)
    return loss


def _product(
    logits: Tensor, z_r: Tensor, z_few: Tensor, classes: Tensor, target: FewTarget
) -> Tensor:
    """Σ t_k·(z_k - z_r) over all classes, where some may be masked.

    What has no probability counts 0; a class that is masked among the few is none of the others.
    On an accelerator it is cheaper to compute this than to wait for whether any is.
    """
    product = dot(target.each, z_few - z_r.unsqueeze(1), 1)
    if target.other is None:
        return product
    of_others = (logits - z_r.unsqueeze(1)).scatter_(1, classes, 0.0).sum(1)
    return product + times(target.other, of_others)
