"""The columns of a teacher cache, held against their checksums and what they can hold."""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from tfkd.teachers.cache.description import DESCRIPTION, Description, what_to_delete
from tfkd.teachers.cache.files import DTYPES, column_file
from tfkd.teachers.cache.forms import StoredForm

BLOCK = 1 << 22
"""Bytes that are read at a time; a multiple of the size of every dtype."""


def verify_columns(path: Path, description: Description) -> None:
    """Read every file of a cache, once and in order.

    Args:
        path: directory of the cache.
        description: of it; the files must be of the size that it says.

    Raises:
        ValueError: naming the file, if it is not as it was written, or what was written can be no
            logits, classes of theirs, or rows of this cache.
    """
    limits: dict[str, tuple[float, float]] = {
        "counts": (0, StoredForm(description.form).draws or 0),
        "values": (-math.inf, sys.float_info.max),  # minus infinity masks a class
        "classes": (0, description.shape[0] - 1),
        "positions": (-1, description.rows - 1),  # -1: the sample is not there
    }
    for name, column in description.columns.items():
        file, dtype = column_file(path, name), DTYPES[column["dtype"]]
        least, most = limits[name]
        impossible, digest = "", hashlib.sha256()
        for block in _blocks(file):
            digest.update(block)
            lowest, highest = (
                number.item() for number in torch.frombuffer(block, dtype=dtype).aminmax()
            )
            # Both are NaN where there is one, and no comparison with it is true.
            if not least <= lowest <= highest <= most:
                impossible = impossible or f"{lowest} to {highest}"
        if digest.hexdigest() != column["sha256"]:
            raise ValueError(
                f"Expected {file} as it was written, but its checksum is not that of "
                f"{DESCRIPTION}: it is damaged or was changed. {what_to_delete(path)}"
            )
        if impossible:
            raise ValueError(
                f"Expected {name} from {least} to {most} in {file}, got {impossible}. "
                f"{what_to_delete(path)}"
            )


def _blocks(file: Path) -> Iterator[memoryview]:
    buffer = memoryview(bytearray(BLOCK))
    with file.open("rb") as content:
        while size := content.readinto(buffer):
            yield buffer[:size]
