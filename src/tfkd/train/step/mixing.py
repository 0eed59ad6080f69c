"""Label mixing, drawn for each batch from its own seed."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def mix_labels(
    images: Tensor, labels: Tensor, *, num_classes: int, mixup: float, cutmix: float, seed: int
) -> tuple[Tensor, Tensor]:
    """Mix the images of a batch with one another, and their labels likewise.

    Args:
        images: `(n, C, H, W)`.
        labels: class indices `(n,)`.
        num_classes: K.
        mixup: parameter of mixup's Beta distribution; 0 is off.
        cutmix: the same for CutMix; with both, one of them at random.
        seed: all that is drawn depends on it alone.

    Returns:
        Images of the same shape, and probabilities `(n, K)`.

    Source: Zhang et al., 2018, arXiv 1710.09412; Yun et al., 2019, arXiv 1905.04899.
    """
    from torchvision.transforms import v2

    transforms: list[nn.Module] = []
    if mixup > 0.0:
        transforms.append(v2.MixUp(alpha=mixup, num_classes=num_classes))  # type: ignore[attr-defined]
    if cutmix > 0.0:
        transforms.append(v2.CutMix(alpha=cutmix, num_classes=num_classes))  # type: ignore[attr-defined]
    with torch.random.fork_rng(devices=[]):
        # The CPU's generator alone, which both draw from: the device's is the network's.
        torch.default_generator.manual_seed(seed)
        choice = int(torch.randint(len(transforms), ()))
        mixed_images, mixed_labels = transforms[choice](images, labels)
    return mixed_images, mixed_labels
