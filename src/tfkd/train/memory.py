"""What fits into memory: images that are looked at together, and the batches of a run."""

from __future__ import annotations

import os

from tfkd.data import DataIdentity, ImageData
from tfkd.runs import Recipe

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


def memory() -> int | None:
    """Return the bytes of memory of this machine; None where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
