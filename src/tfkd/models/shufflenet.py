"""ShuffleNetV2 for small images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tfkd.models._sizes import check_sizes


def _pointwise(before: int, after: int) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, kernel_size=1),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    ]


def _depthwise(maps: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(maps, maps, kernel_size=3, stride=stride, padding=1, groups=maps),
        nn.BatchNorm2d(maps),
    ]


def _interleave(first: Tensor, second: Tensor) -> Tensor:
    # A shuffle of two groups of channels takes one channel of each in turn.
    return torch.stack((first, second), dim=2).flatten(1, 2)


class ShuffleUnit(nn.Module):
    """Keep one half of the channels, filter the other, and mix the two."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        half = maps // 2
        self.branch = nn.Sequential(
            *_pointwise(half, half), *_depthwise(half, 1), *_pointwise(half, half)
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Return as many maps of the same size."""
        kept, filtered = maps.chunk(2, dim=1)
        return _interleave(kept, self.branch(filtered))


class DownsamplingUnit(nn.Module):
    """Filter all channels in two branches of stride 2, and mix the two."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        half = after // 2
        self.shortcut = nn.Sequential(*_depthwise(before, 2), *_pointwise(before, half))
        self.branch = nn.Sequential(
            *_pointwise(before, before), *_depthwise(before, 2), *_pointwise(before, half)
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of half the side."""
        return _interleave(self.shortcut(maps), self.branch(maps))


def shufflenet_v2(*, num_classes: int, in_channels: int = 3) -> nn.Module:
    """Build ShuffleNetV2 x1 for small images: 3x3 stem of stride 1, no max pooling.

    As in the released network the convolutions keep their biases and the stem has no ReLU.

    Args:
        num_classes: number of classes K, at least 2.
        in_channels: channels of the images, at least 1.

    Returns:
        A network from images (N, in_channels, H, W) to logits (N, K).

    Raises:
        TypeError: if a size is not an int.
        ValueError: if a size is too small.

    Source: Ma et al., 2018, arXiv 1807.11164; as in the code released with Yuan et al., 2020,
    arXiv 1909.11723.

    Example:
        >>> import tfkd.models
        >>> network = tfkd.models.shufflenet_v2(num_classes=100)
        >>> sum(p.numel() for p in network.parameters())
        1360896
    """
    check_sizes(num_classes=num_classes, in_channels=in_channels)
    layers: list[nn.Module] = [
        nn.Conv2d(in_channels, 24, kernel_size=3, padding=1),
        nn.BatchNorm2d(24),
    ]
    before = 24
    for after, blocks in ((116, 4), (232, 8), (464, 4)):
        layers.append(DownsamplingUnit(before, after))
        layers += [ShuffleUnit(after) for _ in range(blocks - 1)]
        before = after
    return nn.Sequential(
        *layers,
        *_pointwise(before, 1024),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(1024, num_classes),
    )
