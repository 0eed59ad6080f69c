"""An image that is open, as a viewer shows it, in 8-bit RGB, by Pillow and NumPy alone.

The functions of this file go along with an exported network.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

NO_RANGE = "floating-point pixels have no known range"
_ORIENTATION = 0x0112
# By the number in the metadata, the method of Pillow that sets the image upright.
_UPRIGHT = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}


def to_rgb(image: Image.Image) -> Image.Image:
    """Return an image that is open as 8-bit RGB, as a viewer shows it.

    Raises:
        ValueError: for pixels of no known range.
    """
    if image.mode == "F":
        raise ValueError(NO_RANGE)
    stored = _stored_as(image)
    image.load()
    return _upright(image, _colours(image, stored))


def _stored_as(image: Image.Image) -> str:
    """Return how the pixels of a PNG file are stored, which is known until they are decoded."""
    tile: Any = getattr(image, "tile", None)
    stored = tile[0][3] if image.format == "PNG" and tile else ""
    return stored if isinstance(stored, str) else ""


def _upright(image: Image.Image, pixels: Image.Image) -> Image.Image:
    """Turn and mirror the pixels as the metadata of their image say."""
    try:
        method = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged metadata, which viewers ignore, can raise nearly anything
        return pixels
    return pixels if method is None else pixels.transpose(Image.Transpose[method])


def _colours(image: Image.Image, stored: str) -> Image.Image:
    clear = _clear_colour(image, stored)
    if image.mode == "I" or image.mode.startswith("I;16"):
        # Pillow's own conversion cuts everything above 255 off. It opens 16-bit PPM files, and in
        # older versions PNG files, as 32-bit integers.
        values = np.asarray(image).astype(np.int64)
        sixteen = image.mode != "I" or image.format in ("PNG", "PPM")
        if not sixteen or values.min() < 0 or values.max() > 65535:
            raise ValueError("integer pixels of more than 16 bits have no known range")
        grey = np.where(values == clear, 255, values >> 8)
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.mode in ("1", "L", "RGB"):
        pixels = image.convert("RGB") if image.mode != "RGB" else image.copy()
        return pixels if clear is None else _over_white(pixels, clear)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        colours = image.convert("RGBA")
        white = Image.new("RGBA", colours.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, colours).convert("RGB")
    return image.convert("RGB")


def _clear_colour(image: Image.Image, stored: str) -> int | tuple[int, ...] | None:
    """Return the one colour that is transparent in an image without a palette, as it is read."""
    clear: Any = image.info.get("transparency")
    if not isinstance(clear, (int, tuple)):
        return None
    if stored == "RGB;16B" and isinstance(clear, tuple):
        return tuple(value >> 8 for value in clear)
    # Pillow stretches grey of 2 and 4 bits to 8, but not the colour that is transparent.
    stretched = {"L;2": 85, "L;4": 17}.get(stored, 1)
    return clear * stretched if isinstance(clear, int) else clear


def _over_white(pixels: Image.Image, clear: int | tuple[int, ...]) -> Image.Image:
    values = np.array(pixels)
    values[(values == clear).all(axis=2)] = 255
    return Image.fromarray(values)
