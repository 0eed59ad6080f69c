"""Which data a run is of: the classes in order, and the contents of the images of each split."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from tfkd._checks import is_writable
from tfkd.data.settings import LARGEST_CROP, LEAST_CROP, MOST_PIXELS, Interpolation

if TYPE_CHECKING:
    from tfkd.data.image_data import ImageData

SPLITS = ("train", "validation", "test")


class DataIdentity(Struct, frozen=True, kw_only=True):
    """What must be the same where a run goes on, is measured, teaches or is compared.

    A split's digest is of the place, label and content of each of its images, so that an image
    that is changed, added, renamed into another place or moved to another split is seen. Contents
    of files are read once; later, a file of the same name, size and time of change is taken to be
    the same, so what is changed within it while both are put back is not seen.

    Attributes:
        name: what people call the data: a known name, or that of the folder.
        classes: names, in the order of the labels.
        channels: 1 for grey, 3 for RGB.
        image_size: height and width in pixels, as the network sees them.
        fit: how an image comes to that size: `square`: it is resized to it; `centre-crop`: its
            shorter side is resized to the size divided by `crop_fraction`, and the centre cut out;
            `squash`: the same of both sides.
        crop_fraction: share of the resized side that is cut out. Default: 224/256.
        interpolation: with which images are resized. Default: bilinear.
        mean: per channel, of pixels in [0, 1]; what images are normalised with.
        std: per channel.
        samples: number of images by split.
        digests: SHA-256 by split.

    Raises:
        ValueError: for what no data set can be.
    """

    name: str
    classes: tuple[str, ...]
    channels: Literal[1, 3]
    image_size: int
    fit: Literal["square", "centre-crop", "squash"]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    samples: dict[str, int]
    digests: dict[str, str]
    crop_fraction: float = 0.875
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise ValueError(f"Expected at least 2 `classes`, got {len(self.classes)}.")
        twice = next((name for name, count in Counter(self.classes).items() if count > 1), None)
        if twice is not None:
            raise ValueError(f"Expected `classes` of different names, got {twice!a} twice.")
        for name in self.classes:
            if not is_writable(name):
                raise ValueError(f"Expected `classes` without control characters, got {name!a}.")
        if not 1 <= self.image_size <= MOST_PIXELS:
            raise ValueError(
                f"Expected `image_size` from 1 to {MOST_PIXELS}, got {self.image_size}."
            )
        if not LEAST_CROP <= self.crop_fraction <= LARGEST_CROP:
            raise ValueError(
                f"Expected `crop_fraction` from {LEAST_CROP} to {LARGEST_CROP}, got "
                f"{self.crop_fraction}."
            )
        for name in ("samples", "digests"):
            if set(getattr(self, name)) != set(SPLITS):
                raise ValueError(
                    f"Expected `{name}` of {', '.join(SPLITS)}, got {list(getattr(self, name))}."
                )
        for split, count in self.samples.items():
            if count < 0:
                raise ValueError(f"Expected `samples` of at least 0, got {count} of {split}.")
        for name in ("mean", "std"):
            values = getattr(self, name)
            if len(values) != self.channels:
                raise ValueError(
                    f"Expected {self.channels} numbers of `{name}`, got {len(values)}."
                )
            # NaN is in no range; a deviation near 0 would blow every pixel up.
            if not all(-1e3 <= value <= 1e3 for value in values):
                raise ValueError(f"Expected `{name}` of pixels in [0, 1], got {list(values)}.")
        if not all(value >= 1e-6 for value in self.std):
            raise ValueError(f"Expected `std` above 0, got {list(self.std)}.")


_SEEN = (
    "classes",
    "channels",
    "image_size",
    "fit",
    "crop_fraction",
    "interpolation",
    "mean",
    "std",
)


def identify(data: ImageData) -> DataIdentity:
    """Return the identity of data, reading the contents of all their images.

    Args:
        data: with its splits.
    """
    splits = {name: getattr(data, name) for name in SPLITS}
    return DataIdentity(
        name=data.name,
        classes=data.classes,
        channels=data.channels,  # type: ignore[arg-type]
        image_size=data.image_size,
        fit=data.fit,
        mean=data.mean,
        std=data.std,
        samples={name: len(split) for name, split in splits.items()},
        digests={name: split.digest for name, split in splits.items()},
        crop_fraction=data.crop_fraction,
        interpolation=data.interpolation,
    )


def how_a_network_sees_them_differs(ours: DataIdentity, theirs: DataIdentity) -> str | None:
    """Return in words in what two data sets differ for a network, or None if in nothing.

    Example:
        >>> from tfkd.data import DataSettings, load_data
        >>> digits = identify(load_data(DataSettings("digits")))
        >>> how_a_network_sees_them_differs(digits, digits) is None
        True
    """
    for name in _SEEN:
        own, other = getattr(ours, name), getattr(theirs, name)
        if own != other:
            wanted, got = _where_they_differ(own, other)
            return f"{name} {wanted}, got {got}"
    return None


def how_classes_differ(ours: tuple[str, ...], theirs: tuple[str, ...]) -> str | None:
    """Return in words in what classes differ, of which the order counts, or None if in nothing.

    Example:
        >>> how_classes_differ(("ant", "bee"), ("bee", "ant"))
        "classes ['ant', 'bee'], got ['bee', 'ant']"
    """
    if ours == theirs:
        return None
    wanted, got = _where_they_differ(ours, theirs)
    return f"classes {wanted}, got {got}"


def how_they_differ(ours: DataIdentity, theirs: DataIdentity) -> str | None:
    """Return in words in what two data sets differ, or None if they are the same images."""
    found = how_a_network_sees_them_differs(ours, theirs)
    if found is not None:
        return found
    for split in SPLITS:
        own, other = ours.samples[split], theirs.samples[split]
        if own != other:
            return f"{own} {split} images, got {other}"
        if ours.digests[split] != theirs.digests[split]:
            return f"the same {own} {split} images, got others, or the same in other places"
    return None


def _where_they_differ(ours: object, theirs: object) -> tuple[str, str]:
    """Two values as a message names them; of two long lists the first difference."""
    if not isinstance(ours, tuple) or not isinstance(theirs, tuple) or len(ours) <= 3:
        return _short(ours), _short(theirs)
    if len(ours) != len(theirs):
        return f"{len(ours)} of them", f"{len(theirs)}"
    number = next(
        n for n, (our, their) in enumerate(zip(ours, theirs, strict=True)) if our != their
    )
    order = " (the same in another order)" if sorted(ours) == sorted(theirs) else ""
    return (
        f"number {number} being {_short(ours[number])!r}",
        f"{_short(theirs[number])!r} in its place{order}",
    )


def _short(value: object) -> str:
    text = str(list(value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
