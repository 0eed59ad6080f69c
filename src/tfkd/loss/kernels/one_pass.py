"""A loss whose gradient is computed on the way, and kept for the backward pass."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from tfkd.loss.kernels.exponentials import from_largest
from tfkd.loss.terms import LossSettings, at_least_float32, index_weights, times
from tfkd.teachers.base import Answer, is_plain, is_transformed
from tfkd.teachers.few_logits import FewLogits

Kernel = Callable[[Tensor, Tensor, Answer, Tensor | None, LossSettings], Tensor]
Sweep = Callable[[Tensor, Tensor, Answer, Tensor | None, LossSettings], tuple[Tensor, Tensor]]
"""Returns the reduced loss and its gradient; for `none` each sample's loss, and their sum's. The
gradient of half precision may be in float32, and is nobody else's."""


class Way(NamedTuple):
    """How a loss is computed in one pass.

    Attributes:
        sweep: its value and its gradient.
        differentiable: the same loss by operations that torch can differentiate, called where the
            gradient is to be differentiated again.
    """

    sweep: Sweep
    differentiable: Kernel


def in_one_pass(
    way: Way,
    logits: Tensor,
    labels: Tensor,
    answer: Answer,
    class_weight: Tensor | None,
    settings: LossSettings,
) -> Tensor:
    """Return the loss; its gradient is computed on the way and kept for the backward pass.

    Args:
        way: how it is computed.
        logits: `(N, K)` or `(N, K, d1, ...)`; a gradient is to be asked for.
        labels: as the sweep takes them.
        answer: of the teacher, to which no gradient flows.
        class_weight: `(K,)` or None.
        settings: of the loss, numbers, α above 0.
    """
    loss: Tensor = _OnePass.apply(logits, (labels, answer, class_weight, settings), way)
    return loss


class _OnePass(Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, others: tuple[Any, ...], way: Way) -> Tensor:
        loss, ctx.gradient = way.sweep(logits, *others)
        labels, answer, class_weight, settings = others
        ctx.way, ctx.settings, ctx.dtype = way, settings, logits.dtype
        said = answer.logits
        if isinstance(said, Tensor | FewLogits) or not is_plain(answer):
            # Numbers, and inference tensors, which nobody changes in place, cannot be saved.
            flat = _flat(answer)
            saved = [_constant(value) for value in flat]
            ctx.answer = [None if x is not None else y for x, y in zip(saved, flat, strict=True)]
            ctx.save_for_backward(logits, labels, class_weight, *saved)
        else:
            ctx.answer = answer
            ctx.save_for_backward(logits, labels, class_weight)
        return loss

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # to be differentiated again
            logits, *others = _saved(ctx)
            loss = ctx.way.differentiable(logits, *others)
            gradient = torch.autograd.grad(loss, logits, upstream, create_graph=True)[0]
            return gradient, None, None
        # Given away, so that nobody else holds what the caller may change; made anew if the graph
        # is kept and asked again. Only then are the logits looked at: as after torch's own loss,
        # they may have been changed in place since.
        gradient, ctx.gradient = ctx.gradient, None
        if gradient is None:
            gradient = ctx.way.sweep(*_saved(ctx))[1]
        if is_transformed() or torch._C._functorch.is_legacy_batchedtensor(upstream):
            # Several upstreams at once (`is_grads_batched`), which do not fit into one gradient.
            gradient = gradient * (upstream.unsqueeze(1) if upstream.dim() > 0 else upstream)
        elif is_with_triton(gradient) and gradient.dim() == 2:
            from tfkd.loss.kernels.rows_on_gpu import multiply_rows

            multiply_rows(gradient, upstream)
        elif upstream.dim() > 0:
            gradient.mul_(upstream.unsqueeze(1))
        elif not upstream.is_cpu or upstream.item() != 1.0:
            gradient.mul_(upstream)
        return gradient.to(ctx.dtype), None, None


def _constant(value: Tensor | float) -> Tensor | None:
    return value.detach() if isinstance(value, Tensor) and not value.is_inference() else None


def _flat(answer: Answer) -> list[Any]:
    said, *shares = answer
    return [*said, *shares] if isinstance(said, FewLogits) else [said, *shares]


def _answer(flat: list[Any]) -> Answer:
    *said, share, label_share = flat
    return Answer(said[0] if len(said) == 1 else FewLogits(*said), share, label_share)


