"""The loss of a teacher and its gradient on a GPU: one program to a row of logits.

A row that fits into the registers of its program is read once. Of a longer one the second look, for
the gradient, is mostly answered by the cache. Importing this needs Triton, which comes with torch
where it is built for CUDA.
"""
# mypy: disable-error-code="untyped-decorator, no-untyped-def, no-untyped-call"

from __future__ import annotations

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

WHOLE = 1 << 11
"""Longest row, in logits, that a program keeps at hand."""

LARGEST = 1 << 16
"""Most bytes that a program looks at together."""

PROGRAMS = 1 << 11
"""Most programs that look whether rows are to be multiplied."""

BY_WARP = 1 << 9
"""Logits of a block to each of its warps."""

LOG2_E = tl.constexpr(math.log2(math.e))

LOWEST = tl.constexpr(-1e38)
"""What the largest logit of a row is taken for before one was seen; finite, for of two infinite
numbers there is no difference."""


def write_rows(
    logits: Tensor,
    teacher: Tensor | None,
    labels: Tensor,
    of_true: Tensor,
    gradient: Tensor,
    weight: Tensor | None,
    divisor: Tensor | None,
    share: Tensor | None,
    label_share: Tensor | None,
    *,
    kept: float,
    taught: float,
    temperature: float,
    scale: float,
    target: tuple[float, float, float],
) -> Tensor:
    """Write the gradient, and return the loss of each row `(N)`, before it is divided.

    Args:
        logits: `(N, K)`, float32 or half precision, the classes beside one another.
        teacher: its logits `(N, K)`, alike; None: it has a gap.
        labels: `(N)`, int64.
        of_true: `(N)`, the logit of the true class.
        gradient: `(N, K)`, alike, written.
        weight: of each row, `(N)`; None: all are 1. Of a row of weight 0 nothing is read.
        divisor: of the gradient, `()`; None: 1.
        share: factor of the teacher term of each row, `(N)`; None: all are 1.
        label_share: the same of the label term.
        kept: weight of the label term, 1 − α.
        taught: weight of the teacher term, α.
        temperature: τ.
        scale: of the loss.
        target: of a gap teacher, `tfkd.loss.kernels.closed_form.GapTarget`.
    """
    floor, extra, constant = target
    rows, num_classes = logits.shape
    loss = torch.empty(rows, dtype=torch.float32, device=logits.device)
    if rows == 0:
        return loss
    read = (logits, *([] if teacher is None else [teacher]))
    block = _block(num_classes, sum(each.element_size() for each in read))
    with torch.cuda.device_of(logits):
        _row[(rows,)](
            logits,
            logits if teacher is None else teacher,
            gradient,
            loss,
            labels,
            of_true,
            weight,
            share,
            label_share,
            divisor,
            logits.stride(0),
            0 if teacher is None else teacher.stride(0),
            gradient.stride(0),
            num_classes,
            kept,
            taught,
            1.0 / temperature,
            temperature,
            scale,
            floor,
            extra,
            constant,
            HAS_TEACHER=teacher is not None,
            HAS_SOFT=temperature != 1.0,
            HAS_SHARP=temperature == 1.0 or kept != 0.0,
            HAS_EXTRA=extra != 0.0,
            HAS_FLOOR=floor != 0.0,
            BLOCK=block,
            IS_WHOLE=block >= num_classes,
            num_warps=max(block // BY_WARP, 1),
        )
    return loss


def multiply_rows(gradient: Tensor, factor: Tensor) -> None:
    """Multiply rows `(N, K)` by a number `()`, or by one for each `(N)`; 1 moves nothing.

    That the number is 1, as it is where `loss.backward()` is called, is seen on the GPU, and nobody
    waits for it.
    """
    rows, num_classes = gradient.shape
    if rows == 0:
        return
    block = min(triton.next_power_of_2(num_classes), WHOLE)
    with torch.cuda.device_of(gradient):
        _multiply_rows[(min(rows, PROGRAMS),)](
            gradient,
            factor,
            gradient.stride(0),
            0 if factor.dim() == 0 else factor.stride(0),
            rows,
            num_classes,
            BLOCK=block,
            num_warps=max(block // BY_WARP, 1),
        )


def _block(num_classes: int, bytes_of_class: int) -> int:
    """How many logits of a row a program looks at together; it was fastest on an H100."""
    whole: int = triton.next_power_of_2(num_classes)
    most = LARGEST // max(bytes_of_class, 4)
    return whole if whole <= WHOLE else min(max(whole // 8, WHOLE), most)


@triton.jit
def _multiply_rows(
    g_ptr, factor_ptr, g_stride, factor_stride, rows, num_classes, BLOCK: tl.constexpr
):
    first_row = tl.program_id(0).to(tl.int64)
    for row in range(first_row, rows, tl.num_programs(0)):
        factor = tl.load(factor_ptr + row * factor_stride).to(tl.float32)
        if factor != 1.0:
            for first in range(0, num_classes, BLOCK):
                at = row * g_stride + first + tl.arange(0, BLOCK)
                there = first + tl.arange(0, BLOCK) < num_classes
                g = tl.load(g_ptr + at, mask=there).to(tl.float32)
                tl.store(g_ptr + at, g * factor, mask=there)


@triton.jit
def _of_row(ptr, row):
    """The number of a row, 1 where there is none."""
    if ptr is None:
        return 1.0
    else:
        return tl.load(ptr + row).to(tl.float32)


@triton.jit
def _logits(ptr, at, num_classes, POLICY: tl.constexpr):
    """Logits of a block; past the last class minus infinity, which has no exponential."""
    return tl.load(ptr + at, mask=at < num_classes, other=-float("inf"), eviction_policy=POLICY)


@triton.jit
def _with_student(
    z, at, num_classes, first, rate, top, sharp, soft, total,
    HAS_SOFT: tl.constexpr, HAS_SHARP: tl.constexpr, HAS_FLOOR: tl.constexpr,
):  # fmt: skip
    """The largest logit with those of a block, and the sums measured from it.

    Of exponentials at 1 and at τ, and of the logits themselves.
    """
    new = tl.maximum(top, tl.max(z, 0))
    lift = top - new
    below = z - new
    if HAS_SHARP:
        sharp = sharp * tl.exp2(lift * LOG2_E) + tl.sum(tl.exp2(below * LOG2_E), 0)
    if HAS_SOFT:
        soft = soft * tl.exp2(lift * rate) + tl.sum(tl.exp2(below * rate), 0)
    if HAS_FLOOR:
        total += first * lift + tl.sum(tl.where(at < num_classes, below, 0.0), 0)
    return new, sharp, soft, total


@triton.jit
def _with_teacher(z, t, z_lift, z_top, rate, top, teaching, ahead):
    """The same of the teacher, and Σ_k t_k·(its logit − the student's) without normaliser."""
    new = tl.maximum(top, tl.max(t, 0))
    lift = top - new
    shrunk = tl.exp2(lift * rate)
    below = t - new
    e = tl.exp2(below * rate)
    # A class without mass counts 0, even if a logit of it is infinite.
    each = tl.where(e > 0.0, e * (below - (z - z_top)), 0.0)
    ahead = shrunk * (ahead + teaching * (lift - z_lift)) + tl.sum(each, 0)
    return new, teaching * shrunk + tl.sum(e, 0), ahead


@triton.jit
def _gradient(
    z, t, z_top, t_top, rate, of_sharp, of_soft, of_teacher, of_others,
    HAS_TEACHER: tl.constexpr, HAS_SOFT: tl.constexpr, HAS_SHARP: tl.constexpr,
):  # fmt: skip
    """What is the same for every class: probabilities times their weights, and a number."""
    below = z - z_top
    if HAS_SOFT:
        g = of_soft * tl.exp2(below * rate) + of_others
        if HAS_SHARP:
            g += of_sharp * tl.exp2(below * LOG2_E)
    else:
        g = (of_soft + of_sharp) * tl.exp2(below * LOG2_E) + of_others
    if HAS_TEACHER:
        g -= of_teacher * tl.exp2((t - t_top) * rate)
    return g


@triton.jit
def _row(
    z_ptr, t_ptr, g_ptr, loss_ptr, label_ptr, of_true_ptr,
    weight_ptr, share_ptr, label_share_ptr, divisor_ptr,
    z_stride, t_stride, g_stride, num_classes,
    kept, taught, inverse_tau, tau, scale, floor, extra, constant,
    HAS_TEACHER: tl.constexpr, HAS_SOFT: tl.constexpr, HAS_SHARP: tl.constexpr,
    HAS_EXTRA: tl.constexpr, HAS_FLOOR: tl.constexpr, BLOCK: tl.constexpr, IS_WHOLE: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    z_ptr += row * z_stride
    t_ptr += row * t_stride
    g_ptr += row * g_stride
    weight = scale * _of_row(weight_ptr, row)
    lanes = tl.arange(0, BLOCK)
    if weight == 0.0:
        tl.store(loss_ptr + row, 0.0)
        for first in range(0, num_classes, BLOCK):
            at = first + lanes
            tl.store(g_ptr + at, tl.zeros((BLOCK,), tl.float32), mask=at < num_classes)
        return
    kept *= _of_row(label_share_ptr, row)
    taught *= _of_row(share_ptr, row)
    label = tl.load(label_ptr + row)
    # Of a row where nobody listens the teacher's logits are not read.
    t_classes = tl.where(taught != 0.0, num_classes, 0)
    rate = inverse_tau * LOG2_E
    z_top, t_top = LOWEST + 0.0, LOWEST + 0.0
    sharp, soft, total, teaching, ahead = 0.0, 0.0, 0.0, 0.0, 0.0

    # Each block is asked for before the one in front of it is looked at.
    z_next = _logits(z_ptr, lanes, num_classes, "evict_last")
    t_next = z_next
    if HAS_TEACHER:
        t_next = _logits(t_ptr, lanes, t_classes, "evict_last")
    z, t = z_next.to(tl.float32), t_next.to(tl.float32)
    for first in tl.range(0, num_classes, BLOCK):
        at = first + lanes
        if not IS_WHOLE:
            z, t = z_next.to(tl.float32), t_next.to(tl.float32)
            z_next = _logits(z_ptr, at + BLOCK, num_classes, "evict_last")
            if HAS_TEACHER:
                t_next = _logits(t_ptr, at + BLOCK, t_classes, "evict_last")
            else:
                t_next = z_next
        before = z_top
        z_top, sharp, soft, total = _with_student(
            z, at, num_classes, first, rate, z_top, sharp, soft, total,
            HAS_SOFT, HAS_SHARP, HAS_FLOOR,
        )  # fmt: skip
        if HAS_TEACHER:
            t_top, teaching, ahead = _with_teacher(
                z, t, before - z_top, z_top, rate, t_top, teaching, ahead
            )
    if not IS_WHOLE:
        z_next = _logits(z_ptr, lanes, num_classes, "evict_first")
        if HAS_TEACHER:
            t_next = _logits(t_ptr, lanes, t_classes, "evict_first")
        else:
            t_next = z_next

    if not HAS_SOFT:
        soft = sharp
    z_y = tl.load(of_true_ptr + row).to(tl.float32)
    loss = 0.0
    if HAS_TEACHER:
        if kept != 0.0:
            loss = kept * (tl.log(sharp) - (z_y - z_top))
        if taught != 0.0:
            divergence = ahead * inverse_tau / teaching + tl.log(soft) - tl.log(teaching)
            loss += taught * tau * tau * divergence
    else:
        loss = taught * tau * tau * tl.log(soft)
        if HAS_SHARP:
            loss += kept * tl.log(sharp)
        if HAS_EXTRA:
            loss -= extra * (z_y - z_top)
        if HAS_FLOOR:
            loss += constant - floor * total
    tl.store(loss_ptr + row, weight * loss)

    factor = weight / _of_row(divisor_ptr, 0)
    if HAS_TEACHER:
        of_others, for_true = 0.0, kept * factor
    else:
        of_others, for_true = -floor * factor, extra * factor
    of_sharp = kept * factor / sharp
    of_soft = taught * tau * factor / soft
    of_teacher = 0.0
    if HAS_TEACHER:
        of_teacher = tl.where(taught != 0.0, taught * tau * factor / teaching, 0.0)
    for first in tl.range(0, num_classes, BLOCK):
        at = first + lanes
        if not IS_WHOLE:
            z, t = z_next.to(tl.float32), t_next.to(tl.float32)
            z_next = _logits(z_ptr, at + BLOCK, num_classes, "evict_first")
            if HAS_TEACHER:
                t_next = _logits(t_ptr, at + BLOCK, t_classes, "evict_first")
            else:
                t_next = z_next
        g = _gradient(
            z, t, z_top, t_top, rate, of_sharp, of_soft, of_teacher, of_others,
            HAS_TEACHER, HAS_SOFT, HAS_SHARP,
        )  # fmt: skip
        tl.store(g_ptr + at, g, mask=at < num_classes, eviction_policy="evict_first")
    # Over what one of the threads has written there.
    tl.debug_barrier()
    t_y = z_y
    if HAS_TEACHER:
        t_y = tl.load(t_ptr + label, mask=label < t_classes, other=-float("inf")).to(tl.float32)
    g_y = _gradient(
        z_y, t_y, z_top, t_top, rate, of_sharp, of_soft, of_teacher, of_others,
        HAS_TEACHER, HAS_SOFT, HAS_SHARP,
    )  # fmt: skip
    tl.store(g_ptr + label, g_y - for_true)
