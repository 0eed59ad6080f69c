"""How an image file is read: as a viewer shows it, in 8-bit RGB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkd.data.image_files.kinds import FORMATS, NAMED_FORMATS, suffix_of

if TYPE_CHECKING:
    from PIL import Image

LONGEST_SIDES = 200
"""How many times as long as the shorter side the longer may be.

An image is resized before it is cut out: one of 60,000 × 2 pixels would fill the memory.
"""

NO_RANGE = "floating-point pixels have no known range"

_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_AVIF = (b"avif", b"avis")
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


def read_rgb(path: Path) -> Image.Image:
    """Return an image file as 8-bit RGB, as a viewer shows it.

    Grey, palette and CMYK images are converted. Of 16 bits the upper 8 are kept. What is
    transparent is laid over white. Of several frames or pages the first is taken. The image is
    turned and mirrored as the orientation in its metadata says.

    Raises:
        ValueError: for a file that cannot be decoded, has more pixels than Pillow's limit,
            `PIL.Image.MAX_IMAGE_PIXELS`, or is much longer than wide.
    """
    with opened(path) as image:
        return to_rgb(image)


def to_rgb(image: Image.Image) -> Image.Image:
    """Return an image that is open as 8-bit RGB, as `read_rgb` does of a file.

    Raises:
        ValueError: for pixels of no known range.
    """
    if image.mode == "F":
        raise ValueError(NO_RANGE)
    stored = _stored_as(image)
    image.load()
    return _upright(image, _colours(image, stored))


def is_image(path: Path) -> bool:
    """Return whether a file is an image by its content."""
    try:
        with opened(path):
            return True
    except ValueError:
        return False


@cache
def prepare_decoders() -> tuple[str, ...]:
    """Load the decoders of Pillow that images are let at, and return their names."""
    from PIL import Image

    Image.init()
    if find_spec("pillow_heif") is not None:
        import pillow_heif

        pillow_heif.register_heif_opener(thumbnails=False)
    known = {str(name) for name in Image.OPEN}
    return tuple(name for name in FORMATS if name in known)


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Open an image; whatever goes wrong with it becomes a `ValueError` that names the file."""
    from PIL import Image, UnidentifiedImageError

    head = b""
    try:
        if not path.is_file():  # a pipe would be waited for
            raise ValueError("no such file" if not path.exists() else "not a regular file")
        with path.open("rb") as file:
            head = file.read(64)
            if not head:
                raise ValueError("it is empty")
            file.seek(0)
            named = NAMED_FORMATS.get(suffix_of(path.name))
            formats = (*prepare_decoders(), named) if named else prepare_decoders()
            # Pillow goes by a file's content, not by its name.
            with Image.open(file, formats=formats) as image:
                _check_size(image)
                yield image
    # A damaged image can raise nearly anything.
    except Exception as error:
        reason = str(error).rstrip(". ") or type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            reason = _why_unidentified(head)
        raise ValueError(
            f"Expected an image at {path}, but it cannot be read: {reason}."
        ) from error


def _why_unidentified(head: bytes) -> str:
    """What a file is that none of the decoders knows, by its first bytes."""
    brand = head[8:12] if head[4:8] == b"ftyp" else b""
    if brand in _HEIF and find_spec("pillow_heif") is None:
        return 'it is HEIC, which needs the package pillow-heif: pip install "tfkd[heif]"'
    if brand in _AVIF:
        return 'it is AVIF, which needs Pillow 11.3 or later: pip install "pillow>=11.3"'
    if brand not in (b"", *_HEIF):
        return "it is a film, not an image"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "it is a web page, not an image"
    return "cannot identify image file, which is damaged or of no format that is read"


def _check_size(image: Image.Image) -> None:
    from PIL import Image as Pillow

    limit = Pillow.MAX_IMAGE_PIXELS
    shorter, longer = sorted(image.size)
    if limit is not None and shorter * longer > limit:
        raise ValueError(
            f"it has {image.width} × {image.height} pixels, above the limit of {limit}"
        )
    if longer > LONGEST_SIDES * shorter:
        raise ValueError(
            f"it has {image.width} × {image.height} pixels, one side more than {LONGEST_SIDES} "
            "times the other"
        )
    if image.mode == "F":
        raise ValueError(NO_RANGE)


def _stored_as(image: Image.Image) -> str:
    """Return how the pixels of a PNG file are stored, which is known until they are decoded."""
    tile: Any = getattr(image, "tile", None)
    stored = tile[0][3] if image.format == "PNG" and tile else ""
    return stored if isinstance(stored, str) else ""


def _upright(image: Image.Image, pixels: Image.Image) -> Image.Image:
    """Turn and mirror the pixels as the metadata of their image say."""
    from PIL import Image as Pillow

    try:
        method = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged metadata, which viewers ignore, can raise nearly anything
        return pixels
    return pixels if method is None else pixels.transpose(Pillow.Transpose[method])


def _colours(image: Image.Image, stored: str) -> Image.Image:
    from PIL import Image as Pillow

    clear = _clear_colour(image, stored)
    if image.mode == "I" or image.mode.startswith("I;16"):
        # Pillow's own conversion cuts everything above 255 off. It opens 16-bit PPM files, and in
        # older versions PNG files, as 32-bit integers.
        values = np.asarray(image).astype(np.int64)
        sixteen = image.mode != "I" or image.format in ("PNG", "PPM")
        if not sixteen or values.min() < 0 or values.max() > 65535:
            raise ValueError("integer pixels of more than 16 bits have no known range")
        grey = np.where(values == clear, 255, values >> 8)
        return Pillow.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.mode in ("1", "L", "RGB"):
        pixels = image.convert("RGB") if image.mode != "RGB" else image.copy()
        return pixels if clear is None else _over_white(pixels, clear)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        colours = image.convert("RGBA")
        white = Pillow.new("RGBA", colours.size, (255, 255, 255, 255))
        return Pillow.alpha_composite(white, colours).convert("RGB")
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
    from PIL import Image as Pillow

    values = np.array(pixels)
    values[(values == clear).all(axis=2)] = 255
    return Pillow.fromarray(values)
