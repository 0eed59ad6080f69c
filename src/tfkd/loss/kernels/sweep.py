"""The loss of a gap teacher and its gradient in one sweep over the logits."""

from __future__ import annotations

import torch
from torch import Tensor

from tfkd.loss.kernels.closed_form import closed_form_loss, gap_target
from tfkd.loss.kernels.one_pass import (
    Way,
    blocks_of,
    empty_gradient,
    in_one_pass,
    of_true_class,
    part_of,
    weight_and_divisor,
)
from tfkd.loss.terms import FAR, LossSettings, at_least_float32
from tfkd.teachers.base import Answer

BLOCK = 1 << 19
"""Logits to a block, about: what it works on stays in the cache, and is all that it allocates
beside the gradient."""

SMALL = 1e-30
"""Smallest probability whose logarithm is taken; of one below it too few digits may be left."""


def swept_loss(
    logits: Tensor,
    labels: Tensor,
    answer: Answer,
    class_weight: Tensor | None,
    settings: LossSettings,
) -> Tensor:
    """Return `tfkd.distillation_loss` of checked arguments and one gap for all samples.

    Args:
        logits: `(N, K)` or `(N, K, d1, ...)`; a gradient is to be asked for.
        labels: class indices `(N)` or `(N, d1, ...)`, int64.
        answer: the gap of the teacher's logits before they are softened, a number of at least 0;
            may be infinite.
        class_weight: `(K,)` or None.
        settings: of the loss, numbers, α above 0.
    """
    return in_one_pass(WAY, logits, labels, answer, class_weight, settings)


def _loss_and_gradient(
    logits: Tensor,
    labels: Tensor,
    answer: Answer,
    class_weight: Tensor | None,
    settings: LossSettings,
) -> tuple[Tensor, Tensor]:
    """The reduced loss, and its gradient; for `none` each sample's loss, and their sum's."""
    gap = answer.logits
    assert not isinstance(gap, Tensor)
    gradient = empty_gradient(logits)
    weight, divisor = weight_and_divisor(logits, labels, class_weight, settings)
    factor: Tensor | float = settings.scale / divisor
    if weight is not None:
        # A sample of no weight has no gradient, even where all the weights add up to 0.
        factor = torch.where(weight == 0.0, 0.0, settings.scale * weight / divisor)
    losses = [
        _sweep(logits[block], labels[block], gap, part_of(factor, block), settings, gradient[block])
        for block in blocks_of(logits, BLOCK)
    ]
    loss = losses[0] if len(losses) == 1 else torch.cat(losses)
    if weight is not None:
        loss = torch.where(weight == 0.0, 0.0, settings.scale * weight * loss)
    if settings.reduction != "none":
        loss = loss.sum()
    if weight is not None:
        return loss / divisor, gradient
    return (loss if factor == 1.0 else loss * factor), gradient


WAY = Way(_loss_and_gradient, closed_form_loss)


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
    z_y = of_true_class(z, index, labels, settings.ignore_index)
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
