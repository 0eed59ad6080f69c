"""Two small networks, one a larger copy of the other, that train in seconds on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from tfkd.models._pool import average_to_grid
from tfkd.models._sizes import check_sizes


class SmallCNN(nn.Module):
    """One conv3x3-BN-ReLU-maxpool per width, a 2x2 grid of averages, one hidden layer.

    Args:
        widths: number of maps of each convolution. Each halves the side of the images.
        hidden: width of the hidden layer.
        num_classes: number of classes K.
        in_channels: channels of the images.
    """

    def __init__(
        self, *, widths: Sequence[int], hidden: int, num_classes: int, in_channels: int
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = in_channels
        for width in widths:
            layers += [
                # The shift of the normalisation makes a bias superfluous.
                nn.Conv2d(before, width, kernel_size=3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(2),
            ]
            before = width
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(before * 2 * 2, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, K) of images (N, in_channels, H, W)."""
        maps = average_to_grid(self.features(images), 2)
        return cast(Tensor, self.classifier(maps.flatten(1)))


def small_cnn(*, num_classes: int, in_channels: int = 1) -> nn.Module:
    """Build a network of two convolutions (16 and 32 maps) and a hidden layer of 64.

    It is no network of the paper: it is there for digits (8 pixels), for tests and for first
    steps, as the student of `wide_cnn`.

    Args:
        num_classes: number of classes K, at least 2.
        in_channels: channels of the images, at least 1.

    Returns:
        A network from images (N, in_channels, H, W), H and W at least 4, to logits (N, K).

    Raises:
        TypeError: if a size is not an int.
        ValueError: if a size is too small.

    Example:
        >>> import tfkd.models
        >>> network = tfkd.models.small_cnn(num_classes=10)
        >>> sum(p.numel() for p in network.parameters())
        13754
    """
    check_sizes(num_classes=num_classes, in_channels=in_channels)
    return SmallCNN(widths=(16, 32), hidden=64, num_classes=num_classes, in_channels=in_channels)


def wide_cnn(*, num_classes: int, in_channels: int = 1) -> nn.Module:
    """Build `small_cnn` larger in every layer: 48 and 96 maps, a hidden layer of 128.

    It has about seven times the parameters and eight times the multiplications: the teacher in a
    distillation from a larger network to a small one.

    Args:
        num_classes: number of classes K, at least 2.
        in_channels: channels of the images, at least 1.

    Returns:
        A network from images (N, in_channels, H, W), H and W at least 4, to logits (N, K).

    Raises:
        TypeError: if a size is not an int.
        ValueError: if a size is too small.

    Example:
        >>> import tfkd.models
        >>> network = tfkd.models.wide_cnn(num_classes=10)
        >>> sum(p.numel() for p in network.parameters())
        92762
    """
    check_sizes(num_classes=num_classes, in_channels=in_channels)
    return SmallCNN(widths=(48, 96), hidden=128, num_classes=num_classes, in_channels=in_channels)
