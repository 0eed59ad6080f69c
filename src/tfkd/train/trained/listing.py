"""The images that are meant where somebody names files, folders, or a folder by class."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from tfkd._checks import did_you_mean
from tfkd.data.image_files import image_paths, subfolders

TEST_PARTS = ("test", "testing", "val", "valid", "validation")
"""What the test part of a data set is called, in any case; the first that there is, is measured."""


@dataclass(frozen=True)
class Labelled:
    """Images of known classes.

    Attributes:
        files: N of them.
        labels: (N,) int64.
        measured: what they are, in words.
    """

    files: tuple[Path, ...]
    labels: Tensor
    measured: str


def images_in(folder: Path) -> tuple[list[Path], int]:
    """Return the images of a folder, at any depth, sorted, and how many other files there are."""
    images = image_paths(folder, "")
    files = 0
    for _, inner, names in os.walk(folder):
        inner[:] = [name for name in inner if not name.startswith(".")]
        files += sum(not name.startswith(".") for name in names)
    return [folder / path for path in images], files - len(images)


def files_meant(names: Iterable[Path], left_out: Callable[[Path, int], None]) -> Iterator[Path]:
    """Yield files as they are named, and in place of a folder its images.

    Args:
        names: of files and folders.
        left_out: told of a folder, and how many of its files are left out.
    """
    for name in names:
        if not name.is_dir():
            yield name
            continue
        files, others = images_in(name)
        if others:
            left_out(name, others)
        if not files:
            yield name  # which is then said to be no image
        yield from files


def labelled_images(place: Path, classes: tuple[str, ...]) -> Labelled:
    """Return all images of a folder by class, or of the test part of a data set.

    Args:
        place: the folder.
        classes: that there may be; some may have no folder.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: for a folder of another class, or where there are no images.
    """
    if not place.is_dir():
        raise FileNotFoundError(f"Expected a folder of images by class at {place}.")
    names = subfolders(place)
    known = {name.lower(): name for name in names}
    part = next((known[part] for part in TEST_PARTS if part in known), None)
    if part is not None and not set(names) <= set(classes):
        place = place / part
        names = subfolders(place)
    unknown = [name for name in names if name not in classes]
    if unknown:
        shown = ", ".join(classes[:5]) + (" …" if len(classes) > 5 else "")
        raise ValueError(
            f"Expected sub-folders named as classes of the run ({shown}) in {place}, got "
            f"{unknown[0]!a}.{did_you_mean(unknown[0], classes)}"
        )
    files, labels = [], []
    for name in names:
        found = images_in(place / name)[0]
        files += found
        labels += [classes.index(name)] * len(found)
    if not files:
        raise ValueError(f"Expected images by class in {place}, got none.")
    found_classes = len(set(labels))
    return Labelled(
        tuple(files),
        torch.tensor(labels, dtype=torch.int64),
        f"{place}, {len(files)} images of {found_classes} of the {len(classes)} classes",
    )
