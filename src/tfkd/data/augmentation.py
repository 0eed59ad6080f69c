"""How training images are changed: by names, and what these amount to for a data set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from tfkd._checks import did_you_mean

_GEOMETRIES = ("default", "crop-flip", "resized-crop")
_POLICIES = ("trivial-augment", "rand-augment")
NAMES = ("none", *_GEOMETRIES, "flip", *_POLICIES, "random-erasing")
"""What may be named, in the order in which it is done."""


@dataclass(frozen=True)
class Augmentation:
    """How training images are changed, and by how much; the default changes nothing.

    It is done in this order: crop, flip and rotation, policy, and on the normalised image erasing.

    Args:
        crop_padding: pixels added on each side before a random crop of the original size. They are
            zero, or of an image file what lies around its centre, as far as there is something.
        flip: whether half of the images are mirrored left to right.
        rotation: largest angle in degrees, either way; nearest pixel, zeros outside.
        resized_crop: whether a random area of 8 to 100 % is cut out and resized.
        policy: torchvision's TrivialAugmentWide (arXiv 2103.10158) or RandAugment (arXiv
            1909.13719), with its own magnitudes.
        random_erasing: whether from half of the images a rectangle of 2 to 33 % is set to the mean
            (arXiv 1708.04896).
    """

    crop_padding: int = 0
    flip: bool = False
    rotation: float = 0.0
    resized_crop: bool = False
    policy: Literal["trivial-augment", "rand-augment"] | None = None
    random_erasing: bool = False

    @property
    def words(self) -> str:
        """What is done, for people.

        Example:
            >>> Augmentation(flip=True, resized_crop=True).words
            'random resized crop, flip'
        """
        policies = {"trivial-augment": "TrivialAugment", "rand-augment": "RandAugment"}
        parts = (
            f"random crop within {self.crop_padding} pixels" if self.crop_padding else "",
            "random resized crop" if self.resized_crop else "",
            "flip" if self.flip else "",
            f"rotation up to {self.rotation:g}°" if self.rotation else "",
            policies[self.policy] if self.policy else "",
            "random erasing" if self.random_erasing else "",
        )
        return ", ".join(filter(None, parts)) or "none"


def check_names(text: str) -> str:
    """Return names with + between them in the order in which they are done.

    Raises:
        ValueError: for an unknown name, or names that exclude one another.

    Example:
        >>> check_names("rand-augment + flip + resized-crop")
        'resized-crop+flip+rand-augment'
    """
    names = {name.strip() for name in text.split("+")}
    for name in sorted(names - set(NAMES)):
        raise ValueError(
            f"Expected `augmentation` to be some of {', '.join(NAMES)}, with + between them, got "
            f"{name[:80]!r}.{did_you_mean(name, NAMES)}"
        )
    for group in (_GEOMETRIES, _POLICIES):
        found = [name for name in group if name in names]
        if len(found) > 1:
            raise ValueError(
                f"Expected one of {', '.join(group)} in `augmentation`, got {' and '.join(found)}."
            )
    if "none" in names and len(names) > 1:
        raise ValueError(f"Expected nothing beside none in `augmentation`, got {text[:80]!r}.")
    if "crop-flip" in names:
        names.discard("flip")
    return "+".join(name for name in NAMES if name in names)


def named(text: str, *, own: Augmentation, image_size: int) -> Augmentation:
    """Return what the names amount to.

    Args:
        text: of `check_names`.
        own: what `default` stands for: the usual one of the data set.
        image_size: height and width in pixels, of which `crop-flip` pads an eighth.

    Example:
        >>> named("crop-flip+random-erasing", own=Augmentation(), image_size=32).words
        'random crop within 4 pixels, flip, random erasing'
    """
    names = text.split("+")
    result = own if "default" in names else Augmentation()
    if "crop-flip" in names:
        result = replace(result, crop_padding=max(image_size // 8, 1), flip=True)
    if "resized-crop" in names:
        result = replace(result, resized_crop=True)
    if "flip" in names:
        result = replace(result, flip=True)
    for policy in ("trivial-augment", "rand-augment"):
        if policy in names:
            result = replace(result, policy=policy)
    return replace(result, random_erasing=result.random_erasing or "random-erasing" in names)
