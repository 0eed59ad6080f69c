"""The files of a teacher cache: columns of raw numbers, and a description that is written last."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import torch
from torch import Tensor

from tfkd.teachers.cache.description import (
    DESCRIPTION,
    LARGEST_INDEX,
    Column,
    Description,
    what_to_delete,
    write_description,
)
from tfkd.teachers.cache.forms import StoredForm, total_variation

LOCK_FILE = ".lock"

DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (torch.float32, torch.float16, torch.int16, torch.int32, torch.int64)
}


class CacheWriter:
    """Writes a cache: rows as they come, and in the end where each sample and view lies.

    Left without `finish`, it removes what it wrote. What a killed one left is written over.

    Args:
        path: directory of the cache, made where it is missing.
        form: how logits are stored.

    Raises:
        FileExistsError: if the directory holds a finished cache, or another writer.
        OSError: if the file system has no locks.
    """

    def __init__(self, path: Path, form: StoredForm) -> None:
        _check_absent(path)
        self._path = path
        self._form = form
        self._started = time.monotonic()
        self._open: dict[str, BinaryIO] = {}
        self._columns: dict[str, Column] = {}
        self._digests: dict[str, hashlib._Hash] = {}
        self._lock = contextlib.ExitStack()
        self._shape: tuple[int, ...] | None = None
        self._indices: list[Tensor] = []
        self._views: list[Tensor] = []
        self._rows = 0
        # Largest and sum, by temperature.
        self._errors = {temperature: [0.0, 0.0] for temperature in form.temperatures}

    def __enter__(self) -> CacheWriter:
        self._lock.enter_context(_alone(self._path))
        try:
            _check_absent(self._path)  # finished by another since
        except FileExistsError:
            self._lock.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            for file in self._open.values():
                with contextlib.suppress(OSError):  # of a full disk, which has been said already
                    file.close()
            if not (self._path / DESCRIPTION).exists():
                (self._path / f".{DESCRIPTION}").unlink(missing_ok=True)
                for name in self._open:
                    column_file(self._path, name).unlink(missing_ok=True)

    def add(self, logits: Tensor, indices: Tensor, view: int) -> None:
        """Store the logits `(n, K, ...)` of samples `(n,)` in one view.

        Raises:
            TypeError: for indices that are no int64.
            ValueError: for shapes, indices or views that do not fit.
        """
        if indices.dtype != torch.int64:
            raise TypeError(f"Expected `indices` of dtype int64, got {indices.dtype}.")
        if logits.dim() < 2 or 0 in logits.shape[1:] or indices.shape != logits.shape[:1]:
            raise ValueError(
                "Expected logits (n, K, ...) and `indices` (n,) of the same samples, got "
                f"{tuple(logits.shape)} and {tuple(indices.shape)}."
            )
        if len(indices) == 0:
            return
        if self._shape is None:
            self._shape = tuple(logits.shape[1:])
        if tuple(logits.shape[1:]) != self._shape:
            raise ValueError(
                f"Expected logits of one shape, {self._shape}, got {tuple(logits.shape[1:])}."
            )
        if isinstance(view, bool) or not isinstance(view, int) or view < 0:
            raise ValueError(f"Expected `view` to be an int of at least 0, got {view!r}.")
        columns = self._form.encode(logits, indices, view)
        restored = self._form.decode(columns, logits.shape[1])
        for temperature, error in self._errors.items():
            distances = total_variation(logits, restored, temperature).double()
            error[0] = max(error[0], distances.max().item())
            # Dense outputs count a sample as the mean of its positions.
            error[1] += distances.mean().item() * len(indices)
        for name, column in columns.items():
            self._append(name, column)
        self._indices.append(indices.cpu())
        self._views.append(torch.full_like(self._indices[-1], view))
        self._rows += len(indices)

    def _append(self, name: str, column: Tensor) -> None:
        if name not in self._open:
            file = column_file(self._path, name)
            # Not emptied: whoever has mapped what was there keeps it.
            file.unlink(missing_ok=True)
            self._open[name] = file.open("xb")
            self._digests[name] = hashlib.sha256()
            dtype = str(column.dtype).removeprefix("torch.")
            self._columns[name] = Column(dtype=dtype, shape=list(column.shape[1:]), sha256="")
        flat = column.detach().cpu().reshape(-1)
        buffer = bytearray(flat.numel() * flat.element_size())
        torch.frombuffer(buffer, dtype=flat.dtype).copy_(flat)
        with _named(column_file(self._path, name)):
            self._open[name].write(buffer)
        self._digests[name].update(buffer)

    def finish(self, identity: dict[str, str]) -> None:
        """Write where each sample lies, and the description.

        Raises:
            OSError: naming the file, if the disk is full.
            ValueError: for no sample, one that came twice in a view, or views of other samples.
        """
        if self._shape is None:
            raise ValueError("Expected at least one sample for a teacher cache, got none.")
        positions = _positions(torch.cat(self._indices), torch.cat(self._views))
        for row in positions:  # a view at a time, of which there may be many
            self._append("positions", row.view(1, -1))
        for name, file in self._open.items():
            with _named(column_file(self._path, name)):
                file.flush()
                os.fsync(file.fileno())
        for name, digest in self._digests.items():
            self._columns[name]["sha256"] = digest.hexdigest()
        description = Description(
            form=self._form.name,
            byte_order=sys.byteorder,
            shape=self._shape,
            rows=self._rows,
            views=len(positions),
            columns=self._columns,
            total_variation={
                f"{temperature:g}": {"largest": largest, "mean": total / self._rows}
                for temperature, (largest, total) in self._errors.items()
            },
            seconds=time.monotonic() - self._started,
            identity=dict(identity),
            sampling=self._form.sampling,
        )
        with _named(self._path / DESCRIPTION):
            write_description(self._path, description)


def _positions(indices: Tensor, views: Tensor) -> Tensor:
    """Return the row of each view and sample, (views, largest index + 1), −1 where none is."""
    lowest, highest = int(indices.min()), int(indices.max())
    if lowest < 0 or highest > LARGEST_INDEX:
        raise ValueError(
            f"Expected `indices` in [0, {LARGEST_INDEX}], which number the samples of a data set, "
            f"got {lowest if lowest < 0 else highest}."
        )
    table = torch.full((int(views.max()) + 1, highest + 1), -1, dtype=torch.int64)
    table[views, indices] = torch.arange(len(indices))
    there = table >= 0
    if int(there.sum()) != len(indices):
        raise ValueError(
            f"Expected every sample once in a view, got {len(indices) - int(there.sum())} of "
            f"{len(indices)} again."
        )
    for view, samples in enumerate(there):
        if not samples.equal(there[0]):
            raise ValueError(
                f"Expected every view of the same samples: view {view} has {int(samples.sum())}, "
                f"view 0 has {int(there[0].sum())}, and they are not the same."
            )
    return table


def map_columns(path: Path, description: Description) -> dict[str, Tensor]:
    """Return the columns of a cache, mapped into memory; nothing is read yet.

    Raises:
        FileNotFoundError: for a missing file.
        ValueError: for a file that is not of its size, naming it.
    """
    mapped = {}
    for name, column in description.columns.items():
        file = column_file(path, name)
        if not file.is_file():
            raise FileNotFoundError(
                f"Expected {file} beside its {DESCRIPTION}, found no such file. "
                f"{what_to_delete(path)}"
            )
        rows = description.views if name == "positions" else description.rows
        shape = [rows, *column["shape"]]
        dtype, count = DTYPES[column["dtype"]], math.prod(shape)
        expected, got = count * dtype.itemsize, file.stat().st_size
        if got != expected:
            raise ValueError(
                f"Expected {expected} bytes in {file}, got {got}: it is damaged. "
                f"{what_to_delete(path)}"
            )
        mapped[name] = torch.from_file(str(file), shared=False, size=count, dtype=dtype).view(shape)
    return mapped


@contextlib.contextmanager
def _named(file: Path) -> Iterator[None]:
    """Name the file in an error of the system, as of a full disk."""
    try:
        yield
    except OSError as error:
        raise OSError(
            error.errno,
            f"Expected to write {file}, but: {error.strerror or error}. Nothing of this teacher "
            "cache is kept",
        ) from error


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the directory of a cache, so that nobody else writes there; never waits."""
    from filelock import FileLock, Timeout  # torch brings it

    path.mkdir(parents=True, exist_ok=True)
    file = path / LOCK_FILE
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise FileExistsError(
            f"Expected nobody else to write the teacher cache in {path}, but another does. Wait "
            f"for it, or take another directory. (If nobody does, delete {file}.)"
        ) from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            file.unlink()
        lock.release()


def _check_absent(path: Path) -> None:
    if (path / DESCRIPTION).exists():
        raise FileExistsError(
            f"Expected no teacher cache in {path}, but there is one. Open it as "
            "`tfkd.CachedTeacher(path)`, or delete it."
        )


def column_file(path: Path, name: str) -> Path:
    """Return the file of a column."""
    return path / f"{name}.bin"
