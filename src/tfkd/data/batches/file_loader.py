"""Batches of image files, decoded and augmented sample by sample in worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from tfkd._children import deaf_to_interrupts, start_method
from tfkd.data.augmentation import Augmentation
from tfkd.data.batches.loader import EpochPlan, ImageBatch, Loader, Normalise
from tfkd.data.batches.per_sample import EpochKeys, Erasing, Key, policy_steps
from tfkd.data.image_data import ImageData
from tfkd.data.image_files import read_rgb
from tfkd.data.images import ImageFiles
from tfkd.data.preparation import SeenAs, fitted, seen_as
from tfkd.data.randomness import sample_seed
from tfkd.data.splits import Split

if TYPE_CHECKING:
    from PIL import Image


@final
class FileLoader(Loader):
    """The loader of `ImageFiles`; made by `make_loader`."""

    def __init__(
        self,
        plan: EpochPlan,
        data: ImageData,
        split: Split,
        normalise: Normalise,
        device: torch.device,
        workers: int,
    ) -> None:
        super().__init__(plan)
        if not isinstance(split.official, ImageFiles):
            raise TypeError(f"Expected image files, got {type(split.official).__name__}.")
        augmentation = data.augmentation if plan.augment else Augmentation()
        self._erasing = Erasing(augmentation, seed=plan.seed)
        self._normalise = normalise
        self._device = device
        self._labels = split.labels
        self._indices = split.indices
        self._keys = _Keys(plan)
        workers = min(workers, len(plan))  # each decodes whole batches
        self._loader: DataLoader[Tensor] = DataLoader(
            _Decoded(split.official, augmentation, seen_as(data), seed=plan.seed),
            batch_sampler=self._keys,
            collate_fn=_Stack(data.image_size),
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=device.type == "cuda",
            generator=torch.Generator(),  # or it would draw from the global one, for nothing
            # Forking a process that runs threads, as torch does, can hang and is deprecated.
            multiprocessing_context=start_method() if workers else None,
        )

    def _batches(self, epoch: int, skip: int) -> Iterator[ImageBatch]:
        places, view = self._plan.order(epoch), self._plan.view(epoch)
        order = torch.from_numpy(places)
        keys = EpochKeys(view, self._indices[order], self._plan.occurrences(places))
        self._keys.start(keys, list(self._plan.shares(epoch, skip)))
        shares = self._plan.shares(epoch, skip)
        with deaf_to_interrupts() if self._loader.num_workers else nullcontext():
            decoded = iter(self._loader)
        for (first, stop, size), images in zip(shares, decoded, strict=True):
            positions = order[first:stop]
            images = self._normalise(images.to(self._device, non_blocking=True))
            yield ImageBatch(
                self._erasing(images, keys, first, stop),
                self._labels[positions].to(self._device),
                self._indices[positions].to(self._device),
                size,
                view,
            )


class _Keys(Sampler[list[Key]]):
    """Which samples each batch of the current epoch is made of."""

    def __init__(self, plan: EpochPlan) -> None:
        self._plan = plan
        self._current: tuple[EpochKeys, list[tuple[int, int, int]]] | None = None

    def start(self, keys: EpochKeys, shares: list[tuple[int, int, int]]) -> None:
        self._current = (keys, shares)

    def __len__(self) -> int:
        return len(self._plan)

    def __iter__(self) -> Iterator[list[Key]]:
        if self._current is None:
            return
        keys, shares = self._current
        for first, stop, _ in shares:
            yield keys.part(first, stop)


class _Stack:
    """Stacks the images of a batch, which may be none."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __call__(self, images: list[Tensor]) -> Tensor:
        if not images:
            return torch.empty((0, 3, self._size, self._size), dtype=torch.uint8)
        return torch.stack(images)


class _Decoded(Dataset[Tensor]):
    """Image files as (3, size, size) uint8, augmented or cut from the centre."""

    def __init__(self, files: ImageFiles, augmentation: Augmentation, seen: SeenAs, *, seed: int):
        self._root = files.root
        self._paths = files.paths
        self._augmentation = augmentation
        self._seen = seen
        self._seed = seed

    def __getitem__(self, key: Key) -> Tensor:
        _, index, _ = key
        image = read_rgb(self._root / self._paths[index])
        if self._augmentation == Augmentation():
            return self._transformed(image)
        with torch.random.fork_rng(devices=[]):
            # The CPU's generator alone: `torch.manual_seed` would reseed the accelerator too.
            torch.default_generator.manual_seed(sample_seed(self._seed, *key))
            return self._transformed(image)

    def _transformed(self, image: Image.Image) -> Tensor:
        pixels: Tensor = self._steps(image)
        return pixels

    @cached_property
    def _steps(self) -> Any:
        from torchvision.transforms import v2

        untyped: Any = v2
        size, augmentation = self._seen.image_size, self._augmentation
        if augmentation.resized_crop:
            mode = untyped.InterpolationMode(self._seen.interpolation)
            steps = [untyped.RandomResizedCrop(size, interpolation=mode, antialias=True)]
        else:
            margin = augmentation.crop_padding
            steps = [untyped.Lambda(partial(fitted, seen=self._seen, margin=margin))]
            steps += [untyped.RandomCrop(size)] if margin else []
        steps += [untyped.RandomHorizontalFlip()] if augmentation.flip else []
        steps += [untyped.RandomRotation(augmentation.rotation)] if augmentation.rotation else []
        return untyped.Compose([*steps, *policy_steps(augmentation), untyped.PILToTensor()])
