"""The images that are meant where somebody names files, folders, or images by class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from tfkd._checks import did_you_mean
from tfkd._counted import number_of
from tfkd.data.image_files import LeftOut, list_images, subfolders
from tfkd.data.sources.folder.split_names import split_of
from tfkd.data.sources.folder.table import Row, read_table


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


def files_meant(names: Iterable[Path], left_out: Callable[[Path, LeftOut], None]) -> Iterator[Path]:
    """Yield files as they are named, and in place of a folder its images.

    Args:
        names: of files and folders.
        left_out: told of a folder, and which of its files are left out.
    """
    for name in names:
        if not name.is_dir():
            yield name
            continue
        listing = list_images(name)
        for found in listing.left_out:
            left_out(name, found)
        if not listing.paths:
            yield name  # which is then said to be no image
        for path in listing.paths:
            yield name / path


def labelled_images(place: Path, classes: tuple[str, ...]) -> Labelled:
    """Return all images of a folder by class or of a table, or those of its test part.

    Args:
        place: the folder, or a CSV file of paths and labels. Where it has splits, those that are
            for testing are meant, or without any those for validation.
        classes: that there may be; some may have no image.

    Raises:
        FileNotFoundError: if there is no such place, or an image of the table is not there.
        ValueError: for another class, or where there are no images.
    """
    place, named = _of_a_table(place) if place.is_file() else _of_a_folder(place, classes)
    unknown = next((name for _, name in named if name not in classes), None)
    if unknown is not None:
        shown = ", ".join(classes[:5]) + (" …" if len(classes) > 5 else "")
        raise ValueError(
            f"Expected classes of the run ({shown}) in {place}, got {unknown!a}."
            f"{did_you_mean(unknown, classes)}"
        )
    if not named:
        raise ValueError(f"Expected images by class in {place}, got none.")
    number = {name: label for label, name in enumerate(classes)}
    labels = [number[name] for _, name in named]
    return Labelled(
        tuple(file for file, _ in named),
        torch.tensor(labels, dtype=torch.int64),
        f"{place}, {number_of(len(named), 'image')} of {len(set(labels))} of the "
        f"{len(classes)} classes",
    )


def _of_a_folder(place: Path, classes: tuple[str, ...]) -> tuple[Path, list[tuple[Path, str]]]:
    """The folder that is meant, and its images with the names of their classes."""
    if not place.is_dir():
        raise FileNotFoundError(f"Expected a folder of images by class, or a CSV file, at {place}.")
    names = subfolders(place)
    if not set(names) <= set(classes):
        parts = {split_of(name): name for name in names}
        part = parts.get("test", parts.get("validation"))
        if part is not None:
            place = place / part
            names = subfolders(place)
    unknown = next((name for name in names if name not in classes), None)
    if unknown is not None:  # before anything in it is looked for
        return place, [(place / unknown, unknown)]
    return place, [
        (place / path, name) for name in names for path in list_images(place, name).paths
    ]


def _of_a_table(file: Path) -> tuple[Path, list[tuple[Path, str]]]:
    """The table, and the images of the rows that are meant with the names of their classes."""
    rows = read_table(file, file.parent).rows
    splits = {split_of(row.split) for row in rows if row.split is not None}
    wanted = next((split for split in ("test", "validation") if split in splits), None)
    meant = [row for row in rows if wanted is None or split_of(row.split or "") == wanted]
    return file, [(_file(file, row), row.label) for row in meant]


def _file(table: Path, row: Row) -> Path:
    for path in (row.path, row.path.replace("\\", "/")):
        if path and (table.parent / path).is_file():
            return table.parent / path
    raise FileNotFoundError(
        f"Expected the image of line {row.line} of {table} in {table.parent}, but {row.path!a} is "
        "not there."
    )
