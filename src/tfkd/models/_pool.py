"""Average pooling to a grid of fixed size."""

from __future__ import annotations

import torch
from torch import Tensor


def average_to_grid(maps: Tensor, size: int) -> Tensor:
    """Average each map over `size` by `size` bins, as adaptive average pooling has them.

    Bin i of a side of length L runs from floor(i·L/size) to ceil((i+1)·L/size), so a map smaller
    than the grid repeats pixels. A map that has the size already is returned as it is.

    `torch.nn.functional.adaptive_avg_pool2d` computes the same, but its backward pass on CUDA is
    not deterministic. A bin is a rectangle, so the mean of its rows' means is its mean.

    Args:
        maps: (N, C, H, W).
        size: side of the grid, at least 1.

    Returns:
        (N, C, size, size).

    Example:
        >>> import torch
        >>> average_to_grid(torch.arange(16.0).reshape(1, 1, 4, 4), 2).flatten().tolist()
        [2.5, 4.5, 10.5, 12.5]
    """
    for dim in (2, 3):
        length = maps.shape[dim]
        if length == size:
            continue
        bins = []
        for i in range(size):
            start = i * length // size
            stop = -(-(i + 1) * length // size)
            bins.append(maps.narrow(dim, start, stop - start).mean(dim, keepdim=True))
        maps = torch.cat(bins, dim)
    return maps
