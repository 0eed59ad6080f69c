"""What is found of images of one's own, before anything is split off."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch

from tfkd._checks import is_writable
from tfkd.data.image_files import Tally
from tfkd.data.images import ImageFiles
from tfkd.data.several_labels import strata_of

Label = int | tuple[float, ...]
"""The class of an image, or of each label that it may have 1, 0 or -100."""


@dataclass
class Samples:
    """Image files and their classes.

    Attributes:
        root: the folder that the paths start from.
        paths: relative to it, with forward slashes.
        labels: class of each, or which labels it has.
        origin: what people call the place.
        start: the folder of the classes, relative to `root`.
    """

    root: Path
    paths: list[str]
    labels: list[Label]
    origin: str
    start: str = ""

    def images(self) -> ImageFiles:
        """Return them as the images of an official split."""
        dtype = torch.float32 if self.several_labels else torch.int64
        return ImageFiles(self.root, self.paths, torch.tensor(self.labels, dtype=dtype))

    @property
    def several_labels(self) -> bool:
        """Whether an image may have several labels."""
        return isinstance(self.labels[0], tuple)

    @property
    def seen(self) -> set[int]:
        """The classes that there are images of."""
        found: set[int] = set()
        for label in self.labels:
            if isinstance(label, tuple):
                found |= {place for place, value in enumerate(label) if value == 1.0}
            else:
                found.add(label)
        return found

    @property
    def strata(self) -> list[int]:
        """Of each, the class of which a split has its share: the rarest of several labels."""
        if self.several_labels:
            return strata_of(torch.tensor(self.labels)).tolist()
        return [label for label in self.labels if isinstance(label, int)]

    def chosen(self, chosen: set[int], origin: str) -> tuple[Samples, Samples]:
        """Return those that are not chosen by their place, and those that are, called `origin`."""
        parts = [
            [place for place in range(len(self.paths)) if (place in chosen) is wanted]
            for wanted in (False, True)
        ]
        rest, taken = (
            Samples(
                self.root,
                [self.paths[place] for place in part],
                [self.labels[place] for place in part],
                self.origin,
                self.start,
            )
            for part in parts
        )
        taken.origin = origin
        return rest, taken


@dataclass
class Found:
    """What is found.

    Attributes:
        classes: names, in the order of the labels.
        samples: by split; at least of `train`.
        tally: of what is left out.
        remarks: what else a person should know.
        test_remarks: the same of the test split.
    """

    classes: tuple[str, ...]
    samples: dict[str, Samples]
    tally: Tally
    remarks: list[str] = field(default_factory=list)
    test_remarks: list[str] = field(default_factory=list)


def name_order(name: str) -> tuple[int, str]:
    """Return what names of classes are sorted by: numbers come in their order, before others."""
    return (int(name) if name.isdecimal() and len(name) < 19 else 1 << 63, name)


def check_class_names(classes: list[str], place: Path) -> None:
    """Raise `ValueError` for fewer than two classes, or a name that cannot be written down."""
    if len(classes) < 2:
        found = f"only {classes[0]!r}" if classes else "none"
        raise ValueError(f"Expected at least 2 classes in {place}, got {found}.")
    for name in classes:
        if not is_writable(name):
            raise ValueError(
                "Expected names of classes in UTF-8 without control characters, got "
                f"{name!a} in {place}."
            )
