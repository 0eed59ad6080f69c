"""What is drawn for each image under a seed of its own, by torchvision's transforms."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tfkd.data.augmentation import Augmentation
from tfkd.data.randomness import ERASING, derive_seed

Key = tuple[int, int, int]
"""View, index, and how often the sample came before in the epoch: what an image is drawn by."""


class EpochKeys(NamedTuple):
    """The keys of the samples of an epoch, in its order.

    Args:
        view: of the epoch.
        indices: (n,) int64, identity of each sample.
        occurrences: (n,) how often each came before.
    """

    view: int
    indices: Tensor
    occurrences: NDArray[np.int64]

    def part(self, first: int, stop: int) -> list[Key]:
        """Return the keys of the places from `first` to before `stop`."""
        indices = self.indices[first:stop].tolist()
        pairs = zip(indices, self.occurrences[first:stop].tolist(), strict=True)
        return [(self.view, index, occurrence) for index, occurrence in pairs]


def policy_steps(augmentation: Augmentation) -> list[Any]:
    """Return the transforms of the policy, if there is one; for uint8 tensors and for Pillow's."""
    if augmentation.policy is None:
        return []
    from torchvision.transforms import v2

    untyped: Any = v2
    kinds = {"trivial-augment": untyped.TrivialAugmentWide, "rand-augment": untyped.RandAugment}
    return [kinds[augmentation.policy](interpolation=untyped.InterpolationMode.BILINEAR)]


def each_changed(
    images: Tensor, change: Callable[[Tensor], Tensor], seeds: Iterable[int]
) -> Tensor:
    """Change each image in its place, drawing from its own seed.

    Args:
        images: (n, C, H, W), which are overwritten.
        change: of (C, H, W); what it draws it draws from torch's generator of the CPU.
        seeds: n of them.

    Returns:
        The images.
    """
    with torch.random.fork_rng(devices=[]):
        for image, seed in zip(images, seeds, strict=True):
            # The CPU's generator alone: `torch.manual_seed` would reseed the accelerator too.
            torch.default_generator.manual_seed(seed)
            image.copy_(change(image))
    return images


class Erasing:
    """Random erasing of normalised images, in which zero is the mean.

    Args:
        augmentation: that says whether there is any.
        seed: of the run.
    """

    def __init__(self, augmentation: Augmentation, *, seed: int) -> None:
        self._active = augmentation.random_erasing
        self._seed = seed

    def __call__(self, images: Tensor, keys: EpochKeys, first: int, stop: int) -> Tensor:
        """Return the images of the places from `first` to before `stop`, which are overwritten."""
        if not self._active:
            return images
        from torchvision.transforms import v2

        untyped: Any = v2
        seeds = (derive_seed(self._seed, *key, ERASING) for key in keys.part(first, stop))
        return each_changed(images, untyped.RandomErasing(value=0.0), seeds)
