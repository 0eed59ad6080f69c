"""The loss of a teacher's logits and its gradient in one sweep over them and the student's."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from tfkd.loss import terms
from tfkd.loss.equation import loss_by_equation
from tfkd.loss.kernels.exponentials import are_within, exponentials, from_largest
from tfkd.loss.kernels.one_pass import (
    Parts,
    Way,
    add_scaled,
    add_to_true_class,
    blocks_of,
    empty_gradient,
    in_one_pass,
    of_true_class,
    part_of,
    reduced,
    together,
    weight_and_divisor,
)
from tfkd.loss.terms import LossSettings, at_least_float32
from tfkd.teachers.base import Answer

BLOCK = 1 << 18
"""Logits to a block, about: one of them is all that is allocated beside the gradient. Of half
precision, which is copied to float32, a quarter."""


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
    """What multiplies the terms of each sample: numbers, or tensors `(N, 1, ...)`.

    Attributes:
        label: of H(q, p).
        teacher: of KL(t_τ ‖ p_τ), α·τ² and the rest.
    """

    label: Any
    teacher: Any


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
    weights, divisor = _weights(logits, labels, answer, class_weight, settings)
    gradient = empty_gradient(logits)
    losses: list[Tensor] = []
    spare: Tensor | None = None
    careful = not logits.is_cpu  # where looking at sums would be to wait for them
    most = BLOCK if logits.dtype == dtype else BLOCK // 4
    for block in blocks_of(logits, most):
        z, t = at_least_float32(part_of(logits, block)), part_of(said, block).to(dtype)
        own = _Weights(part_of(weights.label, block), part_of(weights.teacher, block))
        if isinstance(own.teacher, Tensor):  # whatever is said where nobody listens
            t = torch.where(own.teacher == 0.0, 0.0, t)
        result = part_of(gradient, block)
        result = result if result.dtype == dtype else torch.empty_like(z)
        spare = torch.empty_like(z) if spare is None or len(z) != len(spare) else spare
        others = part_of(labels, block), own, class_weight, settings, result, spare
        loss = None if careful else _sweep(z, t, *others, careful=False)
        if loss is None:
            careful = True
            if settings.decoupled is not None:
                return _by_equation(logits, labels, answer, class_weight, settings)
            loss = _sweep(from_largest(z), from_largest(t), *others, careful=True)
            assert loss is not None
        losses.append(loss)
        if result.dtype != gradient.dtype:
            part_of(gradient, block).copy_(result)
    return together(losses, divisor, settings.reduction), gradient


WAY = Way(_loss_and_gradient, loss_by_equation)


def _weights(
    logits: Tensor,
    labels: Tensor,
    answer: Answer,
    class_weight: Tensor | None,
    settings: LossSettings,
) -> tuple[_Weights, Tensor | float]:
    """All that multiplies the two terms, and the divisor, which is in it."""
    weight: Tensor | None
    divisor: Any
    soft = labels.is_floating_point()
    if soft:
        labels = labels if class_weight is None else labels.to(class_weight.dtype)
        weight, divisor = terms.sample_weights(labels, logits, class_weight, settings.ignore_index)
        divisor = divisor if settings.reduction == "mean" else 1
    else:
        weight, divisor = weight_and_divisor(logits, labels, class_weight, settings)
    each = settings.scale / divisor
    taught: Any = settings.alpha * settings.temperature**2 * each
    weights = [(1.0 - settings.alpha) * each, taught]
    dtype = torch.promote_types(logits.dtype, torch.float32)
    for place, share in enumerate((answer.label_share, answer.share)):
        of = weights[place] * (share.to(dtype) if isinstance(share, Tensor) else share)
        if weight is not None and not (soft and place == 0):
            # A sample of no weight has no gradient, even where all the weights add up to 0.
            of = torch.where(weight == 0.0, 0.0, weight * of)
        weights[place] = of.unsqueeze(1) if isinstance(of, Tensor) and of.dim() > 0 else of
    return _Weights(*weights), divisor


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
    """Return the weighed loss of each sample, `(N, 1, ...)`, or their sum; write its gradient.

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
    tau, decoupled = float(settings.temperature), settings.decoupled
    counted, soft = settings.alpha < 1.0, labels.is_floating_point()
    once = tau == 1.0 and decoupled is None  # one exponential of the student's logits serves both
    index = hidden = true = None
    z_y: Any = None  # or Σ_k q_k·w_k·z_k, where it is needed
    if not soft:
        index = labels.unsqueeze(1)
        if isinstance(weights.teacher, Tensor):
            index = index.masked_fill(index == settings.ignore_index, 0)
        hidden = None if decoupled is None else index
        if careful or hidden is not None or not counted:
            z_y = of_true_class(z, index, settings.ignore_index)

    torch.sub(t, z, out=result)
    sum_t = exponentials(t, tau, out=spare, hidden=hidden)
    result.mul_(spare)
    if careful:  # of what has no mass nothing is said, even where the student masks it
        result.masked_fill_(spare == 0.0, 0.0)
    ahead = result.sum(1, keepdim=True).div_(sum_t)
    if soft and counted:
        labels = terms.times_class_weight(labels.to(z.dtype), class_weight, 1)
        torch.mul(labels, z, out=result)
        if careful:
            result.masked_fill_(labels == 0.0, 0.0)
        z_y = result.sum(1, keepdim=True)
    sum_z = exponentials(z, tau, out=result, hidden=hidden)

    # The parts of the loss with their weights, and what exponentials weigh in the gradient.
    of_logits = weights.teacher * (1.0 / tau)
    parts: Parts = [(of_logits, ahead), (weights.teacher, torch.div(sum_z, sum_t).log_())]
    on_z, on_t, on_true = of_logits, of_logits, 0.0
    if decoupled is not None and index is not None:
        t_y = t.gather(1, index)
        binary, difference = _binary(t_y / tau - sum_t.log(), z_y / tau - sum_z.log())
        parts = [(weight * decoupled[1], part) for weight, part in parts]
        parts.append((weights.teacher * decoupled[0], binary))
        on_true = of_logits * decoupled[0] * difference
        on_z, on_t = of_logits * decoupled[1] - on_true, of_logits * decoupled[1]
    checked = [sum_t, sum_z]
    kept, mass = weights.label, labels.sum(1, keepdim=True) if soft else 1.0
    sum_sharp = sum_z
    if counted and once:
        on_z = on_z + kept * mass
        true = None if index is None else of_true_class(result, index, settings.ignore_index)
    result.mul_(on_z / sum_z)
    add_scaled(result, spare, -on_t, sum_t)
    if counted and not once:
        sum_sharp = exponentials(z, 1.0, out=spare)
        true = None if index is None else of_true_class(spare, index, settings.ignore_index)
        add_scaled(result, spare, kept * mass, sum_sharp)
        checked.append(sum_sharp)
    if counted and soft:
        parts.append((kept, mass * sum_sharp.log() - z_y))
        weighed, number = (labels * kept, 1.0) if isinstance(kept, Tensor) else (labels, kept)
        result.sub_(weighed, alpha=number)
    elif counted:
        if careful:
            parts.append((kept, sum_sharp.log() - z_y))
        elif true is not None:  # more exact, and never below 0
            parts.append((-kept, torch.div(true, sum_sharp).log_()))
            checked.append(true)
        on_true = on_true - kept
    if index is not None and (counted or decoupled is not None):
        add_to_true_class(result, index, on_true)
    if not careful and not are_within(*checked):
        return None
    return reduced(parts, settings.reduction, careful=careful)


def _binary(true_t: Tensor, true_z: Tensor) -> tuple[Tensor, Tensor]:
    """The divergence kl(t_y ‖ p_y) and p_y − t_y, of logits of the true class against others."""
    t_y = torch.sigmoid(true_t)
    of_true = t_y * (F.logsigmoid(true_t) - F.logsigmoid(true_z))
    of_wrong = torch.sigmoid(-true_t) * (F.logsigmoid(-true_t) - F.logsigmoid(-true_z))
    return of_true + of_wrong, torch.sigmoid(true_z) - t_y
