"""ResNet for small images: torchvision's, its stem replaced by one 3x3 convolution."""

from __future__ import annotations

from torch import nn

from tfkd.models._extra import needs_extra
from tfkd.models._sizes import check_sizes


def _resnet(*, deep: bool, blocks: list[int], num_classes: int, in_channels: int) -> nn.Module:
    check_sizes(num_classes=num_classes, in_channels=in_channels)
    with needs_extra("ResNet"):
        from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet
    network = ResNet(Bottleneck if deep else BasicBlock, blocks, num_classes=num_classes)
    network.conv1 = nn.Conv2d(in_channels, 64, kernel_size=3, padding=1, bias=False)
    network.add_module("maxpool", nn.Identity())
    # torchvision draws the weights in its own way; the released networks keep torch's.
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.reset_parameters()
    return network


def resnet18(*, num_classes: int, in_channels: int = 3) -> nn.Module:
    """Build ResNet-18 for small images: 3x3 stem of stride 1, no max pooling.

    Args:
        num_classes: number of classes K, at least 2.
        in_channels: channels of the images, at least 1.

    Returns:
        A network from images (N, in_channels, H, W) to logits (N, K).

    Raises:
        TypeError: if a size is not an int.
        ValueError: if a size is too small.
        ModuleNotFoundError: if torchvision is not installed.

    Source: He et al., 2016, arXiv 1512.03385; as in the code released with Yuan et al., 2020,
    arXiv 1909.11723.

    Example:
        >>> import tfkd.models
        >>> network = tfkd.models.resnet18(num_classes=100)
        >>> sum(p.numel() for p in network.parameters())
        11220132
    """
    return _resnet(
        deep=False, blocks=[2, 2, 2, 2], num_classes=num_classes, in_channels=in_channels
    )


def resnet50(*, num_classes: int, in_channels: int = 3) -> nn.Module:
    """Build ResNet-50 for small images: bottleneck blocks, else as `resnet18`.

    Args, Returns, Raises and Source: as for `resnet18`.

    Example:
        >>> import torch, tfkd.models
        >>> with torch.device("meta"):
        ...     network = tfkd.models.resnet50(num_classes=100)
        >>> sum(p.numel() for p in network.parameters())
        23705252
    """
    return _resnet(deep=True, blocks=[3, 4, 6, 3], num_classes=num_classes, in_channels=in_channels)


def resnet101(*, num_classes: int, in_channels: int = 3) -> nn.Module:
    """Build ResNet-101 for small images: bottleneck blocks, else as `resnet18`.

    Args, Returns, Raises and Source: as for `resnet18`.

    Example:
        >>> import torch, tfkd.models
        >>> with torch.device("meta"):
        ...     network = tfkd.models.resnet101(num_classes=100)
        >>> sum(p.numel() for p in network.parameters())
        42697380
    """
    return _resnet(
        deep=True, blocks=[3, 4, 23, 3], num_classes=num_classes, in_channels=in_channels
    )
