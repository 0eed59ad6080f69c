"""Batches of images that are held in memory.

Crop with padding, flip and rotation are done in whole batches on the device, random erasing is too,
but drawn image by image; resized crops and policies are torchvision's, image by image on the CPU.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, final

import torch

from tfkd.data.augmentation import Augmentation
from tfkd.data.batches.augment import augment, draw
from tfkd.data.batches.loader import EpochPlan, ImageBatch, Loader, Normalise
from tfkd.data.batches.per_sample import EpochKeys, Erasing, each_changed, policy_steps
from tfkd.data.image_data import ImageData
from tfkd.data.images import MemoryImages
from tfkd.data.randomness import sample_seed
from tfkd.data.splits import Split


@final
class MemoryLoader(Loader):
    """The loader of `MemoryImages`; made by `make_loader`."""

    def __init__(
        self,
        plan: EpochPlan,
        data: ImageData,
        split: Split,
        normalise: Normalise,
        device: torch.device,
    ) -> None:
        super().__init__(plan)
        if not isinstance(split.official, MemoryImages):
            raise TypeError(f"Expected images in memory, got {type(split.official).__name__}.")
        self._official_size = len(split.official)
        self._augmentation = data.augmentation if plan.augment else Augmentation()
        self._steps = _steps(self._augmentation, data)
        self._erasing = Erasing(self._augmentation, seed=plan.seed)
        self._normalise = normalise
        self._device = device
        self._cpu_indices = split.indices
        self._indices = split.indices.to(device)
        self._labels = split.labels.to(device)
        pixels = split.official.pixels
        # On the CPU the official images are shared; elsewhere only those of the split are copied.
        self._shared = device.type == "cpu"
        self._pixels = pixels if self._shared else pixels[split.indices].to(device)

    def beside(self, plan: EpochPlan) -> MemoryLoader:
        """Return a loader of the same images by another plan; they are held once."""
        other = copy.copy(self)
        other._plan, other._erasing = plan, Erasing(self._augmentation, seed=plan.seed)
        return other

    def _batches(self, epoch: int, skip: int) -> Iterator[ImageBatch]:
        augmented, view = self._plan.augment, self._plan.view(epoch)
        places = self._plan.order(epoch)
        order = torch.from_numpy(places)
        keys = EpochKeys(view, self._cpu_indices[order], self._plan.occurrences(places))
        if augmented:
            draws = draw(
                self._augmentation,
                keys.indices,
                seed=self._plan.seed,
                view=view,
                official_size=self._official_size,
                occurrences=keys.occurrences,
            )
            draws = draws.to(self._device)
        order = order.to(self._device)
        for first, stop, size in self._plan.shares(epoch, skip):
            positions = order[first:stop]
            indices = self._indices[positions]
            images = self._pixels.index_select(0, indices if self._shared else positions)
            if augmented:
                images = augment(images, self._augmentation, draws.part(first, stop))
            if self._steps is not None:
                seeds = (sample_seed(self._plan.seed, *key) for key in keys.part(first, stop))
                images = each_changed(images.cpu(), self._steps, seeds).to(self._device)
            images = self._erasing(self._normalise(images), keys, first, stop)
            yield ImageBatch(images, self._labels[positions], indices, size, view)


def _steps(augmentation: Augmentation, data: ImageData) -> Any:
    """What torchvision draws for each image, on the CPU; None if it is nothing."""
    if not augmentation.resized_crop and augmentation.policy is None:
        return None
    from torchvision.transforms import v2

    untyped: Any = v2
    mode = untyped.InterpolationMode(data.interpolation)
    steps = policy_steps(augmentation)
    if augmentation.resized_crop:
        steps.insert(0, untyped.RandomResizedCrop(data.image_size, interpolation=mode))
    return untyped.Compose(steps)