def _saved(ctx: Any) -> tuple[Any, ...]:
    """What a sweep and a kernel are called with."""
    logits, labels, class_weight, *saved = ctx.saved_tensors
    answer = ctx.answer
    if saved:
        pairs = zip(saved, answer, strict=True)
        answer = _answer([other if tensor is None else tensor for tensor, other in pairs])
    return logits, labels, answer, class_weight, ctx.settings


def is_with_triton(logits: Tensor) -> bool:
    """Return whether a tensor is on a GPU that Triton compiles for; torch for GPUs brings it."""
    return logits.is_cuda and _HAS_TRITON and _compiles(logits.device)


_HAS_TRITON = find_spec("triton") is not None


@cache
def _compiles(device: torch.device) -> bool:
    """Whether Triton does it there: it wants a C compiler, Python's headers and a GPU it knows."""
    from tfkd.loss.kernels.rows_on_gpu import multiply_rows

    try:
        multiply_rows(torch.ones(1, 2, device=device), torch.ones((), device=device))
    except Exception as error:  # of a compiler, of the driver, of Triton
        warnings.warn(
            f"Triton compiles nothing for {device} ({type(error).__name__}: {error}), so losses "
            "are computed there by several operations of torch, more slowly.",
            RuntimeWarning,
            stacklevel=2,
        )
        return False
    return True


def empty_gradient(logits: Tensor) -> Tensor:
    """Return room for the gradient.

    Of float16 in float32: it would underflow before the backward pass can scale it
    (torch.amp.GradScaler).
    """
    kept_dtype = torch.float32 if logits.dtype == torch.float16 else logits.dtype
    return torch.empty_like(logits, dtype=kept_dtype)


