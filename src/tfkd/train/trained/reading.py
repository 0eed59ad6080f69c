"""Image files, read in batches as a network is shown them, by as many processes as one likes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from tfkd._children import start_method
from tfkd.data import DataIdentity
from tfkd.data.preparation import read_pixels


class ReadBatch(NamedTuple):
    """Some files in their order.

    Args:
        files: n of them.
        pixels: (m, C, size, size) uint8, of the m files that could be read.
        errors: by place among the files, why one could not.
    """

    files: list[Path]
    pixels: Tensor
    errors: dict[int, str]


def read_batches(
    files: Iterable[Path], identity: DataIdentity, *, batch_size: int, workers: int = 0
) -> Iterator[ReadBatch]:
    """Read files in their order, no further ahead than the workers are busy.

    Args:
        files: any number; asked for as they are needed.
        identity: of the data that the images are shown like.
        batch_size: files of a batch; the last may be smaller.
        workers: processes that decode them, no more than there are batches; 0: this one.
    """
    batches: Iterable[list[Path]] = _Batches(files, batch_size)
    if workers:  # as many batches are asked for at once anyway
        rest = iter(batches)
        first = list(islice(rest, workers))
        workers, batches = len(first), chain(first, rest)
    loader: DataLoader[tuple[Path, Tensor | str]] = DataLoader(
        _Files(identity),
        batch_sampler=batches,
        collate_fn=_together,
        num_workers=workers,
        generator=torch.Generator(),  # or it would draw from the global one, for nothing
        multiprocessing_context=start_method() if workers else None,
    )
    return iter(loader)


class _Batches:
    """The files of each batch, whose number nobody knows beforehand."""

    def __init__(self, files: Iterable[Path], batch_size: int) -> None:
        self._files = files
        self._batch_size = batch_size

    def __iter__(self) -> Iterator[list[Path]]:
        rest = iter(self._files)
        while batch := list(islice(rest, self._batch_size)):
            yield batch


class _Files(Dataset[tuple[Path, "Tensor | str"]]):
    """By its path, a file's pixels, or why it has none."""

    def __init__(self, identity: DataIdentity) -> None:
        self._identity = identity

    def __getitem__(self, file: Path) -> tuple[Path, Tensor | str]:
        try:
            return file, read_pixels(file, self._identity)
        except ValueError as error:
            return file, str(error)


def _together(read: list[tuple[Path, Tensor | str]]) -> ReadBatch:
    pixels = [found for _, found in read if isinstance(found, Tensor)]
    return ReadBatch(
        [file for file, _ in read],
        torch.stack(pixels) if pixels else torch.empty(0, dtype=torch.uint8),
        {place: found for place, (_, found) in enumerate(read) if isinstance(found, str)},
    )
