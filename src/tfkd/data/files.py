"""Image files: which there are in a folder, and how one is read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

_SUFFIXES = frozenset(
    (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
)


def subfolders(folder: Path) -> list[str]:
    """Return the names of the sub-folders that are not hidden, sorted."""
    with os.scandir(folder) as entries:
        return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))


def image_paths(root: Path, start: str) -> list[str]:
    """Return the image files under `root/start`, at any depth, relative to `root` and sorted.

    Files are known by their suffix; hidden files and folders are left out.
    """
    found = []
    for folder, inner, names in os.walk(root / start):
        inner[:] = [name for name in inner if not name.startswith(".")]
        base = Path(folder).relative_to(root).as_posix()
        found += [
            f"{base}/{name}"
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in _SUFFIXES
        ]
    return sorted(found)


def check_header(path: Path) -> None:
    """Raise `ValueError` if Pillow does not know the file as an image; decodes no pixels."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path):
            pass
    except (OSError, UnidentifiedImageError, SyntaxError) as error:
        raise ValueError(f"Expected an image at {path}, but it cannot be read: {error}.") from error


def read_rgb(path: Path) -> Image.Image:
    """Return an image file as 8-bit RGB.

    Grey and CMYK images are converted. Of 16 bits the upper 8 are kept. What is transparent is
    laid over white. An orientation in the metadata is not applied. Pillow's limit on the number
    of pixels stays in force.

    Raises:
        ValueError: for a file that cannot be decoded.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            image.load()
            return _to_rgb(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"Expected an image at {path}, but it cannot be read: {error}.") from error


def _to_rgb(image: Image.Image) -> Image.Image:
    from PIL import Image

    if image.mode == "RGB":
        return image.copy()
    if image.mode == "F":
        raise ValueError("floating-point pixels have no known range")
    if image.mode == "I" or image.mode.startswith("I;16"):
        # Pillow's own conversion cuts everything above 255 off. Older versions open 16-bit PNG
        # files as 32-bit integers.
        values = np.asarray(image).astype(np.int64).clip(0, 65535) >> 8
        return Image.fromarray(values.astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        colours = image.convert("RGBA")
        white = Image.new("RGBA", colours.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, colours).convert("RGB")
    return image.convert("RGB")
