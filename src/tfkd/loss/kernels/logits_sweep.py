"""The loss of a teacher's logits and its gradient in one sweep over them and the student's."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from tfkd.loss import terms
from tfkd.loss.equation import loss_by_equation
from tfkd.loss.kernels.closed_form import LOG2_E
from tfkd.loss.kernels.one_pass import (
    Way,
    blocks_of,
    empty_gradient,
    in_one_pass,
    of_true_class,
    part_of,
    weight_and_divisor,
)
from tfkd.loss.terms import LossSettings, at_least_float32
from tfkd.teachers.base import Answer

BLOCK = 1 << 18
"""Logits to a block, about: one of them is all that is allocated beside the gradient."""

LEAST, MOST = 1e-25, 1e13
"""Sums of exponentials within which these are taken of the logits as they are. Otherwise they are
first measured from their largest: of larger ones too few digits are left, and smaller ones are
nearly 0 in float32."""


def swept_loss_of_logits(
    logits: Tensor,
    labels: Tensor,
    answer: Answer,
    class_weight: Tensor | None,
    settings: LossSettings,
) -> Tensor:
    """Return `tfkd.distillation_loss` of checked arguments and a teacher's logits.

    Args:
        logits: `(N, K)` or `(N, K, d1, ...)`, not empty; a gradient is to be asked for.
        labels: class indices `(N)` or `(N, d1, ...)`, int64; or probabilities of the shape of the
            logits.
        answer: the teacher's logits, and the shares.
        class_weight: `(K,)` or None.
        settings: of the loss, numbers, α above 0; logits are not standardised.
    """
    return in_one_pass(WAY, logits, labels, answer, class_weight, settings)


class _Weights(NamedTuple):
    """What multiplies the terms of each sample: numbers, or tensors of the shape of class indices.

    Attributes:
        label: of H(q, p).
        teacher: of τ²·KL(t_τ ‖ p_τ).
        divisor: of the mean, which is in both already.
    """

    label: Any
    teacher: Any
    divisor: Any

    def of(self, block: slice) -> _Weights:
        """Those of a block."""
        return _Weights(part_of(self.label, block), part_of(self.teacher, block), self.divisor)


def _loss_and_gradient(
    logits: Tensor,
    labels: Tensor,
    answer: Answer,
    class_weight: Tensor | None,
    settings: LossSettings,
) -> tuple[Tensor, Tensor]:
    """The reduced loss, and its gradient; for `none` each sample's loss, and their sum's."""
    said = answer.logits
    assert isinstance(said, Tensor)
    dtype = torch.promote_types(logits.dtype, torch.float32)
    class_weight = None if class_weight is None else class_weight.to(dtype)
    weights = _weights(logits, labels, answer, class_weight, settings)
    gradient = empty_gradient(logits)
    losses: list[Tensor] = []
    spare: Tensor | None = None
    careful = logits.device.type != "cpu"  # where looking at sums would be to wait for them
    for block in blocks_of(logits, BLOCK):
        own = weights.of(block)
        z, t = at_least_float32(logits[block]), said[block].to(dtype)
        if isinstance(own.teacher, Tensor):  # whatever is said where nobody listens
            t = torch.where((own.teacher == 0.0).unsqueeze(1), 0.0, t)
        spare = torch.empty_like(z) if spare is None or len(z) != len(spare) else spare
        result = gradient[block] if gradient.dtype == dtype else torch.empty_like(z)
        others = labels[block], own, class_weight, settings, result, spare
        loss = None if careful else _sweep(z, t, *others, careful=False)
        if loss is None:
            careful = True
            if settings.decoupled is not None:
                return _by_equation(logits, labels, answer, class_weight, settings)
            z, t = (x - x.amax(1, keepdim=True) for x in (z, t))
            loss = _sweep(z, t, *others, careful=True)
            assert loss is not None
        losses.append(loss)
        if result.dtype != gradient.dtype:
            gradient[block] = result
    if settings.reduction == "none":
        return losses[0] if len(losses) == 1 else torch.cat(losses), gradient
    total = losses[0] if len(losses) == 1 else torch.stack(losses).sum()
    if isinstance(weights.divisor, Tensor):
        total = torch.where(weights.divisor == 0.0, math.nan, total)  # a mean of nothing
    return total, gradient


WAY = Way(_loss_and_gradient, loss_by_equation)


def _weights(
    logits: Tensor,
    labels: Tensor,
    answer: Answer,
    class_weight: Tensor | None,
    settings: LossSettings,
) -> _Weights:
    """All that multiplies the two terms: α, scale, shares, class weights and the divisor."""
    weight: Tensor | None
    divisor: Any
    soft = labels.is_floating_point()
    if soft:
        labels = labels if class_weight is None else labels.to(class_weight.dtype)
        weight, divisor = terms.sample_weights(labels, logits, class_weight, settings.ignore_index)
        divisor = divisor if settings.reduction == "mean" else 1
    else:
        weight, divisor = weight_and_divisor(logits, labels, class_weight, settings)
    like = at_least_float32(logits.new_empty(0))
    share, label_share = (terms.constant(value, like) for value in answer[1:])
    each = settings.scale / divisor
    kept, taught = (1.0 - settings.alpha) * label_share * each, settings.alpha * share * each
    if weight is not None:
        # A sample of no weight has no gradient, even where all the weights add up to 0.
        taught = torch.where(weight == 0.0, 0.0, weight * taught)
        kept = kept if soft else torch.where(weight == 0.0, 0.0, weight * kept)
    return _Weights(kept, taught, divisor)


def _by_equation(
    logits: Tensor,
    labels: Tensor,
    answer: Answer,
    class_weight: Tensor | None,
    settings: LossSettings,
) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        z = at_least_float32(logits.detach()).requires_grad_()
        loss = loss_by_equation(z, labels, answer, class_weight, settings)
        (gradient,) = torch.autograd.grad(loss.sum(), z)
    return loss.detach(), gradient


def _sweep(
    z: Tensor,
    t: Tensor,
    labels: Tensor,
    weights: _Weights,
    class_weight: Tensor | None,
    settings: LossSettings,
    result: Tensor,
    spare: Tensor,
    *,
    careful: bool,
) -> Tensor | None:
    """Return the weighed loss of each sample, or their sum, and write its gradient.

    With S(x) = Σ_k exp(x_k), the divergence and its gradient are

        KL(t_τ ‖ p_τ) = Σ_k exp(t_k/τ)·(t_k − z_k) / (τ·S(t/τ)) + log(S(z/τ) / S(t/τ))
        exp(z/τ) / (τ·S(z/τ)) − exp(t/τ) / (τ·S(t/τ))

    Where it is decoupled the true class is left out of all these sums, and has its own part.

    Args:
        z: the student's logits, float32 at least.
        t: the teacher's.
        labels: of them.
        weights: of the two terms.
        class_weight: `(K,)` or None.
        settings: of the loss.
        result: where the gradient is written, of the dtype and shape of `z`.
        spare: room of the same.
        careful: whether the logits are measured from their largest; then classes may be masked.
            Else None is returned where that is needed.
    """
    tau, parts = float(settings.temperature), settings.decoupled
    counted, once = settings.alpha < 1.0, settings.temperature == 1.0 and parts is None
    sums = z.new_ones((4, *z.select(1, 0).shape))
    of_t, of_z, of_sharp, true = sums
    index = hidden = None
    if not labels.is_floating_point():
        index = labels.unsqueeze(1)
        if isinstance(weights.teacher, Tensor):
            index = index.masked_fill(index == settings.ignore_index, 0)
        z_y = of_true_class(z, index, labels, settings.ignore_index)
        hidden = index if parts is not None else None

    torch.sub(t, z, out=result)
    _exponentials(t, LOG2_E / tau, hidden, out=spare, total=of_t)
    result.mul_(spare)
    if careful:  # of what has no mass nothing is said, even where the student masks it
        result.masked_fill_(spare == 0.0, 0.0)
    divergence = result.sum(1)
    if index is None and counted:
        labels = terms.times_class_weight(labels.to(z.dtype), class_weight, 1)
        torch.mul(labels, z, out=result)
        if careful:
            result.masked_fill_(labels == 0.0, 0.0)
        z_y = result.sum(1)
    _exponentials(z, LOG2_E / tau, hidden, out=result, total=of_z)
    divergence.div_(of_t).mul_(1.0 / tau).add_((of_z / of_t).log_())

    # By what the exponentials of both are multiplied, and what the true class has by itself.
    on_z = on_t = weights.teacher * tau
    on_true: Any = 0.0
    if parts is not None and index is not None:
        t_y = t.gather(1, index).squeeze(1)
        binary, ahead = _binary(t_y / tau - of_t.log(), z_y / tau - of_z.log())
        divergence = parts[0] * binary + parts[1] * divergence
        on_true = on_t * parts[0] * ahead
        on_z, on_t = on_t * parts[1] - on_true, on_t * parts[1]
    loss = _times(weights.teacher * tau**2, divergence, careful=careful)

    kept = weights.label
    mass = kept if index is not None or not counted else kept * labels.sum(1)
    if counted and once:
        of_sharp, on_z = of_z, on_z + mass
        _gather(result, index, out=true)
    result.mul_(_column(on_z / of_z)).addcmul_(spare, _column(on_t / of_t), value=-1.0)
    if counted and not once:
        _exponentials(z, LOG2_E, None, out=spare, total=of_sharp)
        _gather(spare, index, out=true)
        result.addcmul_(spare, _column(mass / of_sharp))
    if counted and index is None:
        loss += _times(kept, labels.sum(1) * of_sharp.log() - z_y, careful=careful)
        result.addcmul_(labels, _column(kept, z_y), value=-1.0)
    elif counted:
        # Of the sums as they are it is more exact, and never below 0.
        label_loss = of_sharp.log() - z_y if careful else -(true / of_sharp).log()
        loss += _times(kept, label_loss, careful=careful)
        on_true = on_true - kept
    if index is not None and (counted or parts is not None):
        result.scatter_add_(1, index, _column(on_true, z_y))
    total = loss if settings.reduction == "none" else loss.sum()
    if not careful:
        least, most = torch.aminmax(sums)
        if not (least >= LEAST and most <= MOST and total.sum().isfinite()):
            return None
    return total


def _exponentials(
    x: Tensor, factor: float, hidden: Tensor | None, *, out: Tensor, total: Tensor
) -> None:
    """Write 2^(x · factor), 0 where a class is hidden, and its sum over the classes."""
    torch.mul(x, factor, out=out)
    if hidden is not None:
        out.scatter_(1, hidden, -math.inf)
    torch.sum(out.exp2_(), 1, out=total)


def _gather(x: Tensor, index: Tensor | None, *, out: Tensor) -> None:
    """Write what is of the true class, if there is one."""
    if index is not None:
        torch.gather(x, 1, index, out=out.unsqueeze(1))


def _binary(true_t: Tensor, true_z: Tensor) -> tuple[Tensor, Tensor]:
    """The divergence kl(t_y ‖ p_y), and p_y − t_y, of logits of the true class against all others."""
    t = torch.sigmoid(true_t)
    each = [t * (F.logsigmoid(true_t) - F.logsigmoid(true_z))]
    each += [torch.sigmoid(-true_t) * (F.logsigmoid(-true_t) - F.logsigmoid(-true_z))]
    return each[0] + each[1], torch.sigmoid(true_z) - t


def _times(weight: Any, loss: Tensor, *, careful: bool) -> Tensor:
    """A weight times a loss; where they may be infinite, 0 for no weight."""
    return terms.times(weight, loss) if careful else loss * weight


def _column(value: Any, like: Tensor | None = None) -> Tensor:
    """A number of each sample with a dimension for the classes."""
    if not isinstance(value, Tensor):
        assert like is not None
        value = torch.full_like(like, value)
    return value.unsqueeze(1)
