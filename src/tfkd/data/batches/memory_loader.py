"""Batches of images that are held in memory, augmented in whole batches on the device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

import torch

from tfkd.data.augmentation import Augmentation
from tfkd.data.batches.augment import augment, draw
from tfkd.data.batches.loader import EpochPlan, ImageBatch, Loader, Normalise
from tfkd.data.images import MemoryImages
from tfkd.data.splits import Split


@final
class MemoryLoader(Loader):
    """The loader of `MemoryImages`; made by `make_loader`."""

    def __init__(
        self,
        plan: EpochPlan,
        split: Split,
        augmentation: Augmentation,
        normalise: Normalise,
        device: torch.device,
    ) -> None:
        super().__init__(plan)
        if not isinstance(split.official, MemoryImages):
            raise TypeError(f"Expected images in memory, got {type(split.official).__name__}.")
        self._official_size = len(split.official)
        self._augmentation = augmentation if plan.augment else Augmentation()
        self._normalise = normalise
        self._device = device
        self._cpu_indices = split.indices
        self._indices = split.indices.to(device)
        self._labels = split.labels.to(device)
        pixels = split.official.pixels
        # On the CPU the official images are shared; elsewhere only those of the split are copied.
        self._shared = device.type == "cpu"
        self._pixels = pixels if self._shared else pixels[split.indices].to(device)

    def _batches(self, epoch: int, skip: int) -> Iterator[ImageBatch]:
        augmented, view = self._plan.augment, self._plan.view(epoch)
        order = torch.from_numpy(self._plan.order(epoch))
        if augmented:
            draws = draw(
                self._augmentation,
                self._cpu_indices[order],
                seed=self._plan.seed,
                view=view,
                official_size=self._official_size,
            )
            draws = draws.to(self._device)
        order = order.to(self._device)
        for first, stop, size in self._plan.shares(skip):
            positions = order[first:stop]
            indices = self._indices[positions]
            images = self._pixels[indices if self._shared else positions]
            if augmented:
                images = augment(images, self._augmentation, draws.part(first, stop))
            yield ImageBatch(self._normalise(images), self._labels[positions], indices, size, view)
