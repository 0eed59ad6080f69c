"""The loss of a teacher of few logits and its gradient in one sweep over the student's logits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tfkd.loss import terms
from tfkd.loss.kernels.exponentials import are_within, exponentials
from tfkd.loss.kernels.few_form import closed_form_of_few
from tfkd.loss.kernels.few_target import FewTarget, few_target
from tfkd.loss.kernels.one_pass import (
    Parts,
    Way,
    add_to_true_class,
    empty_gradient,
    factor_and_divisor,
    in_one_pass,
    of_true_class,
    part_of,
    reduced,
    swept_by_blocks,
    together,
)
from tfkd.loss.kernels.sweep import BLOCK
from tfkd.loss.terms import LossSettings
from tfkd.teachers.base import Answer
from tfkd.teachers.few_logits import FewLogits


def swept_loss_of_few(
    logits: Tensor,
    labels: Tensor,
    answer: Answer,
    class_weight: Tensor | None,
    settings: LossSettings,
) -> Tensor:
    """Return `tfkd.distillation_loss` of checked arguments and few logits.

    Args:
        logits: `(N, K)` or `(N, K, d1, ...)`; a gradient is to be asked for.
        labels: class indices `(N)` or `(N, d1, ...)`, int64.
        answer: few logits, of all samples alike.
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
    gradient = empty_gradient(logits)
    dtype = torch.promote_types(logits.dtype, torch.float32)
    factor, divisor = factor_and_divisor(logits, labels, class_weight, settings)
    if isinstance(factor, Tensor):
        answer = terms.without_ignored(answer, labels, logits, settings.ignore_index)
    few = answer.logits
    assert isinstance(few, FewLogits)
    classes, target = few.classes, few_target(few, logits, float(settings.temperature), dtype)

    def sweep(block: slice | None, z: Tensor, *rooms: Any, careful: bool) -> Tensor | None:
        said = FewTarget(*(part_of(part, block) for part in target))
        others = part_of(labels, block), part_of(classes, block), said, part_of(factor, block)
        return _sweep(z, *others, settings, *rooms, careful=careful)

    losses = swept_by_blocks(sweep, logits, gradient, BLOCK, settings)
    return together(losses, divisor, settings.reduction), gradient


WAY = Way(_loss_and_gradient, closed_form_of_few)


def _sweep(
    z: Tensor,
    labels: Tensor,
    classes: Tensor,
    target: FewTarget,
    factor: Any,
    settings: LossSettings,
    result: Tensor,
    spare: Tensor | None,
    *,
    careful: bool,
) -> Tensor | None:
    """Return the loss of each sample, or their sum, times `factor`, and write its gradient.

    With the target t of each of the few classes, o of each other one, and S = Σ_k exp(z_k),

        loss     = (1-α)·(log S(z) - z_y) + α·τ²·(log S(z/τ) + Σ t·log t)
                   - α·τ·(Σ_few (t_k - o)·z_k + o·Σ_all z_k)
        gradient = (1-α)·p + α·τ·(p_τ - o), less α·τ·(t_k - o) at the few, less 1-α at y

    Args:
        z: logits, float32 at least.
        labels: class indices.
        classes: the few.
        target: of the teacher.
        factor: of all samples, or of each.
        settings: of the loss.
        result: where the gradient is written, of the dtype and shape of `z`; may be `z` itself.
        spare: room of the same, where two exponentials are taken.
        careful: whether the logits are measured from their largest; then classes may be masked.
            Else None is returned where that is needed.
    """
    alpha, tau = float(settings.alpha), float(settings.temperature)
    kept, taught = 1.0 - alpha, alpha * tau
    index = labels.unsqueeze(1)
    if isinstance(factor, Tensor):
        index = index.masked_fill(index == settings.ignore_index, 0)
    z_y = None
    if careful or kept == 0.0:  # there only to refuse a label out of range
        z_y = of_true_class(z, index, settings.ignore_index)
    each, other = target.each, target.other
    beyond = each if other is None else each - other  # what every class has
    z_few = z.gather(1, classes)
    if careful:
        product = _product(z, z_few, classes, target)
    else:
        product = (beyond * z_few).sum(1, keepdim=True)
        if other is not None:
            product.addcmul_(other, z.sum(1, keepdim=True))

    # The last in the room of the logits, if that is where the gradient is written.
    soft_room = result if spare is None else spare
    sum_soft = sum_sharp = exponentials(z, tau, out=soft_room)
    if spare is not None:
        sum_sharp = exponentials(z, 1.0, out=result)
    of_true = None
    if not careful:
        checked = [sum_soft] if spare is None else [sum_soft, sum_sharp]
        if kept != 0.0:
            of_true = of_true_class(result, index, settings.ignore_index)
            checked.append(of_true)
        if not are_within(*checked):
            return None
    # Not in place: the sums are looked at once more.
    of_teacher = sum_soft.log().add_(target.negative_entropy).sub_(product, alpha=1.0 / tau)
    parts: Parts = [(alpha * tau**2 * factor, of_teacher)]
    if of_true is not None:
        parts.append((-kept * factor, of_true.div_(sum_sharp).log_()))
    elif kept != 0.0 and z_y is not None:
        parts.append((kept * factor, sum_sharp.log() - z_y))
    loss = reduced(parts, settings.reduction, careful=careful)
    if loss is None:
        return None

    if spare is None:
        weight = taught if tau != 1.0 else 1.0  # one exponential serves both terms
        result.mul_(sum_soft.reciprocal_().mul_(weight * factor))
    else:
        result.mul_(sum_sharp.reciprocal_().mul_(kept * factor))
        result.addcmul_(spare, sum_soft.reciprocal_().mul_(taught * factor))
    if other is not None:
        result.sub_(other * (taught * factor))
    result.scatter_add_(1, classes, beyond * (-taught * factor))
    if kept != 0.0:
        add_to_true_class(result, index, -kept * factor)
    return loss


def _product(z: Tensor, z_few: Tensor, classes: Tensor, target: FewTarget) -> Tensor:
    """Σ t_k·z_k over all classes, where some may be masked.

    What has no probability counts 0; a class that is masked among the few is none of the others.
    """
    product = terms.dot(target.each, z_few, 1).unsqueeze(1)
    if target.other is None:
        return product
    others = z.scatter(1, classes, 0.0).sum(1, keepdim=True)
    return product + terms.times(target.other, others)
