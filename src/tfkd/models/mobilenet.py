"""MobileNetV2 for small images."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from tfkd.models._sizes import check_sizes

# Expansion, maps, blocks, stride of the first block (Sandler et al., table 2, with the strides
# of the second and the sixth stage made 2 and 1).
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 1),
    (6, 320, 1, 1),
)


def _expand(before: int, after: int, *, padding: int = 0) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, kernel_size=1, padding=padding),
        nn.BatchNorm2d(after),
        nn.ReLU6(inplace=True),
    ]


class InvertedResidual(nn.Module):
    """Expand by 1x1, filter each map by 3x3, project by 1x1; add the input where it fits."""

    def __init__(self, before: int, after: int, *, expansion: int, stride: int) -> None:
        super().__init__()
        inner = before * expansion
        self.layers = nn.Sequential(
            *_expand(before, inner),
            nn.Conv2d(inner, inner, kernel_size=3, stride=stride, padding=1, groups=inner),
            nn.BatchNorm2d(inner),
            nn.ReLU6(inplace=True),
            nn.Conv2d(inner, after, kernel_size=1),
            nn.BatchNorm2d(after),
        )
        self.adds_input = stride == 1 and before == after

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maps of the block."""
        result = cast(Tensor, self.layers(maps))
        return result + maps if self.adds_input else result


def mobilenet_v2(*, num_classes: int, in_channels: int = 3) -> nn.Module:
    """Build MobileNetV2 for small images: 1x1 stem, three halvings of the side, no dropout.

    As in the released network the stem pads by one pixel (32 becomes 34), convolutions keep their
    biases, and the first stage has an expansion layer although it expands by 1.

    Args:
        num_classes: number of classes K, at least 2.
        in_channels: channels of the images, at least 1.

    Returns:
        A network from images (N, in_channels, H, W) to logits (N, K).

    Raises:
        TypeError: if a size is not an int.
        ValueError: if a size is too small.

    Source: Sandler et al., 2018, arXiv 1801.04381; as in the code released with Yuan et al.,
    2020, arXiv 1909.11723.

    Example:
        >>> import tfkd.models
        >>> network = tfkd.models.mobilenet_v2(num_classes=100)
        >>> sum(p.numel() for p in network.parameters())
        2369380
    """
    check_sizes(num_classes=num_classes, in_channels=in_channels)
    layers = _expand(in_channels, 32, padding=1)
    before = 32
    for expansion, after, blocks, stride in _STAGES:
        for i in range(blocks):
            first = i == 0
            layers.append(
                InvertedResidual(before, after, expansion=expansion, stride=stride if first else 1)
            )
            before = after
    return nn.Sequential(
        *layers,
        *_expand(before, 1280),
        nn.AdaptiveAvgPool2d(1),
        nn.Conv2d(1280, num_classes, kernel_size=1),
        nn.Flatten(),
    )
