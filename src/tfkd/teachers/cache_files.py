"""The files of a teacher cache: columns of raw numbers, and a description that is written last."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import torch
from torch import Tensor

from tfkd.teachers.stored_forms import TEMPERATURES, StoredForm, total_variation

DESCRIPTION = "cache.json"
VERSION = 1
LARGEST_INDEX = 2**31 - 1
"""Sample indices number a data set from 0: a larger one is something else."""

_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (torch.float32, torch.float16, torch.int16, torch.int32, torch.int64)
}


class CacheWriter:
    """Writes a cache: rows as they come, and in the end where each sample and view lies.

    Left without `finish`, it removes what it wrote.

    Args:
        path: directory of the cache, made where it is missing.
        form: how logits are stored.

    Raises:
        FileExistsError: if the directory holds a finished cache.
    """

    def __init__(self, path: Path, form: StoredForm) -> None:
        if (path / DESCRIPTION).exists():
            raise FileExistsError(
                f"Expected no teacher cache in {path}, but there is one. Open it as "
                "`tfkd.CachedTeacher(path)`, or delete it."
            )
        path.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._form = form
        self._started = time.monotonic()
        self._open: dict[str, BinaryIO] = {}
        self._columns: dict[str, dict[str, Any]] = {}
        self._shape: tuple[int, ...] | None = None
        self._indices: list[Tensor] = []
        self._views: list[Tensor] = []
        self._rows = 0
        # Largest and sum, by temperature.
        self._errors = {temperature: [0.0, 0.0] for temperature in TEMPERATURES}

    def __enter__(self) -> CacheWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in self._open.values():
            file.close()
        if not (self._path / DESCRIPTION).exists():
            for name in self._open:
                _column_file(self._path, name).unlink(missing_ok=True)

    def add(self, logits: Tensor, indices: Tensor, view: int) -> None:
        """Store the logits `(n, K, ...)` of samples `(n,)` in one view.

        Raises:
            TypeError: for indices that are no int64.
            ValueError: for shapes, indices or views that do not fit.
        """
        if indices.dtype != torch.int64:
            raise TypeError(f"Expected `indices` of dtype int64, got {indices.dtype}.")
        if logits.dim() < 2 or indices.shape != logits.shape[:1]:
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
        columns = self._form.encode(logits)
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
            self._open[name] = _column_file(self._path, name).open("wb")
            dtype = str(column.dtype).removeprefix("torch.")
            self._columns[name] = {"dtype": dtype, "shape": list(column.shape[1:])}
        flat = column.detach().cpu().reshape(-1)
        buffer = bytearray(flat.numel() * flat.element_size())
        torch.frombuffer(buffer, dtype=flat.dtype).copy_(flat)
        self._open[name].write(buffer)

    def finish(self, identity: dict[str, str]) -> None:
        """Write where each sample lies, and the description.

        Raises:
            ValueError: for no sample, one that came twice in a view, or views of other samples.
        """
        if self._shape is None:
            raise ValueError("Expected at least one sample for a teacher cache, got none.")
        positions = _positions(torch.cat(self._indices), torch.cat(self._views))
        for row in positions:  # a view at a time, of which there may be many
            self._append("positions", row.view(1, -1))
        for file in self._open.values():
            file.flush()
            os.fsync(file.fileno())
        description = {
            "version": VERSION,
            "form": self._form.name,
            "byte_order": sys.byteorder,
            "shape": list(self._shape),
            "rows": self._rows,
            "views": len(positions),
            "columns": self._columns,
            "total_variation": {
                f"{temperature:g}": {"largest": largest, "mean": total / self._rows}
                for temperature, (largest, total) in self._errors.items()
            },
            "seconds": time.monotonic() - self._started,
            "identity": dict(identity),
        }
        temporary = self._path / f".{DESCRIPTION}.{os.getpid()}"
        with temporary.open("w", encoding="utf-8") as text:
            text.write(json.dumps(description, indent=2) + "\n")
            text.flush()
            os.fsync(text.fileno())
        temporary.replace(self._path / DESCRIPTION)


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


def read_description(path: Path) -> dict[str, Any]:
    """Read the description of a cache.

    Raises:
        FileNotFoundError: if there is no finished cache.
        ValueError: if it is not readable here.
    """
    file = path / DESCRIPTION
    if not file.is_file():
        raise FileNotFoundError(
            f"Expected a teacher cache in {path}, found no {DESCRIPTION} there: it was never "
            "finished, or is somewhere else."
        )
    try:
        description: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        version, order = description["version"], description["byte_order"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"Expected the description of a teacher cache in {file}: {error}."
        ) from error
    if version != VERSION:
        raise ValueError(f"Expected a teacher cache of version {VERSION} in {file}, got {version}.")
    if order != sys.byteorder:
        raise ValueError(
            f"Expected a teacher cache of byte order {sys.byteorder} in {file}, got {order}."
        )
    return description


def map_columns(path: Path, description: dict[str, Any]) -> dict[str, Tensor]:
    """Return the columns of a cache, mapped into memory; nothing is read yet.

    Raises:
        FileNotFoundError: for a missing file.
        ValueError: for a file that is not of its size, naming it.
    """
    mapped = {}
    for name, column in description["columns"].items():
        file = _column_file(path, name)
        if not file.is_file():
            raise FileNotFoundError(
                f"Expected {file} beside its {DESCRIPTION}, found no such file."
            )
        rows = description["views"] if name == "positions" else description["rows"]
        shape = [rows, *column["shape"]]
        dtype, count = _DTYPES[column["dtype"]], math.prod(shape)
        expected, got = count * dtype.itemsize, file.stat().st_size
        if got != expected:
            raise ValueError(
                f"Expected {expected} bytes in {file}, got {got}: it is damaged. Delete {path}."
            )
        mapped[name] = torch.from_file(str(file), shared=False, size=count, dtype=dtype).view(shape)
    return mapped


def _column_file(path: Path, name: str) -> Path:
    return path / f"{name}.bin"
