"""The loss of a teacher of few logits and its gradient in one sweep over the student's logits."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from tfkd.loss.kernels.few_closed_form import closed_form_of_few
from tfkd.loss.kernels.few_target import FewTarget, few_target
from tfkd.loss.kernels.sweep import SMALL, in_blocks, times_upstream
from tfkd.loss.terms import FAR, LossSettings, at_least_float32, dot, times
from tfkd.teachers.base import Answer
from tfkd.teachers.few_logits import FewLogits

NO_GRADIENTS = (None,) * 6
"""Of the labels, the three parts of few logits, the class weights and the settings."""


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
    few = answer.logits
    assert isinstance(few, FewLogits)
    loss: Tensor = _SweptLossOfFew.apply(logits, labels, *few, class_weight, settings)
    return loss


class _SweptLossOfFew(Function):
    """Keeps and gives away its gradient as the sweep of a gap does."""

    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        labels: Tensor,
        values: Tensor,
        classes: Tensor,
        others: Tensor | float,
        class_weight: Tensor | None,
        settings: LossSettings,
    ) -> Tensor:
        few = FewLogits(values, classes, others)
        loss, ctx.gradient = _loss_and_gradient(logits, labels, few, class_weight, settings)
        ctx.settings, ctx.dtype = settings, logits.dtype
        ctx.others = None if isinstance(others, Tensor) else others
        kept = others if isinstance(others, Tensor) else None
        ctx.save_for_backward(logits, labels, class_weight, values, classes, kept)
        return loss

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # to be differentiated again
            logits, labels, class_weight, few = _saved(ctx)
            loss = closed_form_of_few(logits, labels, Answer(few), class_weight, ctx.settings)
            return *torch.autograd.grad(loss, logits, upstream, create_graph=True), *NO_GRADIENTS
        gradient, ctx.gradient = ctx.gradient, None
        if gradient is None:
            logits, labels, class_weight, few = _saved(ctx)
            gradient = _loss_and_gradient(logits, labels, few, class_weight, ctx.settings)[1]
        return times_upstream(gradient, upstream).to(ctx.dtype), *NO_GRADIENTS


def _saved(ctx: Any) -> tuple[Tensor, Tensor, Tensor | None, FewLogits]:
    logits, labels, class_weight, values, classes, others = ctx.saved_tensors
    few = FewLogits(values, classes, others if ctx.others is None else ctx.others)
    return logits, labels, class_weight, few


def _loss_and_gradient(
    logits: Tensor,
    labels: Tensor,
    few: FewLogits,
    class_weight: Tensor | None,
    settings: LossSettings,
) -> tuple[Tensor, Tensor]:
    like = logits.new_empty((0, *logits.shape[1:]), dtype=at_least_float32(logits[:0]).dtype)
    target = few_target(few, like, float(settings.temperature))

    def sweep(block: slice, factor: Tensor | float, gradient: Tensor) -> Tensor:
        own = FewTarget(*(part if part is None else part[block] for part in target))
        classes = few.classes[block]
        return _sweep(logits[block], labels[block], classes, own, factor, settings, gradient)

    return in_blocks(sweep, logits, labels, class_weight, settings)


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
                   - α·τ·[Σ_few t_k·(z_k - z_r) + o·Σ_others (z_k - z_r)]
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
    loss.sub_(dot(target.each, z_few - z_r.unsqueeze(1), 1), alpha=taught)
    if target.other is not None:
        if total is not None:
            number = logits.shape[1] - classes.shape[1]
            total = total.sub_(z_few.sum(1)).sub_(z_r, alpha=number)
        # A class that is masked among the few is none of the others.
        if total is None or not bool(total.isfinite().all()):
            total = (logits - z_r.unsqueeze(1)).scatter_(1, classes, 0.0).sum(1)
        loss.sub_(times(target.other, total), alpha=taught)

    number = 1.0 if isinstance(factor, Tensor) else factor
    p, _, weight = softmaxes[0]
    if len(softmaxes) > 1:
        sharp, _, sharp_weight = softmaxes[1]
        p = torch.add(p, sharp, alpha=sharp_weight / weight, out=result)
    of_few = target.each
    if target.other is None:
        torch.mul(p, weight * number, out=result)
    else:
        each_other = target.other.unsqueeze(1)
        torch.add(each_other * (-taught * number), p, alpha=weight * number, out=result)
        of_few = of_few - each_other
    # One after the other: the label may be among the few.
    result.scatter_(1, classes, result.gather(1, classes).sub_(of_few, alpha=taught * number))
    if kept != 0.0:
        result.scatter_(1, index, result.gather(1, index).sub_(kept * number))
    if isinstance(factor, Tensor):
        result.mul_(factor.unsqueeze(1))
    if result is not gradient:
        gradient.copy_(result)
    return loss
