"""Loss and gradients of a linear head in one pass over chunks of tokens."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.forward_ad import unpack_dual

from tfkd.loss.distillation import _loss as loss_of_checked
from tfkd.loss.linear.gradients import Gradients, Wanted
from tfkd.loss.linear.parts import Asked, Head, dtype_of
from tfkd.teachers.base import is_transformed, replaced

LOGITS = 1 << 22
LOGITS_ON_ACCELERATOR = 1 << 27
"""Logits to a chunk, about. A few buffers of a chunk are all that is allocated beside the
gradients; with smaller ones the gradient of the head is read and written more often."""

FEWEST_TOKENS = 128
"""To a chunk, however many classes there are: with fewer, the gradient of the head takes longer to
be read and written than to be computed."""


def tokens_of_a_chunk(num_classes: int, device: torch.device) -> int:
    """Return how many tokens are computed at once."""
    logits = LOGITS if device.type == "cpu" else LOGITS_ON_ACCELERATOR
    return max(FEWEST_TOKENS, logits // num_classes)


def chunked_loss(head: Head, asked: Asked) -> Tensor:
    """Return the loss; its gradients are computed on the way and kept for the backward pass.

    Nothing is computed of tokens that are ignored. Under `torch.func`, in forward mode, and where a
    gradient is differentiated again, the logits of all tokens exist at once.

    Args:
        head: of the student, flattened.
        asked: of its logits.
    """
    dtype = dtype_of(head.hidden)
    if is_transformed() or any(_has_tangent(tensor) for tensor in head):
        return _whole(head, asked, dtype)
    loss: Tensor
    counts = asked.labels != asked.settings.ignore_index
    if counts.all():
        loss = _Chunked.apply(*head, asked, dtype)
        return loss
    rows = counts.nonzero().squeeze(1)
    loss = _Chunked.apply(*head.of(rows), asked.of(rows), dtype)
    if asked.settings.reduction != "none":
        return loss
    return loss.new_zeros(len(counts)).index_copy(0, rows, loss)


class _Chunked(Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        asked: Asked,
        dtype: torch.dtype,
    ) -> Tensor:
        ctx.save_for_backward(hidden, weight, bias)
        ctx.asked, ctx.dtype, ctx.gradients = asked, dtype, None
        head, wanted = Head(hidden, weight, bias), Wanted(*ctx.needs_input_grad[:3])
        if asked.settings.reduction == "none":
            return torch.cat(_pass_over(head, asked, dtype)[0])
        losses, ctx.gradients = _pass_over(head, asked, dtype, wanted)
        loss = torch.stack(losses).sum()
        return loss / asked.divisor(dtype) if asked.settings.reduction == "mean" else loss

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        head, asked, dtype = Head(*ctx.saved_tensors), ctx.asked, ctx.dtype
        wanted = Wanted(*ctx.needs_input_grad[:3])
        several = is_transformed() or torch._C._functorch.is_legacy_batchedtensor(upstream)
        if torch.is_grad_enabled() or several:  # to be differentiated again; `is_grads_batched`
            return *_gradients_of_whole(head, asked, dtype, wanted, upstream), None, None
        if asked.settings.reduction == "none":
            gradients = _pass_over(head, asked, dtype, wanted, upstream)[1]
            return *gradients.times(None, head), None, None
        # Given away, so that nobody else holds what the caller may change; made anew if the graph
        # is kept and asked again.
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is None:
            gradients = _pass_over(head, asked, dtype, wanted)[1]
        if asked.settings.reduction == "mean":
            divisor = asked.divisor(dtype)
            # Where nothing counts, or weighs nothing, there is nothing to learn.
            upstream = upstream / torch.where(divisor == 0, 1, divisor)
        return *gradients.times(upstream, head), None, None


def _pass_over(
    head: Head,
    asked: Asked,
    dtype: torch.dtype,
    wanted: Wanted = Wanted(False, False, False),  # noqa: B008
    upstream: Tensor | None = None,
) -> tuple[list[Tensor], Gradients]:
    """The losses of the chunks, and the gradients of their sum.

    For the reduction `none` the losses of the tokens, weighed by `upstream` in what is derived.
    """
    if asked.settings.reduction == "mean":
        asked = replaced(asked, settings=replaced(asked.settings, reduction="sum"))
    size = tokens_of_a_chunk(len(head.weight), head.hidden.device)
    # Of no tokens there is one chunk, empty.
    starts = range(0, max(len(head.hidden), 1), size)
    gradients = Gradients(head, wanted, dtype, chunks=len(starts))
    whole = head.in_dtype(dtype)
    shape = min(size, len(head.hidden)), len(head.weight)
    room = torch.empty(shape, dtype=dtype, device=head.hidden.device)
    losses = []
    for first in starts:
        rows = slice(first, first + size)
        of_rows = whole.of(rows)
        with _without_autocast(head):
            logits = of_rows.logits_in(room).requires_grad_(any(wanted))
            with torch.set_grad_enabled(any(wanted)):
                loss = _loss_of(logits, asked.of(rows))
            losses.append(loss.detach())
            if any(wanted):
                own = None if upstream is None else upstream[rows]
                (slope,) = torch.autograd.grad(loss, logits, own)
                del loss, logits
                gradients.add(rows, of_rows, slope)
                del slope
    return losses, gradients


def _loss_of(logits: Tensor, asked: Asked) -> Tensor:
    return loss_of_checked(logits, asked.labels, asked.answer(), asked.class_weight, asked.settings)


def _whole(head: Head, asked: Asked, dtype: torch.dtype) -> Tensor:
    """The loss of all tokens at once, by operations that torch can differentiate."""
    with _without_autocast(head):
        return _loss_of(head.in_dtype(dtype).logits(), asked)


def _gradients_of_whole(
    head: Head, asked: Asked, dtype: torch.dtype, wanted: Wanted, upstream: Tensor
) -> list[Tensor | None]:
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        loss = _whole(head, asked, dtype)
    parts = zip(head, wanted, strict=True)
    inputs = [tensor for tensor, is_wanted in parts if is_wanted and tensor is not None]
    found = iter(torch.autograd.grad(loss, inputs, upstream, create_graph=again))
    return [next(found) if is_wanted else None for is_wanted in wanted]


def _without_autocast(head: Head) -> torch.autocast:
    """Leave every dtype as it is: that of logits was chosen where the loss was called."""
    return torch.autocast(head.hidden.device.type, enabled=False)


def _has_tangent(tensor: Tensor | None) -> bool:
    return tensor is not None and unpack_dual(tensor).tangent is not None  # type: ignore[no-untyped-call]
