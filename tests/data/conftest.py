"""Writes small data sets in the official formats."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image


def _python2_pickle(values: dict[bytes, object]) -> bytes:
    """A pickle of protocol 2 as Python 2 writes it: strings of bytes, arrays by _reconstruct."""

    def string(value: bytes) -> bytes:
        if len(value) < 256:
            return b"U" + bytes([len(value)]) + value
        return b"T" + struct.pack("<i", len(value)) + value

    def integer(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    def array(value: NDArray[np.uint8]) -> bytes:
        shape = b"(" + b"".join(integer(size) for size in value.shape) + b"t"
        dtype = b"cnumpy\ndtype\n(" + string(b"u1") + b"K\x00K\x01tR"
        dtype += b"(K\x03" + string(b"|") + b"NNN" + integer(-1) + integer(-1) + b"K\x00tb"
        stub = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00t" + string(b"b")
        return stub + b"tR(K\x01" + shape + dtype + b"\x89" + string(value.tobytes()) + b"tb"

    def item(value: object) -> bytes:
        if isinstance(value, bytes):
            return string(value)
        if isinstance(value, list):
            return b"](" + b"".join(map(item, value)) + b"e"
        if isinstance(value, np.ndarray):
            return array(value)
        assert isinstance(value, int)
        return integer(value)

    body = b"".join(string(key) + item(value) for key, value in values.items())
    return b"\x80\x02}(" + body + b"u."


@pytest.fixture(scope="session")
def python2_pickle() -> Callable[[dict[bytes, object]], bytes]:
    return _python2_pickle


@pytest.fixture
def write_image() -> Callable[..., Path]:
    """Write an image of one value or of an array, in a mode of Pillow."""

    def write(path: Path, value: object, mode: str = "RGB", size: int = 12) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(value, np.ndarray):
            image = Image.fromarray(value)
        else:
            image = Image.new(mode, (size, size), value)  # type: ignore[arg-type]
        # Quality 100 leaves an even JPEG as it is, up to one level.
        image.save(path, **({"quality": 100} if path.suffix.lower() in (".jpeg", ".jpg") else {}))
        return path

    return write


@pytest.fixture
def image_folder(tmp_path: Path, write_image: Callable[..., Path]) -> Path:
    """Two classes of 10 and 15 images: PNG of noise, 16 × 20 pixels."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "pets"
    for name, count in (("cat", 10), ("dog", 15)):
        for number in range(count):
            noise = rng.integers(0, 256, (16, 20, 3), dtype=np.uint8)
            write_image(folder / name / f"{number}.png", noise)
    return folder
