"""GoogLeNet for small images, with batch normalisation and without auxiliary classifiers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tfkd.models._sizes import check_sizes

# Maps of each block: 1x1 · reduced, 3x3 · reduced, twice 3x3 · pooled (Szegedy et al., table 1).
_BLOCKS_BY_STAGE = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)


def _conv(before: int, after: int, size: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, kernel_size=size, padding=size // 2),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )


class Inception(nn.Module):
    """Four branches side by side; two 3x3 convolutions stand for the 5x5 of the original."""

    def __init__(self, before: int, maps: tuple[int, int, int, int, int, int]) -> None:
        super().__init__()
        one, reduced3, three, reduced5, five, pooled = maps
        self.branches = nn.ModuleList(
            [
                _conv(before, one, 1),
                nn.Sequential(_conv(before, reduced3, 1), _conv(reduced3, three, 3)),
                nn.Sequential(
                    _conv(before, reduced5, 1), _conv(reduced5, five, 3), _conv(five, five, 3)
                ),
                nn.Sequential(
                    nn.MaxPool2d(3, stride=1, padding=1),
                    _conv(before, pooled, 1),
                ),
            ]
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maps of all branches, one after the other along the channels."""
        return torch.cat([branch(maps) for branch in self.branches], dim=1)


def googlenet(*, num_classes: int, in_channels: int = 3) -> nn.Module:
    """Build GoogLeNet for small images: 3x3 stem of 192 maps, two poolings, dropout 0.4.

    The released network gives one normalisation of each block an epsilon of its number of maps,
    which reads as a slip of the pen; here every epsilon is torch's 1e-5.

    Args:
        num_classes: number of classes K, at least 2.
        in_channels: channels of the images, at least 1.

    Returns:
        A network from images (N, in_channels, H, W) to logits (N, K).

    Raises:
        TypeError: if a size is not an int.
        ValueError: if a size is too small.

    Source: Szegedy et al., 2015, arXiv 1409.4842; as in the code released with Yuan et al., 2020,
    arXiv 1909.11723.

    Example:
        >>> import torch, tfkd.models
        >>> with torch.device("meta"):
        ...     network = tfkd.models.googlenet(num_classes=100)
        >>> sum(p.numel() for p in network.parameters())
        6258500
    """
    check_sizes(num_classes=num_classes, in_channels=in_channels)
    layers: list[nn.Module] = [_conv(in_channels, 192, 3)]
    before = 192
    for i, blocks in enumerate(_BLOCKS_BY_STAGE):
        if i > 0:
            layers.append(nn.MaxPool2d(3, stride=2, padding=1))
        for maps in blocks:
            layers.append(Inception(before, maps))
            before = maps[0] + maps[2] + maps[4] + maps[5]
    return nn.Sequential(
        *layers,
        nn.AdaptiveAvgPool2d(1),
        nn.Dropout2d(0.4),
        nn.Flatten(),
        nn.Linear(before, num_classes),
    )
