"""How an image becomes what a network is shown, wherever it is asked: test, predict, export."""

from __future__ import annotations

import math
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal, NamedTuple

from torch import Tensor

from tfkd.data.identity import DataIdentity
from tfkd.data.image_files import read_rgb
from tfkd.data.long_images import is_long, middle_resized

if TYPE_CHECKING:
    from PIL import Image

    from tfkd.data.image_data import ImageData

USUAL_CROP = 224 / 256


class SeenAs(NamedTuple):
    """What of a data set says how an image comes to the size that a network sees."""

    image_size: int
    fit: Literal["square", "centre-crop", "squash"]
    crop_fraction: float
    interpolation: str


def seen_as(data: DataIdentity | ImageData) -> SeenAs:
    """Return how the images of a data set are seen."""
    return SeenAs(data.image_size, data.fit, data.crop_fraction, data.interpolation)


def read_pixels(file: Path, data: DataIdentity) -> Tensor:
    """Return an image file as the bytes that a network of this data set is shown.

    Args:
        file: the image.
        data: which data, as in a run's `data.json`.

    Returns:
        (channels, image_size, image_size) uint8.

    Raises:
        ValueError: if the file cannot be read.
    """
    return to_pixels(read_rgb(file), data)


def to_pixels(image: Image.Image, data: DataIdentity) -> Tensor:
    """Return an 8-bit RGB image as the bytes that a network of this data set is shown.

    Args:
        image: in RGB.
        data: which data.

    Returns:
        (channels, image_size, image_size) uint8.
    """
    seen = seen_as(data)
    untyped, mode = _transforms(seen)
    image = image.convert("L") if data.channels == 1 else image
    pixels: Tensor
    if seen.fit == "square":
        pixels = untyped.functional.pil_to_tensor(image)
        size = [seen.image_size, seen.image_size]
        pixels = untyped.functional.resize(pixels, size, interpolation=mode, antialias=True)
    else:
        pixels = untyped.functional.pil_to_tensor(fitted(image, seen))
    return pixels


def fitted(image: Image.Image, seen: SeenAs, *, margin: int = 0) -> Image.Image:
    """Return an image file's image at the size that a network sees, as timm's evaluation has it.

    It is resized to the size divided by `crop_fraction`, rounded down: `centre-crop` its shorter
    side, `squash` both; of that the centre is cut out, with black around it where that is larger.

    Args:
        image: of any size.
        seen: how.
        margin: pixels to leave on each side of the centre.
    """
    untyped, mode = _transforms(seen)
    resized = math.floor(seen.image_size / seen.crop_fraction)
    size = seen.image_size + 2 * margin
    if seen.fit == "squash":
        image = untyped.functional.resize(image, [resized, resized], interpolation=mode)
    elif is_long(image):
        image = middle_resized(image, resized, size, seen.interpolation)
    else:
        image = untyped.functional.resize(image, [resized], interpolation=mode)
    cut: Image.Image = untyped.functional.center_crop(image, [size, size])
    return cut


def usual_crop_fraction(size: int) -> float:
    """Return the share of the shorter side that is cut out where nobody says another: 224/256.

    Before the share could be said, the shorter side was rounded to the nearest pixel; this is the
    share that gives the same.

    Example:
        >>> usual_crop_fraction(224), round(usual_crop_fraction(32), 4)
        (0.875, 0.8649)
    """
    resized = round(size * 256 / 224)
    if math.floor(size / USUAL_CROP) == resized:
        return USUAL_CROP
    fraction = size / resized
    while math.floor(size / fraction) < resized:
        fraction = math.nextafter(fraction, 0.0)
    return fraction


def _transforms(seen: SeenAs) -> tuple[ModuleType, object]:
    from torchvision.transforms import InterpolationMode, v2

    return v2, InterpolationMode(seen.interpolation)
