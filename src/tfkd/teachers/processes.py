"""What several processes saw of one batch, put together."""

from __future__ import annotations

import os

import torch
import torch.distributed as dist
from torch import Tensor


def are_several() -> bool:
    """Return whether more than one process trains."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def share_of(total: int, *, rank: int, world_size: int) -> tuple[int, int]:
    """Return the first of a process's contiguous share of so many rows, and the one behind it."""
    return total * rank // world_size, total * (rank + 1) // world_size


def own_share(total: int) -> tuple[int, int]:
    """Return the share of this process."""
    if not are_several():
        return 0, total
    return share_of(total, rank=dist.get_rank(), world_size=dist.get_world_size())


def sizes_of_all(size: int, device: torch.device) -> tuple[int, ...]:
    """Return a number that each process has, in their order; each must call this."""
    if not are_several():
        return (size,)
    own = torch.tensor([size], device=device)
    sizes = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(sizes, own)
    return tuple(torch.cat(sizes).tolist())


def gathered(rows: Tensor, sizes: tuple[int, ...] | None = None) -> Tensor:
    """Return the rows of all processes, in their order; each must call this.

    Args:
        rows: `(n, ...)`; n may differ from process to process, the rest may not.
        sizes: n of each, as `sizes_of_all` has it; None: it is asked for.
    """
    if not are_several():
        return rows
    sizes = sizes_of_all(len(rows), rows.device) if sizes is None else sizes
    padded = rows.new_zeros((max(sizes), *rows.shape[1:]))
    padded[: len(rows)] = rows
    parts = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(parts, padded)
    return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])


def total_over_processes(count: int, device: torch.device) -> int:
    """Return the sum of a number over all processes; each must call this."""
    return (
        int(summed_over_processes(torch.tensor([count], device=device))) if are_several() else count
    )


def summed_over_processes(numbers: Tensor) -> Tensor:
    """Return the sum of tensors of one shape over all processes; each must call this."""
    if not are_several():
        return numbers
    total = numbers.clone()
    dist.all_reduce(total)
    return total


def take_from_first(tensors: list[Tensor]) -> None:
    """Change tensors to those of the first process; each must call this."""
    if are_several():
        for tensor in tensors:
            dist.broadcast(tensor, 0)


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