def blocks_of(logits: Tensor, most: int) -> list[slice | None]:
    """Return slices of samples with about as many logits each, at most; None stands for all.

    Of half precision, which is copied to float32, a quarter as many. On an accelerator all, since
    each would cost launches, and no more fits into its cache.
    """
    samples, size = len(logits), logits.numel()
    most = most if logits.dtype.itemsize >= 4 else most // 4
    if size <= most or not logits.is_cpu:
        return [None]
    rows = max(most * samples // size, 1)
    return [slice(first, first + rows) for first in range(0, samples, rows)]


SweepOfBlock = Callable[..., Tensor | None]
"""Called with a block, its logits in float32 at least, room for their gradient, which may be the
logits themselves, and room for a second exponential; returns the loss. Unless it is `careful`, when
logits are measured from their largest, None where they have to be."""


def swept_by_blocks(
    sweep: SweepOfBlock, logits: Tensor, gradient: Tensor, most: int, settings: LossSettings
) -> list[Tensor]:
    """Return the losses of the blocks, and write the gradient; carefully from the first that asks.

    Args:
        sweep: called for each block.
        logits: `(N, K)` or `(N, K, d1, ...)`.
        gradient: `empty_gradient` of them.
        most: logits to a block, about.
        settings: of the loss, numbers; where both terms count and τ is not 1 there is a second
            exponential.
    """
    twice = settings.temperature != 1.0 and settings.alpha < 1.0
    dtype = torch.promote_types(logits.dtype, torch.float32)
    losses: list[Tensor] = []
    careful = not logits.is_cpu  # where looking at sums would be to wait for them
    spare: Tensor | None = None
    for block in blocks_of(logits, most):
        z, own = at_least_float32(part_of(logits, block)), part_of(gradient, block)
        # A copy in another dtype than the gradient's is written over.
        result = own if own.dtype == dtype else z
        if twice and (spare is None or len(z) != len(spare)):
            spare = torch.empty_like(z)
        loss = None if careful else sweep(block, z, result, spare, careful=False)
        if loss is None:
            careful = True
            z = from_largest(at_least_float32(part_of(logits, block)))
            loss = sweep(block, z, result, spare, careful=True)
            assert loss is not None
        losses.append(loss)
        if result is not own:
            own.copy_(result)
    return losses


def factor_and_divisor(
    logits: Tensor, labels: Tensor, class_weight: Tensor | None, settings: LossSettings
) -> tuple[Any, Tensor | float]:
    """Return what multiplies the loss of each sample, and the divisor, which is in it.

    The factor is a number where all count alike, else of each sample `(N, 1, ...)`.
    """
    weight, divisor = weight_and_divisor(logits, labels, class_weight, settings)
    factor: Any = settings.scale / divisor
    if weight is not None:
        # A sample of no weight has no gradient, even where all the weights add up to 0.
        factor = torch.where(weight == 0.0, 0.0, weight * factor).unsqueeze(1)
    return factor, divisor


def part_of(value: Any, block: slice | None) -> Any:
    """Return what a tensor has of a block of samples; numbers as they are."""
    return value if block is None or not isinstance(value, Tensor) else value[block]


def weight_and_divisor(
    logits: Tensor, labels: Tensor, class_weight: Tensor | None, settings: LossSettings
) -> tuple[Tensor | None, Tensor | float]:
    """Weight of each class index, None where all count alike, and what their sum is divided by."""
    mean = settings.reduction == "mean"
    # On a GPU it is cheaper to weigh all than to wait for whether any is ignored.
    if (
        class_weight is None
        and labels.is_cpu
        and not _is_any_ignored(labels, settings.ignore_index)
    ):
        return None, float(labels.numel()) if mean else 1.0
    dtype = torch.promote_types(logits.dtype, torch.float32)
    if class_weight is None:
        weight = (labels != settings.ignore_index).to(dtype)
    else:
        weight = index_weights(labels, class_weight.to(dtype), settings.ignore_index)
    return weight, weight.sum() if mean else 1.0


def _is_any_ignored(labels: Tensor, ignore_index: int) -> bool:
    # Of those below 0 the others are reported where they are looked up.
    if ignore_index < 0 and labels.numel() > 0 and labels.amin().item() >= 0:
        return False
    return bool((labels == ignore_index).any())


def of_true_class(x: Tensor, index: Tensor, ignore_index: int) -> Tensor:
    """Return what `x` has at `index`, both `(N, 1, ...)`; torch names a label out of range."""
    try:
        return x.gather(1, index)
    except RuntimeError:
        F.nll_loss(x, index.squeeze(1), ignore_index=ignore_index)
        raise


def add_scaled(result: Tensor, e: Tensor, weight: Tensor | float, total: Tensor) -> None:
    """Add weight · e / total, weight and total being of each sample, `(N, 1, ...)`."""
    if isinstance(weight, Tensor):
        result.addcmul_(e, weight / total)
    else:
        result.addcmul_(e, total.reciprocal(), value=weight)


def add_to_true_class(gradient: Tensor, index: Tensor, value: Tensor | float) -> None:
    """Add a number, or one of each sample `(N, 1, ...)`, at `index`."""
    if isinstance(value, Tensor):
        gradient.scatter_add_(1, index, value)
    else:
        gradient.scatter_(1, index, value, reduce="add")


Parts = list[tuple[Any, Tensor]]
"""Of a loss, with what they weigh: of each sample `(N, 1, ...)`, or their sum."""


def reduced(parts: Parts, reduction: str, *, careful: bool, constant: Any = 0.0) -> Tensor | None:
    """Return Σ weight · part + constant of each sample, or the sum of that.

    Args:
        parts: of the loss, the first of each sample.
        reduction: other than `none` it is the sum, weights being over the divisor already.
        careful: whether the loss may be infinite; else None is returned where it is.
        constant: of each sample, a number where the weights are.
    """
    by_sample = reduction == "none" or any(isinstance(weight, Tensor) for weight, _ in parts)
    if not by_sample and not careful:
        # In few operations: of small logits they are what a loss costs.
        first = parts[0][1]
        value = constant * first.numel()
        for weight, part in parts:
            value += weight * (part if part.dim() == 0 else part.sum()).item()
        return first.new_full((), value) if math.isfinite(value) else None
    each = sum(times(weight, part) if careful else weight * part for weight, part in parts)
    each = each + constant
    assert isinstance(each, Tensor)
    total = each.sum()
    if not careful and not total.isfinite():
        return None
    return each if reduction == "none" else total


def together(losses: list[Tensor], divisor: Tensor | float, reduction: str) -> Tensor:
    """Return the loss of all blocks, each its sum or `(N, 1, ...)`; of the mean of nothing nan."""
    if reduction == "none":
        return (losses[0] if len(losses) == 1 else torch.cat(losses)).squeeze(1)
    total = losses[0] if len(losses) == 1 else torch.stack(losses).sum()
    return torch.where(divisor == 0.0, math.nan, total) if isinstance(divisor, Tensor) else total
