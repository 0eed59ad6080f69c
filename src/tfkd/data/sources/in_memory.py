"""Image files of one size, decoded into memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tfkd.data.image_files import read_rgb
from tfkd.data.images import ImageFiles, MemoryImages


def in_memory(files: ImageFiles, size: int) -> MemoryImages:
    """Return the images of files, decoded.

    Args:
        files: N of them.
        size: height and width in pixels that each must have.

    Returns:
        Pixels of shape (N, 3, size, size).

    Raises:
        ValueError: for a file that is damaged or of another size, naming it.
    """
    pixels = torch.empty((len(files), 3, size, size), dtype=torch.uint8)

    def decode(position: int) -> None:
        pixels[position] = _read(files.root / files.paths[position], size)

    with ThreadPoolExecutor() as pool:  # Pillow decodes outside of the interpreter's lock
        for _ in pool.map(decode, range(len(files)), chunksize=256):
            pass
    return MemoryImages(pixels, files.labels)


def _read(path: Path, size: int) -> Tensor:
    image = torch.from_numpy(np.array(read_rgb(path))).permute(2, 0, 1)
    if image.shape != (3, size, size):
        raise ValueError(
            f"Expected {size} × {size} pixels at {path}, got {tuple(image.shape[1:])}."
        )
    return image
