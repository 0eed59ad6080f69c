"""What fits into memory: images that are looked at together, and the batches of a run."""

from __future__ import annotations

import os

import torch
from torch import nn

from tfkd.data import DataIdentity, ImageData
from tfkd.runs import MethodSettings, Recipe
from tfkd.train.remembered import remembered

USUAL_PIXELS = 224
"""Side of the images for which numbers of them are meant."""


def at_once(data: ImageData | DataIdentity, most: int) -> int:
    """Return how many images to look at together: of larger ones fewer, by their area.

    Args:
        data: whose images they are.
        most: of a side of up to 224 pixels.
    """
    return max(1, min(most, most * USUAL_PIXELS**2 // data.image_size**2))


def check_memory(recipe: Recipe, data: ImageData) -> None:
    """Check that the machine can hold a batch at all, before it tries to.

    Raises:
        ValueError: if it cannot.
    """
    pixels = data.channels * data.image_size**2
    needed, there = 4 * recipe.batch_size * pixels, memory()
    if there is not None and needed > there:
        raise ValueError(
            f"Expected batches that fit into {there / 1e9:.3g} GB of memory, but "
            f"{recipe.batch_size} images of {data.image_size} pixels take {needed / 1e9:.3g} GB. "
            "Take a smaller `batch_size` or `image_size`."
        )


def check_remembered(method: MethodSettings, data: ImageData) -> None:
    """Check that the machine can hold what a loss remembers, before it is made.

    Raises:
        ValueError: if it cannot.
    """
    needed, there = bytes_remembered(method, data), memory()
    if there is not None and needed > there:
        raise ValueError(
            f"Expected a method whose loss fits into {there / 1e9:.3g} GB of memory, but what "
            f"{method.name} remembers of {len(data.train.official):,} images and "
            f"{data.num_classes:,} classes takes {needed / 1e9:.3g} GB."
        )


def bytes_remembered(method: MethodSettings, data: ImageData) -> int:
    """Return the bytes of what a loss remembers of images and classes; most remember nothing.

    The average of a network that it may keep is not counted.
    """
    if data.several_labels:
        return 0
    try:
        with torch.device("meta"):
            criterion = method.build(
                num_classes=data.num_classes,
                teacher=nn.Identity() if method.has_teacher else None,
                num_samples=len(data.train.official),
            )
            kept = remembered(criterion)
    except (NotImplementedError, RuntimeError):  # one that must look at its own numbers
        return 0
    return sum(own.numel() * own.element_size() for own in kept.values() if own.is_meta)


def memory() -> int | None:
    """Return the bytes of memory of this machine; None where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
