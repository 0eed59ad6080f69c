"""Batches of image files, decoded and augmented sample by sample in worker processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from tfkd._children import deaf_to_interrupts
from tfkd.data.augmentation import Augmentation
from tfkd.data.batches.loader import EpochPlan, ImageBatch, Loader, Normalise
from tfkd.data.image_data import ImageData
from tfkd.data.image_files import read_rgb
from tfkd.data.images import ImageFiles
from tfkd.data.randomness import sample_seed
from tfkd.data.splits import Split

if TYPE_CHECKING:
    from PIL import Image

# (view, index): a worker that lives through many epochs learns the view with each sample.
_Key = tuple[int, int]


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
        self._normalise = normalise
        self._device = device
        self._labels = split.labels
        self._indices = split.indices
        self._keys = _Keys(plan, split.indices)
        self._loader: DataLoader[Tensor] = DataLoader(
            _Decoded(
                split.official,
                data.augmentation if plan.augment else Augmentation(),
                size=data.image_size,
                seed=plan.seed,
            ),
            batch_sampler=self._keys,
            collate_fn=_Stack(data.image_size),
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=device.type == "cuda",
            generator=torch.Generator(),  # or it would draw from the global one, for nothing
            # Forking a process that runs threads, as torch does, can hang and is deprecated.
            multiprocessing_context=_context() if workers else None,
        )

    def _batches(self, epoch: int, skip: int) -> Iterator[ImageBatch]:
        order = torch.from_numpy(self._plan.order(epoch))
        view = self._plan.view(epoch)
        self._keys.start(view, skip, order)
        shares = self._plan.shares(skip)
        with deaf_to_interrupts() if self._loader.num_workers else nullcontext():
            decoded = iter(self._loader)
        for (first, stop, size), images in zip(shares, decoded, strict=True):
            positions = order[first:stop]
            yield ImageBatch(
                self._normalise(images.to(self._device, non_blocking=True)),
                self._labels[positions].to(self._device),
                self._indices[positions].to(self._device),
                size,
                view,
            )


def _context() -> str:
    return "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


class _Keys(Sampler[list[_Key]]):
    """Which samples each batch of the current epoch is made of."""

    def __init__(self, plan: EpochPlan, indices: Tensor) -> None:
        self._plan = plan
        self._indices = indices
        self._current: tuple[int, int, Tensor] | None = None

    def start(self, view: int, skip: int, order: Tensor) -> None:
        self._current = (view, skip, order)

    def __len__(self) -> int:
        return len(self._plan)

    def __iter__(self) -> Iterator[list[_Key]]:
        if self._current is None:
            return
        view, skip, order = self._current
        for first, stop, _ in self._plan.shares(skip):
            yield [(view, index) for index in self._indices[order[first:stop]].tolist()]


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

    def __init__(self, files: ImageFiles, augmentation: Augmentation, *, size: int, seed: int):
        self._root = files.root
        self._paths = files.paths
        self._augmentation = augmentation
        self._size = size
        self._seed = seed

    def __getitem__(self, key: _Key) -> Tensor:
        view, index = key
        image = read_rgb(self._root / self._paths[index])
        if self._augmentation == Augmentation():
            return self._transformed(image)
        with torch.random.fork_rng(devices=[]):
            # The CPU's generator alone: `torch.manual_seed` would reseed the accelerator too.
            torch.default_generator.manual_seed(sample_seed(self._seed, view, index))
            return self._transformed(image)

    def _transformed(self, image: Image.Image) -> Tensor:
        from torchvision.transforms import v2

        untyped: Any = v2
        if self._augmentation.resized_crop:
            steps = [untyped.RandomResizedCrop(self._size, antialias=True)]
        else:
            shorter = round(self._size * 256 / 224)
            steps = [untyped.Resize(shorter, antialias=True), untyped.CenterCrop(self._size)]
        if self._augmentation.flip:
            steps.append(untyped.RandomHorizontalFlip())
        pixels: Tensor = untyped.Compose([*steps, untyped.PILToTensor()])(image)
        return pixels
