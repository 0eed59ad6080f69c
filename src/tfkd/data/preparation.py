"""How an image becomes what a network is shown, wherever it is asked: test, predict, export."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from torch import Tensor

from tfkd.data.identity import DataIdentity
from tfkd.data.image_files import read_rgb

if TYPE_CHECKING:
    from PIL import Image


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
    from torchvision.transforms import v2

    untyped: ModuleType = v2
    size = data.image_size
    if data.fit == "square":
        resize = [untyped.PILToTensor(), untyped.Resize((size, size), antialias=True)]
    else:
        resize = [
            untyped.Resize(round(size * 256 / 224), antialias=True),
            untyped.CenterCrop(size),
            untyped.PILToTensor(),
        ]
    pixels: Tensor = untyped.Compose(resize)(image.convert("L") if data.channels == 1 else image)
    return pixels
