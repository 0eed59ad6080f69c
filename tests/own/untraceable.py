"""A network that decides by what it sees, which no tracer follows."""

from __future__ import annotations

from torch import Tensor, nn


class Deciding(nn.Module):
    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.head = nn.Linear(in_channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        means = images.mean(dim=(2, 3))
        if float(means.sum()) > 0:
            means = means + 1
        return self.head(means)


def deciding(*, num_classes: int, in_channels: int) -> nn.Module:
    return Deciding(num_classes, in_channels)
