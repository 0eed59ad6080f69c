"""The gradients of a linear head, summed up chunk by chunk."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from tfkd.loss.linear.parts import Head


class Wanted(NamedTuple):
    """Of which parts of a head a gradient is to be had."""

    hidden: bool
    weight: bool
    bias: bool


class Gradients:
    """Sums the gradients of hidden states, weight and bias; in float32 where they are of less.

    Args:
        head: of the student, flattened.
        wanted: which of them.
        dtype: in which the logits are computed.
        chunks: how many there are.
    """

    def __init__(self, head: Head, wanted: Wanted, dtype: torch.dtype, *, chunks: int) -> None:
        self.wanted, self.chunks, self.seen = wanted, chunks, 0
        self.kept = [_kept_dtype(tensor) for tensor in head]
        single = chunks == 1 and dtype != torch.float16
        self.summed = dtype if single else torch.promote_types(dtype, torch.float32)
        self.hidden: Tensor | None = None
        self.weight: Tensor | None = None
        self.bias: Tensor | None = None
        if wanted.hidden:
            self.hidden = torch.empty_like(head.hidden, dtype=self.kept[0])

    def add(self, rows: slice, head: Head, slope: Tensor) -> None:
        """Add what a chunk contributes.

        Args:
            rows: the tokens of the chunk.
            head: with their hidden states alone, in the dtype of the logits.
            slope: the gradient of their logits.
        """
        self.seen += 1
        if self.hidden is not None:
            own = self.hidden[rows]
            if own.dtype == slope.dtype:
                torch.mm(slope, head.weight, out=own)
            else:
                own.copy_(torch.mm(slope, head.weight))
        if self.wanted.bias:
            of_bias = slope.sum(0, dtype=self.summed)
            self.bias = of_bias if self.bias is None else self.bias.add_(of_bias)
        if not self.wanted.weight:
            return
        if self.summed != slope.dtype and _adds_to_float32(slope):
            if self.weight is None:
                self.weight = torch.zeros_like(head.weight, dtype=self.summed)
            torch.addmm(self.weight, slope.T, head.hidden, out_dtype=self.summed, out=self.weight)
        elif self.weight is None:
            self.weight = torch.mm(slope.T, head.hidden).to(self.summed)
        elif self.weight.dtype == slope.dtype:
            self.weight.addmm_(slope.T, head.hidden)
        else:
            self.weight.add_(torch.mm(slope.T, head.hidden))
        if self.seen == self.chunks:
            self.weight = self.weight.to(self.kept[1])

    def times(self, factor: Tensor | None, head: Head) -> list[Tensor | None]:
        """Return them, each times a number, in the dtypes of the head; only once, for it is theirs.

        Args:
            factor: `()`; None for 1.
            head: of the student.
        """
        if factor is not None and factor.device.type == "cpu" and factor.item() == 1.0:
            factor = None
        found: list[Tensor | None] = []
        for gradient, tensor in zip((self.hidden, self.weight, self.bias), head, strict=True):
            if gradient is None or tensor is None:
                found.append(None)
                continue
            if factor is not None:
                gradient.mul_(factor)
            found.append(gradient.to(tensor.dtype))
        return found


def _adds_to_float32(slope: Tensor) -> bool:
    """Whether a product of half precision is added to float32 without being rounded before.

    Elsewhere it is rounded, and as large as the head.
    """
    return (
        slope.is_cuda
        and torch.version.cuda is not None
        and hasattr(torch.ops.aten.addmm, "dtype_out")  # from torch 2.8 on
        and torch.cuda.get_device_capability(slope.device) >= (8, 0)
    )


def _kept_dtype(tensor: Tensor | None) -> torch.dtype | None:
    """In which a gradient waits: in float16 it would leave its range before it is scaled."""
    if tensor is None:
        return None
    return torch.float32 if tensor.dtype == torch.float16 else tensor.dtype
