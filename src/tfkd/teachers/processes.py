"""What several processes saw of one batch, put together."""

from __future__ import annotations

import os

import torch
import torch.distributed as dist
from torch import Tensor


def are_several() -> bool:
    """Return whether more than one process trains."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def gathered(rows: Tensor) -> Tensor:
    """Return the rows of all processes, in their order; each must call this.

    Args:
        rows: `(n, ...)`; n may differ from process to process, the rest may not.
    """
    if not are_several():
        return rows
    size = torch.tensor([len(rows)], device=rows.device)
    sizes = [torch.empty_like(size) for _ in range(dist.get_world_size())]
    dist.all_gather(sizes, size)
    counts = [int(count) for count in sizes]
    padded = rows.new_zeros((max(counts), *rows.shape[1:]))
    padded[: len(rows)] = rows
    parts = [torch.empty_like(padded) for _ in counts]
    dist.all_gather(parts, padded)
    return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])


def total_over_processes(count: int, device: torch.device) -> int:
    """Return the sum of a number over all processes; each must call this."""
    if not are_several():
        return count
    total = torch.tensor([count], device=device)
    dist.all_reduce(total)
    return int(total)


def wait_for_all() -> None:
    """Return once every process has come here."""
    if are_several():
        dist.barrier()


def is_first_of_machine() -> bool:
    """Return whether this process is the one of its machine that writes for all."""
    if not are_several():
        return True
    local = os.environ.get("LOCAL_RANK")  # as torchrun and Accelerate say it
    return dist.get_rank() == 0 if local is None else int(local) == 0
