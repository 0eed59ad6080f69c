"""DenseNet for small images: torchvision's, its stem replaced by one 3x3 convolution."""

from __future__ import annotations

from torch import nn

from tfkd.models._extra import needs_extra
from tfkd.models._sizes import check_sizes


def densenet121(*, num_classes: int, in_channels: int = 3) -> nn.Module:
    """Build DenseNet-121 (growth 32) for small images: a bare 3x3 convolution as stem.

    As in the released network, a transition is BN-conv1x1-average, without a ReLU.

    Args:
        num_classes: number of classes K, at least 2.
        in_channels: channels of the images, at least 1.

    Returns:
        A network from images (N, in_channels, H, W), H and W at least 8, to logits (N, K).

    Raises:
        TypeError: if a size is not an int.
        ValueError: if a size is too small.
        ModuleNotFoundError: if torchvision is not installed.

    Source: Huang et al., 2017, arXiv 1608.06993; as in the code released with Yuan et al., 2020,
    arXiv 1909.11723.

    Example:
        >>> import torch, tfkd.models
        >>> with torch.device("meta"):
        ...     network = tfkd.models.densenet121(num_classes=100)
        >>> sum(p.numel() for p in network.parameters())
        7048548
    """
    check_sizes(num_classes=num_classes, in_channels=in_channels)
    with needs_extra("DenseNet"):
        from torchvision.models.densenet import DenseNet
    network = DenseNet(
        growth_rate=32, block_config=(6, 12, 24, 16), num_init_features=64, num_classes=num_classes
    )
    features = network.features
    stem = nn.Conv2d(in_channels, 64, kernel_size=3, padding=1, bias=False)
    features.add_module("conv0", stem)
    for name in ("norm0", "relu0", "pool0"):
        delattr(features, name)
    for name in ("transition1", "transition2", "transition3"):
        features.get_submodule(name).add_module("relu", nn.Identity())
    # torchvision draws the weights in its own way; the released network keeps torch's.
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.reset_parameters()
    return network
