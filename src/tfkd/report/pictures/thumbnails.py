"""Small pictures of images, each an address that holds all of it, within a budget."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import TYPE_CHECKING

from tfkd.data.image_files import read_rgb
from tfkd.data.images import ImageFiles, Images, MemoryImages
from tfkd.report.pictures.answers import Answers
from tfkd.report.pictures.gallery import Picture
from tfkd.report.text import visible

if TYPE_CHECKING:
    from PIL import Image

SIDE = 112
"""Pixels of the longer side, at most."""

SMALL = 48
"""An image up to this side is kept as it is, and shown enlarged."""

BUDGET = 1_800_000
"""Characters of all addresses of a page together."""


class Thumbnails:
    """Makes the pictures of a page, until its budget is spent.

    Args:
        budget: characters that all addresses together may have.
    """

    def __init__(self, budget: int = BUDGET) -> None:
        self._left = budget
        self._known: dict[tuple[int, int], tuple[str, int, int]] = {}
        self.unread = 0
        self.over_budget = 0

    def picture(
        self, answers: Answers, row: int, classes: tuple[str, ...], *, other: int | None = None
    ) -> Picture:
        """Return an image with what a network says of it.

        Args:
            answers: that it is of.
            row: its place there.
            classes: names.
            other: the class to speak of; None: the one that it is taken for.
        """
        verb = "taken for" if other is None else "looks like"
        other = int(answers.predicted[row]) if other is None else other
        probability = float(answers.logits[row].double().softmax(0)[other])
        address, width, height = self._address(answers, row)
        return Picture(
            address,
            width,
            height,
            answers.path(row),
            visible(classes[int(answers.own[row])]),
            visible(classes[other]),
            probability,
            float(answers.of_label[row]),
            verb,
        )

    def _address(self, answers: Answers, row: int) -> tuple[str, int, int]:
        nothing = ("", SIDE, SIDE)
        if answers.images is None or answers.indices is None:
            return nothing
        index = int(answers.indices[row])
        key = (id(answers.images), index)
        if key not in self._known:
            try:
                self._known[key] = encoded(small(answers.images, index))
            except ValueError:  # it was there when the run was made
                self.unread += 1
                self._known[key] = nothing
        found = self._known[key]
        if len(found[0]) > self._left:
            self.over_budget += 1
            return nothing
        self._left -= len(found[0])
        return found


def small(images: Images, index: int) -> Image.Image:
    """Return an image as a viewer shows it, its longer side at most `SIDE` pixels.

    Raises:
        ValueError: for a file that cannot be read.
    """
    from PIL import Image

    if isinstance(images, ImageFiles):
        found = read_rgb(images.root / images.paths[index])
    else:
        assert isinstance(images, MemoryImages)
        pixels = images.pixels[index].permute(1, 2, 0).numpy()
        found = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    found.thumbnail((SIDE, SIDE))
    return found


def encoded(image: Image.Image) -> tuple[str, int, int]:
    """Return an image's address, and its width and height on the page."""
    content, longer = BytesIO(), max(image.size)
    if longer <= SMALL:
        image.save(content, "PNG", optimize=True)
        scale = SIDE / longer
        kind = "png"
    else:
        image.save(content, "JPEG", quality=80)
        scale = 1.0
        kind = "jpeg"
    text = base64.b64encode(content.getvalue()).decode()
    width, height = (max(round(scale * side), 1) for side in image.size)
    return f"data:image/{kind};base64,{text}", width, height
