"""What is remembered of each sample, a row of several columns: in memory."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

Layout = dict[str, tuple[torch.dtype, tuple[int, ...]]]
"""Dtype and shape of a row, by the name of the column."""


def last_of_each(rows: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Return rows to write to and, for each, the place of what is written there.

    Of a row that comes several times it is the last place, so that writing in any order does as
    writing one by one would. What does not count is taken for one that does. Everything keeps its
    shape, and no value is waited for.

    Args:
        rows: `(n,)` int64.
        counts: `(n,)` bool, which are to be written.

    Returns:
        Rows `(n,)`, all −1 where none counts, and places `(n,)`.

    Example:
        >>> rows, places = last_of_each(torch.tensor([5, 3, 5]), torch.tensor([True, False, True]))
        >>> rows, places
        (tensor([5, 5, 5]), tensor([2, 2, 2]))
    """
    known, order = torch.where(counts, rows, -1).sort(stable=True)
    last = torch.searchsorted(known, known, right=True) - 1
    last = torch.where(known < 0, len(known) - 1, last)
    return known[last], order[last]


def write_rows(columns: dict[str, Tensor], rows: Tensor, values: dict[str, Tensor]) -> None:
    """Write values `(n, ...)` to rows of columns in place, nothing to rows of −1."""
    target = rows.clamp(min=0)
    for name, column in columns.items():
        new, old = values[name].to(column.dtype), column.index_select(0, target)
        there = (rows >= 0).view(-1, *[1] * (column.dim() - 1))
        column.index_copy_(0, target, torch.where(there, new, old))


@final
class RowsInMemory(nn.Module):
    """Columns of rows as buffers, written in place.

    Args:
        layout: of the columns.
        count: of rows; all are zeros.
    """

    def __init__(self, layout: Layout, count: int) -> None:
        super().__init__()
        for name, (dtype, shape) in layout.items():
            self.register_buffer(name, torch.zeros(count, *shape, dtype=dtype))

    def _columns(self) -> dict[str, Tensor]:
        return dict(self.named_buffers())

    def read(self, rows: Tensor) -> dict[str, Tensor]:
        """Return rows `(n,)` of every column."""
        return {
            name: column.index_select(0, rows.to(column.device)).to(rows.device)
            for name, column in self._columns().items()
        }

    def write(self, rows: Tensor, values: dict[str, Tensor]) -> None:
        """Write values `(n, ...)` to rows, −1 being none."""
        columns = self._columns()
        device = next(iter(columns.values())).device
        moved = {name: value.to(device) for name, value in values.items()}
        write_rows(columns, rows.to(device), moved)

    def epoch_ended(self) -> None:
        """Learn that all samples of an epoch were seen, which changes nothing."""
