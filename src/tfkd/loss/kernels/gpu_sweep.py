"""The loss of a teacher and its gradient in one sweep on a GPU, where torch brings Triton."""

from __future__ import annotations

import torch
from torch import Tensor

from tfkd.loss import terms
from tfkd.loss.equation import loss_by_equation
from tfkd.loss.kernels.closed_form import closed_form_loss, gap_target
from tfkd.loss.kernels.one_pass import (
    Way,
    empty_gradient,
    in_one_pass,
    is_with_triton,
    of_true_class,
)
from tfkd.loss.terms import LossSettings, index_weights
from tfkd.teachers.base import Answer, is_plain

DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def is_swept_on_gpu(logits: Tensor, labels: Tensor, answer: Answer, settings: LossSettings) -> bool:
    """Return whether `swept_loss_on_gpu` computes a loss, of settings that are numbers."""
    said = answer.logits
    if isinstance(said, Tensor):
        is_taken = said.shape == logits.shape and said.dtype in DTYPES
    else:
        is_taken = isinstance(said, int | float) and is_plain(answer)
    return (
        is_with_triton(logits)
        and is_taken
        and logits.dim() == 2
        and logits.dtype in DTYPES
        and not labels.is_floating_point()
        and settings.decoupled is None
        and not settings.standardize
    )


def swept_loss_on_gpu(
    logits: Tensor,
    labels: Tensor,
    answer: Answer,
    class_weight: Tensor | None,
    settings: LossSettings,
) -> Tensor:
    """Return `tfkd.distillation_loss` of checked arguments; nobody waits for the GPU.

    Args:
        logits: `(N, K)`, float32 or half precision; a gradient is to be asked for.
        labels: class indices `(N)`, int64.
        answer: one gap for all samples; or logits `(N, K)`, and shares.
        class_weight: `(K,)` or None.
        settings: of the loss, numbers, α above 0; neither decoupled nor standardised.
    """
    way = _OF_LOGITS if isinstance(answer.logits, Tensor) else _OF_GAP
    return in_one_pass(way, logits, labels, answer, class_weight, settings)


def _loss_and_gradient(
    logits: Tensor,
    labels: Tensor,
    answer: Answer,
    class_weight: Tensor | None,
    settings: LossSettings,
) -> tuple[Tensor, Tensor]:
    """The reduced loss, and its gradient; for `none` each sample's loss, and their sum's."""
    from tfkd.loss.kernels.rows_on_gpu import write_rows

    alpha, tau, said = float(settings.alpha), float(settings.temperature), answer.logits
    counts = labels != settings.ignore_index
    weight, divisor = counts, counts.sum() if settings.reduction == "mean" else None
    if class_weight is not None:
        weight = index_weights(labels, class_weight.float(), settings.ignore_index)
        divisor = weight.sum() if settings.reduction == "mean" else None
    # A label out of range is reported as by torch; one to be ignored is that of some class.
    index = (labels * counts).unsqueeze(1)
    of_true = of_true_class(logits, index, settings.ignore_index).squeeze(1)
    target = (0.0, 0.0, 0.0)
    if isinstance(said, int | float):
        numbers = logits.shape[1], tau, torch.float32
        target = gap_target(said, *numbers, kept=1.0 - alpha, taught=alpha)
    logits = _with_classes_together(logits)
    gradient = empty_gradient(logits)
    shares = (None if _is_1(share) else _by_row(share, labels) for share in answer[1:])
    loss = write_rows(
        logits,
        _with_classes_together(said) if isinstance(said, Tensor) else None,
        labels,
        of_true,
        gradient,
        weight,
        divisor,
        *shares,
        kept=1.0 - alpha,
        taught=alpha,
        temperature=tau,
        scale=float(settings.scale),
        target=target,
    )
    if settings.reduction == "none":
        return loss, gradient
    return (loss.sum() if divisor is None else loss.sum() / divisor), gradient


_OF_GAP = Way(_loss_and_gradient, closed_form_loss)
_OF_LOGITS = Way(_loss_and_gradient, loss_by_equation)


def _with_classes_together(logits: Tensor) -> Tensor:
    return logits if logits.stride(1) == 1 else logits.contiguous()


def _is_1(share: Tensor | float) -> bool:
    return terms.is_number(share, 1.0)


def _by_row(share: Tensor | float, labels: Tensor) -> Tensor:
    if isinstance(share, Tensor):
        return share.to(torch.float32).expand(labels.shape).contiguous()
    return torch.full(labels.shape, share, dtype=torch.float32, device=labels.device)
