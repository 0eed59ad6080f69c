"""ResNeXt-29 for small images: three stages of torchvision's bottleneck blocks."""

from __future__ import annotations

from torch import nn

from tfkd.models._extra import needs_extra
from tfkd.models._sizes import check_sizes


def resnext29_8x64d(*, num_classes: int, in_channels: int = 3) -> nn.Module:
    """Build ResNeXt-29 with 8 groups of 64 channels: 3 stages of 3 blocks, 3x3 stem.

    Its weights are drawn as in the released code: He's normal distribution, of the outputs for
    convolutions and of the inputs for the last layer.

    Args:
        num_classes: number of classes K, at least 2.
        in_channels: channels of the images, at least 1.

    Returns:
        A network from images (N, in_channels, H, W) to logits (N, K).

    Raises:
        TypeError: if a size is not an int.
        ValueError: if a size is too small.
        ModuleNotFoundError: if torchvision is not installed.

    Source: Xie et al., 2017, arXiv 1611.05431; as in the code released with Yuan et al., 2020,
    arXiv 1909.11723.

    Example:
        >>> import torch, tfkd.models
        >>> with torch.device("meta"):
        ...     network = tfkd.models.resnext29_8x64d(num_classes=100)
        >>> sum(p.numel() for p in network.parameters())
        34518948
    """
    check_sizes(num_classes=num_classes, in_channels=in_channels)
    with needs_extra("ResNeXt"):
        from torchvision.models.resnet import Bottleneck
    layers: list[nn.Module] = [
        nn.Conv2d(in_channels, 64, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
    ]
    before = 64
    for planes, stride in ((64, 1), (128, 2), (256, 2)):
        after = planes * Bottleneck.expansion
        shortcut = nn.Sequential(
            nn.Conv2d(before, after, kernel_size=1, stride=stride, bias=False),
            nn.BatchNorm2d(after),
        )
        layers += [
            Bottleneck(before, planes, stride, shortcut, groups=8, base_width=64),
            Bottleneck(after, planes, groups=8, base_width=64),
            Bottleneck(after, planes, groups=8, base_width=64),
        ]
        before = after
    classifier = nn.Linear(before, num_classes)
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), classifier)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
    nn.init.kaiming_normal_(classifier.weight)
    nn.init.zeros_(classifier.bias)
    return network
