"""The files of one epoch of what is remembered of each sample."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
import struct
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tfkd.teachers.cache.rows import Layout

DESCRIPTION = "description.json"
VERSION = 1
BLOCK = 1 << 22
"""Bytes that are read or written at a time."""


class EpochFiles:
    """Files of raw numbers, one a column, with a description that is written last.

    Args:
        directory: of all epochs.
        epoch: in which they are read, from 1.
        layout: of the columns.
        count: of rows.
    """

    def __init__(self, directory: Path, epoch: int, layout: Layout, count: int) -> None:
        self.path = directory / f"epoch-{epoch}"
        self._columns = {name: (dtype, (count, *shape)) for name, (dtype, shape) in layout.items()}
        # How many batches were written: what a saved state must find at least.
        self._all = {**self._columns, "written": (torch.int64, (1,))}

    @property
    def size(self) -> int:
        """Bytes of all columns."""
        return sum(map(self._bytes, self._all))

    def begin(self, before: EpochFiles | None, digest: str) -> None:
        """Make the files, as a copy of those before; without any, of zeros.

        Args:
            before: the files that are read in the epoch in which these are written.
            digest: of them.
        """
        unfinished = self.path.with_name(f".{self.path.name}")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        for name in self._all:
            file = unfinished / f"{name}.bin"
            if before is None or name == "written":
                _write_zeros(file, self._bytes(name))
            else:
                shutil.copyfile(before.path / file.name, file)
        self._describe(unfinished, {"begun_from": digest, "sha256": ""})
        shutil.rmtree(self.path, ignore_errors=True)
        unfinished.rename(self.path)

    def finish(self) -> None:
        """Write what they hold to the disk, and its checksum beside it."""
        self.flush()
        self._describe(self.path, {**self._description(), "sha256": self._sum()})

    def flush(self) -> None:
        """Write to the disk what is in memory alone."""
        for name in self._all:
            file = os.open(self.path / f"{name}.bin", os.O_RDWR)
            try:
                os.fsync(file)
            finally:
                os.close(file)

    def mapped(self, *, shared: bool = False) -> dict[str, Tensor]:
        """Return the columns, mapped into memory; nothing is read yet.

        Args:
            shared: whether what is written to them is written to the files.

        Raises:
            FileNotFoundError: for a missing file.
            ValueError: for one that is not of its size.
        """
        mapped = {}
        for name, (dtype, shape) in self._all.items():
            file, size = self.path / f"{name}.bin", self._bytes(name)
            if not file.is_file():
                raise FileNotFoundError(f"Expected {file}, of what is remembered, found none.")
            if file.stat().st_size != size:
                raise ValueError(
                    f"Expected {size} bytes in {file}, got {file.stat().st_size}: it is damaged, "
                    "or of other samples or classes."
                )
            flat = torch.from_file(str(file), shared, math.prod(shape), dtype=dtype)
            mapped[name] = flat.view(shape)
        return mapped

    def digest(self) -> str:
        """Return the checksum that was written when they were finished."""
        return str(self._description()["sha256"])

    def check_read(self, digest: str, *, content: bool) -> None:
        """Raise unless they are finished and those of a checksum.

        Args:
            digest: the checksum.
            content: whether every file is read and held against it.
        """
        if self._description()["sha256"] != digest or (content and self._sum() != digest):
            raise self._not_of_the_state()

    def check_begun(self, digest: str, written: int) -> None:
        """Raise unless they were begun from files of a checksum, and hold so many batches."""
        begun = self._description()["begun_from"] == digest
        if not begun or int(self.mapped()["written"]) < written:
            raise self._not_of_the_state()

    def _not_of_the_state(self) -> ValueError:
        return ValueError(
            f"Expected {self.path} as it was when the state was saved, but it was written anew or "
            "changed since. Load a later state, or train again from the beginning in another "
            "directory."
        )

    def _bytes(self, name: str) -> int:
        dtype, shape = self._all[name]
        return math.prod(shape) * dtype.itemsize

    def _sum(self) -> str:
        digest = hashlib.sha256()
        for name in self._columns:
            with (self.path / f"{name}.bin").open("rb") as content:
                while block := content.read(BLOCK):
                    digest.update(block)
        return digest.hexdigest()

    def _wanted(self) -> dict[str, Any]:
        columns = {name: [str(dtype), *shape] for name, (dtype, shape) in self._columns.items()}
        return {"version": VERSION, "byte_order": sys.byteorder, "columns": columns}

    def _describe(self, folder: Path, digests: dict[str, Any]) -> None:
        temporary = folder / f".{DESCRIPTION}"
        with temporary.open("w", encoding="utf-8") as text:
            text.write(json.dumps({**self._wanted(), **digests}, indent=2) + "\n")
            text.flush()
            os.fsync(text.fileno())
        temporary.replace(folder / DESCRIPTION)

    def _description(self) -> dict[str, Any]:
        file = self.path / DESCRIPTION
        if not file.is_file():
            raise FileNotFoundError(
                f"Expected {file}, of what is remembered, found none. Files are kept for the last "
                "two epochs in which a state was saved: is the state an older one, or of another "
                "directory?"
            )
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
            same = all(values[name] == wanted for name, wanted in self._wanted().items())
            digests = {name: str(values[name]) for name in ("begun_from", "sha256")}
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"Expected a description in {file}, but: {error!r}.") from error
        if not same:
            raise ValueError(
                f"Expected {file} to describe {json.dumps(self._wanted())}: it is of other "
                "samples, classes, form or version."
            )
        return digests


def _write_zeros(file: Path, size: int) -> None:
    """Write them all, so that no disk is found full when a map of them is written to."""
    with file.open("wb") as content:
        for start in range(0, size, BLOCK):
            content.write(bytes(min(BLOCK, size - start)))


def epochs_in(directory: Path) -> list[int]:
    """Return the epochs of which files are in a directory."""
    found = (re.fullmatch("epoch-([0-9]+)", folder.name) for folder in directory.glob("epoch-*"))
    return [int(match[1]) for match in found if match]


def delete_all_but(directory: Path, epochs: set[int]) -> None:
    """Delete the files of all other epochs."""
    for epoch in epochs_in(directory):
        if epoch not in epochs:
            shutil.rmtree(directory / f"epoch-{epoch}")


def digest_to_numbers(digest: str) -> tuple[int, ...]:
    """Return a SHA-256 as four whole numbers of 64 bits; of none, zeros."""
    return struct.unpack("<4q", bytes.fromhex(digest) or bytes(32))


def digest_from_numbers(numbers: list[int]) -> str:
    """Return the SHA-256 of four whole numbers; of zeros, none.

    Example:
        >>> digest_from_numbers(list(digest_to_numbers("ab" * 32))) == "ab" * 32
        True
    """
    return struct.pack("<4q", *numbers).hex() if any(numbers) else ""
