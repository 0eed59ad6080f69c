"""The plain five-layer network of the paper, and one half as wide again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from tfkd.models._pool import average_to_grid
from tfkd.models._sizes import check_sizes


class PlainCNN(nn.Module):
    """Three times conv3x3-BN-maxpool-ReLU, then two fully connected layers with dropout.

    Args:
        widths: number of maps of each convolution. Each halves the side of the images.
        num_classes: number of classes K.
        in_channels: channels of the images.
    """

    def __init__(self, *, widths: Sequence[int], num_classes: int, in_channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = in_channels
        for width in widths:
            layers += [
                nn.Conv2d(before, width, kernel_size=3, padding=1),
                nn.BatchNorm2d(width),
                nn.MaxPool2d(2),
                nn.ReLU(inplace=True),
            ]
            before = width
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(before * 4 * 4, before),
            nn.BatchNorm1d(before),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(before, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, K) of images (N, in_channels, H, W)."""
        maps = average_to_grid(self.features(images), 4)
        return cast(Tensor, self.classifier(maps.flatten(1)))


def plain_cnn(*, num_classes: int, in_channels: int = 3) -> nn.Module:
    """Build the plain five-layer network, the paper's weakest teacher and student.

    32, 64 and 128 maps, then 2048 → 128 → K. At 32 pixels the last maps are 4x4; other sizes are
    averaged to that.

    Args:
        num_classes: number of classes K, at least 2.
        in_channels: channels of the images, at least 1.

    Returns:
        A network from images (N, in_channels, H, W), H and W at least 8, to logits (N, K).

    Raises:
        TypeError: if a size is not an int.
        ValueError: if a size is too small.

    Source: Yuan et al., 2020, arXiv 1909.11723, "Plain CNN", as in the released code.

    Example:
        >>> import tfkd.models
        >>> network = tfkd.models.plain_cnn(num_classes=100)
        >>> sum(p.numel() for p in network.parameters())
        369124
    """
    check_sizes(num_classes=num_classes, in_channels=in_channels)
    return PlainCNN(widths=(32, 64, 128), num_classes=num_classes, in_channels=in_channels)


def wide_plain_cnn(*, num_classes: int, in_channels: int = 3) -> nn.Module:
    """Build `plain_cnn` half as wide again in every layer: 48, 96 and 192 maps, then 192.

    It is no network of the paper: it is the larger teacher of `plain_cnn` that a CPU can train.

    Args:
        num_classes: number of classes K, at least 2.
        in_channels: channels of the images, at least 1.

    Returns:
        A network from images (N, in_channels, H, W), H and W at least 8, to logits (N, K).

    Raises:
        TypeError: if a size is not an int.
        ValueError: if a size is too small.

    Example:
        >>> import tfkd.models
        >>> network = tfkd.models.wide_plain_cnn(num_classes=10, in_channels=1)
        >>> sum(p.numel() for p in network.parameters())
        801130
    """
    check_sizes(num_classes=num_classes, in_channels=in_channels)
    return PlainCNN(widths=(48, 96, 192), num_classes=num_classes, in_channels=in_channels)
