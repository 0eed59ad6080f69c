"""What shows partners in a loop of one's own: samplers of batches for torch's `DataLoader`.

They need nothing but torch. This package's own trainer has the same in `tfkd.data.batches`.
"""

from __future__ import annotations

import hashlib
import itertools
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import final

import torch
from torch import Tensor
from torch.utils.data import Sampler

from tfkd._checks import check_integer
from tfkd.teachers.processes import share_of


class _EpochSampler(Sampler[list[int]]):
    """Batches of an epoch, a function of seed and epoch alone.

    Args:
        samples: of the data set.
        batch_size: new samples of a batch, over all processes.
        seed: of all that is drawn.
        drop_last: whether to leave out a last, smaller batch.
        rank: of this process.
        world_size: number of processes.
    """

    def __init__(
        self,
        samples: int,
        batch_size: int,
        *,
        seed: int,
        drop_last: bool,
        rank: int,
        world_size: int,
    ) -> None:
        check_integer("samples", samples, minimum=1)
        check_integer("world_size", world_size, minimum=1)
        check_integer("batch_size", batch_size, minimum=world_size)
        check_integer("seed", seed, minimum=0)
        check_integer("rank", rank, minimum=0)
        if rank >= world_size:
            raise ValueError(f"Expected `rank` below the `world_size` of {world_size}, got {rank}.")
        whole, rest = divmod(samples, batch_size)
        kept = rest > 1 and not drop_last  # batch norm cannot train on a single sample
        if kept and rest < world_size:
            raise ValueError(
                f"Expected `drop_last`, since the last batch has {rest} samples for {world_size} "
                "processes."
            )
        if whole + kept == 0:
            raise ValueError(f"Expected samples for a batch of {batch_size}, got {samples}.")
        self.batch_size, self.seed = batch_size, seed
        self._process = {"rank": rank, "world_size": world_size}
        self._samples, self._batches = samples, whole + kept
        self._epoch, self._skip = 0, 0

    def __len__(self) -> int:
        return self._batches

    def set_epoch(self, epoch: int, skip: int = 0) -> None:
        """Say which epoch is shown next; without it they come one after the other, from 0.

        Args:
            epoch: from 0.
            skip: batches to leave out at its start, to go on after an interruption.
        """
        self._epoch = check_integer("epoch", epoch, minimum=0)
        self._skip = check_integer("skip", skip, minimum=0)

    def __iter__(self) -> Iterator[list[int]]:
        epoch, skip = self._epoch, self._skip
        self._epoch, self._skip = epoch + 1, 0
        return self._batches_of(epoch, skip)

    def _batches_of(self, epoch: int, skip: int) -> Iterator[list[int]]:
        for first, second in itertools.islice(self._pairs(epoch), skip, None):
            yield [*self._share(first), *self._share(second)]

    @abstractmethod
    def _pairs(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the two parts of each batch."""

    def _share(self, indices: Tensor) -> list[int]:
        first, stop = share_of(len(indices), **self._process)
        share: list[int] = indices[first:stop].tolist()
        return share

    def _draws(self, *key: int) -> torch.Generator:
        digest = hashlib.blake2b(f"{(self.seed, *key)}".encode(), digest_size=7).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest, "little"))

    def _new(self, epoch: int) -> list[Tensor]:
        """The batches of new samples."""
        order = torch.randperm(self._samples, generator=self._draws(epoch))
        starts = range(0, self._batches * self.batch_size, self.batch_size)
        return [order[start : start + self.batch_size] for start in starts]


@final
class PairSampler(_EpochSampler):
    """Batches of [samples; partners]: behind the samples as many others, each of the same class.

    Every sample comes once in an epoch, in a random order; its partner is drawn from its class,
    itself among them. A last batch of a single sample is left out.

    Source: Yun et al., 2020, arXiv 2003.13964.

    Args:
        labels: (n,) class of each sample of the data set.
        batch_size: samples without their partners, over all processes; the list of a batch is twice
            as long.
        seed: all that is drawn is a function of it and of the epoch.
        drop_last: whether to leave out a last, smaller batch.
        rank: of this process.
        world_size: number of processes; each takes a contiguous share of samples and partners.

    Raises:
        TypeError: for labels that are not whole numbers.
        ValueError: for a number out of range.

    Example:
        >>> import tfkd.data
        >>> labels = [0, 0, 1, 1, 1, 0]
        >>> sampler = tfkd.data.PairSampler(labels, batch_size=3)
        >>> for batch in sampler:
        ...     print([labels[index] for index in batch])
        [0, 1, 0, 0, 1, 0]
        [0, 1, 1, 0, 1, 1]
    """

    def __init__(
        self,
        labels: Sequence[int] | Tensor,
        batch_size: int,
        *,
        seed: int = 0,
        drop_last: bool = False,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        try:
            self._labels = torch.as_tensor(labels)
        except (TypeError, ValueError, RuntimeError) as error:
            raise TypeError(
                f"Expected `labels` of whole numbers, (n,), got {_in_short(labels)}."
            ) from error
        kind, shape = self._labels.dtype, tuple(self._labels.shape)
        if kind.is_floating_point or kind.is_complex or len(shape) != 1:
            raise TypeError(f"Expected `labels` of whole numbers, (n,), got {kind} {shape}.")
        super().__init__(
            len(self._labels),
            batch_size,
            seed=seed,
            drop_last=drop_last,
            rank=rank,
            world_size=world_size,
        )

    def _pairs(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        by_class = self._labels.argsort(stable=True)
        known, generator = self._labels[by_class], self._draws(epoch, 1)
        for batch in self._new(epoch):
            wanted = self._labels[batch]
            first = torch.searchsorted(known, wanted)
            counts = torch.searchsorted(known, wanted, right=True) - first
            drawn = torch.rand(len(batch), dtype=torch.float64, generator=generator) * counts
            yield batch, by_class[first + drawn.long()]


def _in_short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


@final
class OverlappingSampler(_EpochSampler):
    """Batches of [last batch; new samples]: every sample comes twice, in two batches that follow.

    Each time the data set is asked anew, and so augments anew. Before the very first batch there is
    none; the last of an epoch comes once more in the first of the next. A last batch of a single
    new sample is left out, as of `PairSampler`: batch norm cannot train on one. How many rows are
    of the last batch `tfkd.LastBatchTeacher.rows` says.

    Source: Shen et al., 2022, arXiv 2203.16172.

    Args:
        samples: of the data set.
        batch_size: new samples, over all processes; the list of a batch is twice as long.
        seed: as of `PairSampler`, as the three that follow.
        drop_last: whether to leave out a last, smaller batch.
        rank: of this process.
        world_size: number of processes.

    Raises:
        TypeError: for a number that is no int.
        ValueError: for a number out of range.

    Example:
        >>> import tfkd.data
        >>> list(tfkd.data.OverlappingSampler(5, batch_size=2))
        [[0, 2], [0, 2, 4, 1]]
    """

    def __init__(
        self,
        samples: int,
        batch_size: int,
        *,
        seed: int = 0,
        drop_last: bool = False,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        super().__init__(
            samples,
            batch_size,
            seed=seed,
            drop_last=drop_last,
            rank=rank,
            world_size=world_size,
        )

    def _pairs(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        last = self._new(epoch - 1)[-1] if epoch > 0 else torch.empty(0, dtype=torch.int64)
        for batch in self._new(epoch):
            yield last, batch
            last = batch
