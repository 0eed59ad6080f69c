"""A very long image, of which only the middle is looked at, by Pillow alone.

The functions of this file go along with an exported network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

LONG = 8
"""Of a photograph so many times longer than wide, only what the central crop shows is resized."""


def is_long(image: Image.Image) -> bool:
    """Return whether only the middle of an image is resized."""
    return max(image.size) > LONG * min(image.size)


def middle_resized(image: Image.Image, shorter: int, kept: int, interpolation: str) -> Image.Image:
    """The middle of a very long image, as it is where all of it is resized.

    All of it, at the size of its shorter side, may be larger than the memory.

    Args:
        image: that is long.
        shorter: pixels that its shorter side is resized to.
        kept: pixels of the longer side that are wanted.
        interpolation: bilinear or the like.
    """
    from PIL import Image

    wide = image.width > image.height
    side = image.width if wide else image.height
    whole = int(shorter * side / min(image.size))
    # As torchvision crops the centre.
    first = round((whole - kept) / 2.0)
    start, stop = first * side / whole, (first + kept) * side / whole
    box = (start, 0, stop, image.height) if wide else (0, start, image.width, stop)
    shape = (kept, shorter) if wide else (shorter, kept)
    return image.resize(shape, Image.Resampling[interpolation.upper()], box=box)
