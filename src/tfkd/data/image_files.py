"""Image files: which there are in a folder, and how one is read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

_SUFFIXES = frozenset(
    (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
)
# Pillow goes by a file's content, not by its name. No other decoder is let at it: that of EPS, for
# one, hands the file to a program.
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
MOST_NAMED = 10
"""How many bad files an error names."""


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


def read_words(path: Path) -> str:
    """Return the text of a file; `ValueError` naming it if it is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"Expected text in UTF-8 at {path}: {error}.") from error


def check_images(root: Path, paths: Sequence[str]) -> None:
    """Open every file once, without decoding it.

    Args:
        root: the folder that the paths start from.
        paths: of image files.

    Raises:
        ValueError: naming the files, at most ten of them, that are no images or too large.
    """
    from PIL import Image

    Image.init()  # once, not in every thread

    def reason(path: str) -> str | None:
        try:
            with _opened(root / path):
                return None
        except ValueError as error:
            return str(error)

    with ThreadPoolExecutor(16) as pool:  # what takes time is waiting for the disk
        found = [reason for reason in pool.map(reason, paths) if reason is not None]
    if len(found) == 1:
        raise ValueError(found[0])
    if found:
        shown = " ".join(found[:MOST_NAMED])
        more = f" … and {len(found) - MOST_NAMED} more." if len(found) > MOST_NAMED else ""
        raise ValueError(f"{len(found)} of {len(paths)} images cannot be read. {shown}{more}")


def read_rgb(path: Path) -> Image.Image:
    """Return an image file as 8-bit RGB.

    Grey, palette and CMYK images are converted. Of 16 bits the upper 8 are kept. What is
    transparent is laid over white. Of several frames or pages the first is taken. An orientation
    in the metadata is not applied, as in torchvision and timm.

    Raises:
        ValueError: for a file that cannot be decoded, or has more pixels than Pillow's limit,
            `PIL.Image.MAX_IMAGE_PIXELS`.
    """
    with _opened(path) as image:
        image.load()
        return to_rgb(image)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open an image; whatever goes wrong with it becomes a `ValueError` that names the file."""
    from PIL import Image

    try:
        if not path.is_file():  # a pipe would be waited for
            raise ValueError("no such file" if not path.exists() else "not a regular file")
        with Image.open(path, formats=_FORMATS) as image:
            limit = Image.MAX_IMAGE_PIXELS
            if limit is not None and image.width * image.height > limit:
                raise ValueError(
                    f"it has {image.width} × {image.height} pixels, above the limit of {limit}"
                )
            yield image
    # A damaged image can raise nearly anything.
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise ValueError(
            f"Expected an image at {path}, but it cannot be read: {reason}."
        ) from error


def to_rgb(image: Image.Image) -> Image.Image:
    """Return an image as 8-bit RGB, as `read_rgb` does of a file.

    Raises:
        ValueError: for pixels of no known range.
    """
    from PIL import Image

    if image.mode == "RGB":
        return image.copy()
    if image.mode == "F":
        raise ValueError("floating-point pixels have no known range")
    if image.mode == "I" or image.mode.startswith("I;16"):
        # Pillow's own conversion cuts everything above 255 off. Older versions open 16-bit PNG
        # files as 32-bit integers.
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError("integer pixels of more than 16 bits have no known range")
        values >>= 8
        return Image.fromarray(values.astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        colours = image.convert("RGBA")
        white = Image.new("RGBA", colours.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, colours).convert("RGB")
    return image.convert("RGB")
