"""How training images are changed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Augmentation:
    """How training images are changed, and by how much; the default changes nothing.

    Args:
        crop_padding: zero pixels added on each side before a random crop of the original size.
            For images in memory.
        flip: whether half of the images are mirrored left to right.
        rotation: largest angle in degrees, either way; nearest pixel, zeros outside. For images
            in memory.
        resized_crop: whether a random area of 8 to 100 % is cut out and resized. For image files.
    """

    crop_padding: int = 0
    flip: bool = False
    rotation: float = 0.0
    resized_crop: bool = False
