"""How an image file is read: as a viewer shows it, in 8-bit RGB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tfkd.data.image_files.kinds import FORMATS, NAMED_FORMATS, suffix_of

if TYPE_CHECKING:
    from PIL import Image

LONGEST_SIDES = 200
"""How many times as long as the shorter side the longer may be.

An image is resized before it is cut out: one of 60,000 × 2 pixels would fill the memory.
"""

_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_AVIF = (b"avif", b"avis")


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
    from tfkd.data.image_files import colours  # needs Pillow

    return colours.to_rgb(image)


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

    from tfkd.data.image_files.colours import NO_RANGE

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
