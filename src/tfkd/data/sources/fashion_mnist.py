"""Fashion-MNIST, read from its IDX files."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tfkd.data.augmentation import Augmentation
from tfkd.data.images import MemoryImages
from tfkd.data.sources.source import Source, locate

_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
# Where Debian's package dataset-fashion-mnist puts it.
_DEBIAN = Path("/usr/share/datasets/fashion-mnist")
_OBTAIN = (
    "Install Debian's package dataset-fashion-mnist, or put the four files {train,t10k}-"
    "{images-idx3,labels-idx1}-ubyte.gz of https://github.com/zalandoresearch/fashion-mnist there."
)
_MOST_BYTES = 1 << 28  # five times the official training images
_LABELS_MAGIC, _IMAGES_MAGIC = 0x0801, 0x0803  # unsigned bytes in 1 and in 3 dimensions


def load_fashion_mnist(root: str | None = None) -> Source:
    """Return Fashion-MNIST: 60 000 + 10 000 grey images of 28 × 28, ten classes.

    Args:
        root: folder of the four IDX files, gzipped or not; None: the usual places.

    Raises:
        FileNotFoundError: if it is nowhere.
        ValueError: for a file that is not what it says it is.

    Source: H. Xiao et al., 2017, arXiv 1708.07747.
    """
    folder = locate("fashion-mnist", root, _find, obtain=_OBTAIN, well_known=(_DEBIAN,))
    return Source(
        classes=_CLASSES,
        train=_read_part(folder, "train"),
        test=_read_part(folder, "t10k"),
        mean=(0.2860,),  # of all training pixels
        std=(0.3530,),
        image_size=28,
        augmentation=Augmentation(crop_padding=2, flip=True),
    )


def _find(place: Path) -> Path | None:
    return place if _file(place, "train-images-idx3-ubyte").exists() else None


def _file(folder: Path, name: str) -> Path:
    plain = folder / name
    return plain if plain.exists() else folder / f"{name}.gz"


def _read_part(folder: Path, part: str) -> MemoryImages:
    pixel_file = _file(folder, f"{part}-images-idx3-ubyte")
    label_file = _file(folder, f"{part}-labels-idx1-ubyte")
    pixels = _read_idx(pixel_file, _IMAGES_MAGIC)
    labels = _read_idx(label_file, _LABELS_MAGIC)
    if pixels.shape[1:] != (28, 28):
        raise ValueError(f"Expected images of 28 × 28 in {pixel_file}, got {pixels.shape[1:]}.")
    if len(labels) != len(pixels):
        raise ValueError(f"Expected {len(pixels)} labels in {label_file}, got {len(labels)}.")
    if len(labels) == 0 or labels.max() >= len(_CLASSES):
        raise ValueError(f"Expected labels from 0 to {len(_CLASSES) - 1} in {label_file}.")
    return MemoryImages(
        torch.from_numpy(pixels[:, None]), torch.from_numpy(labels.astype(np.int64))
    )


def _read_idx(path: Path, magic: int) -> NDArray[np.uint8]:
    """Read an IDX file: magic number and sizes in big-endian 32 bits, then bytes."""
    dimensions = magic & 0xFF
    start = 4 * (1 + dimensions)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            head = file.read(start)
            header = np.frombuffer(head[: len(head) // 4 * 4], dtype=">u4")
            if len(header) < 1 + dimensions or header[0] != magic:
                raise ValueError(f"Expected an IDX file with magic number {magic:#06x} at {path}.")
            shape = tuple(int(size) for size in header[1:])
            size = math.prod(shape)
            if size > _MOST_BYTES:
                raise ValueError(f"Expected at most {_MOST_BYTES} bytes in {path}, got {shape}.")
            # A few bytes of gzip can stand for any number: no more than asked for is unpacked.
            content = file.read(size + 1)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise ValueError(f"Expected a whole gzip file at {path}: {error}.") from error
    if len(content) != size:
        more = "more" if len(content) > size else len(content)
        raise ValueError(f"Expected {shape} bytes after the header of {path}, got {more}.")
    return np.frombuffer(content, dtype=np.uint8).reshape(shape).copy()
