"""Batches of an epoch: the same global batches for any number of processes and workers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tfkd._checks import check_integer
from tfkd.data.batches.sampler import balanced_order, occurrences
from tfkd.data.image_data import ImageData
from tfkd.data.randomness import ORDER, permutation
from tfkd.teachers.processes import share_of


class ImageBatch(NamedTuple):
    """One process's share of a global batch.

    Args:
        images: (n, C, H, W) float32, normalised.
        labels: (n,) int64; where a sample may have several, (n, K) float32, 1, 0 or -100.
        indices: (n,) int64, identity of each sample in its official split.
        global_size: samples of the batch over all processes.
        view: which augmented view of the samples these are, from 0; without augmentation 0.
        partners: what is shown beside them, this process's share of it; None: nothing.
    """

    images: Tensor
    labels: Tensor
    indices: Tensor
    global_size: int
    view: int = 0
    partners: ImageBatch | None = None


@dataclass(frozen=True)
class EpochPlan:
    """Which samples come when, and which of them are this process's.

    Args:
        samples: of the split.
        batch_size: of the global batch.
        train: whether to shuffle.
        seed: of the run.
        rank: of this process.
        world_size: number of processes.
        augment: whether images are augmented.
        views: augmented views of each sample that take turns; None: a new one every epoch.
        balanced: (samples,) their classes, of which training shows equally many samples each; None:
            it shows every sample once.
    """

    samples: int
    batch_size: int
    train: bool
    seed: int
    rank: int
    world_size: int
    augment: bool = False
    views: int | None = None
    balanced: NDArray[np.int64] | None = field(default=None, compare=False)

    def __len__(self) -> int:
        whole, rest = divmod(self.samples, self.batch_size)
        # Batch norm cannot train on a single sample; where batches of one are asked for, they come.
        return whole + (rest > (1 if self.train else 0))

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Return the positions of the samples in the order of the epoch."""
        if self.train and self.balanced is not None:
            return balanced_order(self.balanced, seed=self.seed, epoch=epoch)
        if self.train:
            return permutation(self.samples, self.seed, epoch, ORDER)
        return np.arange(self.samples, dtype=np.int64)

    def occurrences(self, order: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return for each place of an order how often its sample has come before."""
        repeats = self.train and self.balanced is not None
        return occurrences(order) if repeats else np.zeros(len(order), dtype=np.int64)

    def view(self, epoch: int) -> int:
        """Return which view of the samples an epoch shows; augmentation is drawn for each."""
        if not self.augment:
            return 0
        return epoch if self.views is None else epoch % self.views

    def sizes(self, epoch: int) -> list[int]:
        """Return the sizes of the global batches of an epoch, which lie one behind the other."""
        starts = range(0, len(self) * self.batch_size, self.batch_size)
        return [min(self.batch_size, self.samples - start) for start in starts]

    def shares(self, epoch: int, skip: int) -> Iterator[tuple[int, int, int]]:
        """Yield (first, last + 1, size of the global batch), from batch `skip` of an epoch on."""
        start = 0
        for number, size in enumerate(self.sizes(epoch)):
            if number >= skip:
                first, stop = share_of(size, rank=self.rank, world_size=self.world_size)
                yield start + first, start + stop, size
            start += size


class Loader(ABC):
    """The batches of a split, epoch by epoch; `len` is the number of global batches of an epoch."""

    def __init__(self, plan: EpochPlan) -> None:
        self._plan = plan

    def __len__(self) -> int:
        return len(self._plan)

    def batches(self, epoch: int, skip: int = 0) -> Iterator[ImageBatch]:
        """Yield the batches of an epoch.

        Args:
            epoch: from 0; the order is drawn anew for each, and so is the augmentation unless the
                data have a number of views, which then take turns.
            skip: batches to leave out at the start, to go on after an interruption. Those that
                follow are the same as without it.
        """
        check_integer("epoch", epoch, minimum=0)
        check_integer("skip", skip, minimum=0)
        return self._batches(epoch, skip)

    @abstractmethod
    def _batches(self, epoch: int, skip: int) -> Iterator[ImageBatch]: ...


class Normalise:
    """From bytes (n, C, H, W) to normalised float32 on a device, in the layout asked for."""

    def __init__(self, data: ImageData, device: torch.device, channels_last: bool) -> None:
        # (x / 255 − mean) / std as one multiplication and one addition.
        mean = torch.tensor(data.mean, dtype=torch.float64).view(1, -1, 1, 1)
        std = torch.tensor(data.std, dtype=torch.float64).view(1, -1, 1, 1)
        self._factor = (1 / (255 * std)).float().to(device)
        self._shift = (-mean / std).float().to(device)
        self._layout = torch.channels_last if channels_last else torch.contiguous_format

    def __call__(self, images: Tensor) -> Tensor:
        """Return the normalised images."""
        # In the layout that they come in, in which a factor is that of many pixels in a row.
        values = images.to(torch.float32).mul_(self._factor).add_(self._shift)
        return values.contiguous(memory_format=self._layout)
