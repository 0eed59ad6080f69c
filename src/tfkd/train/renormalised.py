"""A network that is given images normalised otherwise than those that it was trained on."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tfkd.data import DataIdentity


class Renormalised(nn.Module):
    """A teacher that sees the student's images as its own: (x·σ_s + μ_s − μ_t) / σ_t.

    Args:
        network: that teaches.
        given: data as the student sees them.
        own: data as the network was trained to see them.
    """

    factor: Tensor
    shift: Tensor

    def __init__(self, network: nn.Module, *, given: DataIdentity, own: DataIdentity) -> None:
        super().__init__()
        self.network = network
        mean, std, own_mean, own_std = (
            torch.tensor(values, dtype=torch.float64).view(1, -1, 1, 1)
            for values in (given.mean, given.std, own.mean, own.std)
        )
        self.register_buffer("factor", (std / own_std).float())
        self.register_buffer("shift", ((mean - own_mean) / own_std).float())

    def forward(self, images: Tensor) -> Tensor:
        """Return the network's logits of images as they are given."""
        logits: Tensor = self.network(images * self.factor + self.shift)
        return logits
