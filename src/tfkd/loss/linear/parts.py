"""A linear head with what it is given, and what of its logits a loss is asked for."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from tfkd.loss.terms import LossSettings, index_weights
from tfkd.teachers.base import Answer, replaced


class Head(NamedTuple):
    """A linear head and what it is given.

    Attributes:
        hidden: `(M, D)`, or `(..., D)` before it is flattened.
        weight: `(K, D)`.
        bias: `(K,)` or None.
    """

    hidden: Tensor
    weight: Tensor
    bias: Tensor | None = None

    def logits(self) -> Tensor:
        """Return `(M, K)`."""
        return F.linear(self.hidden, self.weight, self.bias)

    def logits_in(self, room: Tensor) -> Tensor:
        """Return the same in the first rows of `room`, which are written over, without a graph."""
        own = room[: len(self.hidden)].detach()
        with torch.no_grad():
            if self.bias is None:
                return torch.mm(self.hidden, self.weight.T, out=own)
            return torch.addmm(self.bias, self.hidden, self.weight.T, out=own)

    def of(self, rows: slice | Tensor) -> Head:
        """Return it with some of the tokens."""
        return Head(self.hidden[rows], self.weight, self.bias)

    def flat(self) -> Head:
        """Return it with one dimension of tokens."""
        return Head(self.hidden.reshape(-1, self.hidden.shape[-1]), self.weight, self.bias)

    def detached(self) -> Head:
        """Return it without a graph."""
        bias = None if self.bias is None else self.bias.detach()
        return Head(self.hidden.detach(), self.weight.detach(), bias)

    def in_dtype(self, dtype: torch.dtype) -> Head:
        """Return it in another dtype."""
        bias = None if self.bias is None else self.bias.to(dtype)
        return Head(self.hidden.to(dtype), self.weight.to(dtype), bias)


class Asked(NamedTuple):
    """What a loss is asked for, beside the student's head.

    Attributes:
        labels: class indices `(M,)`, int64.
        teacher: a gap, or one for each token `(M,)`; logits `(M, K)`; or the head that has them.
        class_weight: `(K,)` or None.
        settings: of the loss, numbers.
    """

    labels: Tensor
    teacher: Tensor | float | Head
    class_weight: Tensor | None
    settings: LossSettings

    def of(self, rows: slice | Tensor) -> Asked:
        """Return what is asked of some of the tokens."""
        said = self.teacher
        if isinstance(said, Head):
            said = said.of(rows)
        elif isinstance(said, Tensor):
            said = said[rows]
        return replaced(self, labels=self.labels[rows], teacher=said)

    def answer(self) -> Answer:
        """Return what the teacher says, of a head the logits of all tokens."""
        return Answer(self.teacher.logits() if isinstance(self.teacher, Head) else self.teacher)

    def divisor(self, dtype: torch.dtype) -> Tensor:
        """Return what the mean divides by: how many tokens count, or what they weigh.

        Args:
            dtype: of the logits.
        """
        ignore_index = self.settings.ignore_index
        if self.class_weight is None:
            return (self.labels != ignore_index).sum()
        # In half precision the sum would leave the range, or lose tokens.
        weight = self.class_weight.to(torch.promote_types(dtype, torch.float32))
        return index_weights(self.labels, weight, ignore_index).sum()


def dtype_of(hidden: Tensor) -> torch.dtype:
    """Return the dtype in which logits are computed: that of autocast where it is on."""
    device, dtype = hidden.device.type, hidden.dtype
    if dtype != torch.float64 and torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
    # On a CPU many times slower than in float32, in which nothing is lost.
    return torch.float32 if dtype == torch.float16 and device == "cpu" else dtype
