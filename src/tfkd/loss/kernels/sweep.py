"""The loss of a gap teacher and its gradient in one sweep over the logits."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from torch import Tensor

from tfkd.loss.kernels.closed_form import closed_form_loss, gap_target
from tfkd.loss.kernels.exponentials import are_within, exponentials
from tfkd.loss.kernels.one_pass import (
    Parts,
    Way,
    add_scaled,
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
from tfkd.loss.terms import LossSettings
from tfkd.teachers.base import Answer
from tfkd.teachers.few_logits import FewLogits

BLOCK = 1 << 19
"""Logits to a block, about: what it works on stays in the cache, and is all that it allocates
beside the gradient."""


def swept_loss(
    logits: Tensor,
    labels: Tensor,
    answer: Answer,
    class_weight: Tensor | None,
    settings: LossSettings,
) -> Tensor:
    """Return `tfkd.distillation_loss` of checked arguments and one gap for all samples.

    Args:
        logits: `(N, K)` or `(N, K, d1, ...)`, not empty; a gradient is to be asked for.
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
    assert not isinstance(gap, Tensor | FewLogits)
    gradient = empty_gradient(logits)
    factor, divisor = factor_and_divisor(logits, labels, class_weight, settings)

    def sweep(block: slice | None, z: Tensor, *rooms: Any, careful: bool) -> Tensor | None:
        others = part_of(labels, block), gap, part_of(factor, block), settings
        return _sweep(z, *others, *rooms, careful=careful)

    losses = swept_by_blocks(sweep, logits, gradient, BLOCK, settings)
    return together(losses, divisor, settings.reduction), gradient


WAY = Way(_loss_and_gradient, closed_form_loss)


def _sweep(
    z: Tensor,
    labels: Tensor,
    gap: float,
    factor: Tensor | float,
    settings: LossSettings,
    result: Tensor,
    spare: Tensor | None,
    *,
    careful: bool,
) -> Tensor | None:
    """Return the loss of each sample, or their sum, times `factor`, and write its gradient.

    With S(x) = Σ_k exp(x_k) and the target of `gap_target`,

        loss     = (1-α)·log S(z) + α·τ²·log S(z/τ) - extra·z_y - floor·Σ_k z_k + constant
        gradient = (1-α)·p + α·τ·p_τ - floor, less `extra` at the true class y

    Args:
        z: logits, float32 at least.
        labels: class indices.
        gap: of the teacher.
        factor: of all samples, or of each.
        settings: of the loss.
        result: where the gradient is written, of the dtype and shape of `z`; may be `z` itself.
        spare: room of the same, where two exponentials are taken.
        careful: whether the logits are measured from their largest. Else None is returned where
            they have to be.
    """
    alpha, tau = float(settings.alpha), float(settings.temperature)
    num_classes = z.shape[1]
    floor, extra, constant = _target(gap, num_classes, tau, z.dtype, kept=1.0 - alpha, taught=alpha)
    index = labels.unsqueeze(1)
    if isinstance(factor, Tensor):
        index = index.masked_fill(index == settings.ignore_index, 0)
    z_y = of_true_class(z, index, settings.ignore_index)
    sum_of_z = None
    if floor != 0.0:
        all_at_once = settings.reduction != "none" and not isinstance(factor, Tensor)
        sum_of_z = z.sum() if all_at_once and not careful else z.sum(1, keepdim=True)

    # The exponentials of z/τ, and of z where both are taken, the last in the room of the logits, if
    # that is where the gradient is written. Each with its weights in the loss and in the gradient.
    last, of_loss, of_gradient = tau, alpha * tau**2, alpha * tau
    sum_soft = None
    if tau == 1.0:
        of_loss = of_gradient = 1.0
    elif spare is not None:
        sum_soft = exponentials(z, tau, out=spare)
        last, of_loss, of_gradient = 1.0, 1.0 - alpha, 1.0 - alpha
    sums = exponentials(z, last, out=result)
    parts: Parts
    if careful:
        parts, of_z_y = [(of_loss * factor, sums.log())], -extra
    else:
        true = result.gather(1, index)
        checked = [true, sums] if sum_soft is None or tau > 1.0 else [true, sums, sum_soft]
        if not are_within(*checked):
            return None
        # More exact than the logarithm of the sum, and never below 0.
        parts, of_z_y = [(-of_loss * factor, true.div_(sums).log_())], of_loss / last - extra
    if sum_soft is not None:
        parts.append((alpha * tau**2 * factor, sum_soft.log()))
    if (careful and extra != 0.0) or (not careful and (floor != 0.0 or sum_soft is not None)):
        parts.append((of_z_y * factor, z_y))
    if sum_of_z is not None:
        parts.append((-floor * factor, sum_of_z))
    loss = reduced(parts, settings.reduction, careful=careful, constant=constant * factor)
    if loss is None:
        return None

    result.mul_((of_gradient * factor) / sums)
    if spare is not None and sum_soft is not None:
        add_scaled(result, spare, alpha * tau * factor, sum_soft)
    if floor != 0.0:
        result.sub_(floor * factor)
    if extra != 0.0:
        add_to_true_class(result, index, -extra * factor)
    return loss


_target = lru_cache(gap_target)
"""That of numbers, which are the same in each call."""
