"""The images that are meant where somebody names files, folders, or images by class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from tfkd._checks import NotThereError, did_you_mean, no_such
from tfkd._counted import number_of
from tfkd.data.image_files import LeftOut, Tally, holds_images, list_images, subfolders
from tfkd.data.sources.folder.named_images import read_named_images, split_of_row
from tfkd.data.sources.folder.split_names import split_of


@dataclass(frozen=True)
class Labelled:
    """Images of known classes.

    Attributes:
        files: N of them.
        labels: (N,) int64.
        measured: what they are, in words.
        left_out: what else lies there.
    """

    files: tuple[Path, ...]
    labels: Tensor
    measured: str
    left_out: tuple[LeftOut, ...]


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


def labelled_images(place: Path, classes: tuple[str, ...], *, run: Path | str = "RUN") -> Labelled:
    """Return all images of a folder by class or of a table, or those of its test part.

    Args:
        place: the folder, or a CSV file of paths and labels. Where it has splits, those that are
            for testing are meant, or without any those for validation.
        classes: that there may be; some may have no image.
        run: directory of the run, by which an error says how images without labels are classified.

    Raises:
        FileNotFoundError: if there is no such place, or an image of the table is not there.
        ValueError: for another class, where there are no images, or for a table with an image
            twice, a row without a label, or an unknown split.
    """
    asked = place
    place, named, left_out = _of_a_table(place) if place.is_file() else _of_a_folder(place, classes)
    unknown = next((name for _, name in named if name not in classes), None)
    if unknown is not None:
        shown = ", ".join(classes[:5]) + (" …" if len(classes) > 5 else "")
        raise ValueError(
            f"Expected classes of the run ({shown}) in {place}, got {unknown!a}."
            f"{did_you_mean(unknown, classes) or _instead(asked, run)}"
        )
    if not named:
        raise ValueError(f"Expected images by class in {place}, got none.{_instead(asked, run)}")
    number = {name: label for label, name in enumerate(classes)}
    labels = [number[name] for _, name in named]
    return Labelled(
        tuple(file for file, _ in named),
        torch.tensor(labels, dtype=torch.int64),
        f"{place}, {number_of(len(named), 'image')} of {len(set(labels))} of the "
        f"{len(classes)} classes",
        left_out,
    )


def _instead(place: Path, run: Path | str) -> str:
    """What to do with a folder whose images have no labels."""
    if not place.is_dir() or not holds_images(place, deep=True):
        return ""
    return f" To classify unlabelled images: tfkd predict {run} {place}"


def _of_a_folder(
    place: Path, classes: tuple[str, ...]
) -> tuple[Path, list[tuple[Path, str]], tuple[LeftOut, ...]]:
    """The folder that is meant, its images with the names of their classes, and the rest."""
    if not place.is_dir():
        raise NotThereError(
            f"Expected a folder of images by class, or a CSV file, at {place}.{no_such(place)}"
        )
    tally = Tally()
    names = subfolders(place)
    if not set(names) <= set(classes):
        parts = {split_of(name): name for name in names}
        part = parts.get("test", parts.get("validation"))
        if part is not None:
            for other in (name for name in names if name != part):
                if paths := list_images(place, other).paths:
                    tally.add(f"images of {other}/", paths[0], len(paths))
            place = place / part
            names = subfolders(place)
    unknown = next((name for name in names if name not in classes), None)
    if unknown is not None:  # before anything in it is looked for
        return place, [(place / unknown, unknown)], ()
    named: list[tuple[Path, str]] = []
    for name in names:
        listing = list_images(place, name)
        named += [(place / path, name) for path in listing.paths]
        tally.add_all(listing.left_out)
    around = list_images(place, deep=False)
    tally.add_all(around.left_out)
    if around.paths:
        tally.add("images outside of the folders of classes", around.paths[0], len(around.paths))
    return place, named, tally.result()


def _of_a_table(file: Path) -> tuple[Path, list[tuple[Path, str]], tuple[LeftOut, ...]]:
    """The table, the images of the rows that are meant with the names of their classes, the rest.

    It is read and checked as one that is trained on.
    """
    table, where = read_named_images(file, file.parent)
    splits = [split_of_row(file, row) for row in table.rows]
    wanted = next((split for split in ("test", "validation") if split in splits), "train")
    tally = Tally()
    named: list[tuple[Path, str]] = []
    for row, split, path in zip(table.rows, splits, where.paths, strict=True):
        if split == wanted:
            named.append((where.root / path, row.label))
        else:
            tally.add(f"images of the {split} split", path)
    return file, named, tally.result()
