"""How a network is shown images: timm's as their configuration says, this package's small."""

from __future__ import annotations

from typing import Any, NamedTuple

from tfkd.models.create import TIMM, check_model_name, model_names
from tfkd.references import is_reference

LARGEST_SMALL = 64
"""Pixels of the largest images of the paper (Tiny-ImageNet), for which its networks are."""

_FOR_PHOTOGRAPHS = {
    "densenet121": "densenet121",
    "googlenet": "inception_v3",
    "mobilenet_v2": "mobilenetv2_100",
    "resnet50": "resnet50",
    "resnet101": "resnet101",
    "resnext29_8x64d": "resnext50_32x4d",
    "shufflenet_v2": "mobilenetv2_050",
}
"""timm's counterparts of this package's networks; resnet18 for those that are small anyway."""


class Preparation(NamedTuple):
    """What a network of timm says of its images, by the names of `DataSettings`.

    Args:
        image_size: height and width in pixels; None if they differ.
        fit: `centre-crop` or `squash`; None for what is neither.
        crop_fraction: share of the resized side that is cut out.
        interpolation: with which images are resized.
        mean: per channel, of pixels in [0, 1].
        std: per channel.
    """

    image_size: int | None
    fit: str | None
    crop_fraction: float
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


def preparation_of(name: str) -> Preparation | None:
    """Return how a network of timm is shown images; nothing is built or downloaded.

    Args:
        name: as `create_model` takes it, with the tag of its weights or without, which is timm's
            default tag.

    Returns:
        None for a network that is not timm's.

    Raises:
        ValueError: if nobody knows the name.
        ModuleNotFoundError: if it is not this package's and timm is not installed.

    Example:
        >>> found = preparation_of("timm/vit_tiny_patch16_384")
        >>> found.image_size, found.crop_fraction, found.interpolation, found.mean
        (384, 1.0, 'bicubic', (0.5, 0.5, 0.5))
    """
    check_model_name(name, argument="student")
    if name in model_names() or is_reference(name):
        return None
    import timm

    untyped: Any = timm
    said = untyped.models.get_pretrained_cfg(name.removeprefix(TIMM))
    found = untyped.data.resolve_data_config(pretrained_cfg=said.to_dict())
    _, height, width = found["input_size"]
    return Preparation(
        image_size=height if height == width else None,
        fit={"center": "centre-crop", "squash": "squash"}.get(found["crop_mode"]),
        crop_fraction=float(found["crop_pct"]),
        interpolation=found["interpolation"],
        mean=tuple(map(float, found["mean"])),
        std=tuple(map(float, found["std"])),
    )


def check_image_size(name: str, size: int) -> None:
    """Check that a network is not shown larger images than it is for.

    Args:
        name: as `create_model` takes it.
        size: height and width of its images in pixels.

    Raises:
        ValueError: for this package's networks above 64 pixels, naming timm's counterpart.

    Example:
        >>> check_image_size("resnet18", 224)
        Traceback (most recent call last):
        ...
        ValueError: Expected `student` timm/resnet18, which is for photographs, or `image_size` \
32: resnet18 is for images up to 64 pixels, got 224.
    """
    if size <= LARGEST_SMALL or name not in model_names():
        return
    other = TIMM + _FOR_PHOTOGRAPHS.get(name, "resnet18")
    raise ValueError(
        f"Expected `student` {other}, which is for photographs, or `image_size` 32: {name} is for "
        f"images up to {LARGEST_SMALL} pixels, got {size}."
    )
