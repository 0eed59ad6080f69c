"""Where the images are that the rows of a table name, each once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from tfkd.data.image_files import subfolders
from tfkd.data.label_form import LabelForm
from tfkd.data.sources.folder.split_names import SPLIT_WORDS
from tfkd.data.sources.folder.table import Row, Table, read_table

_MOST_ROWS = 5
"""How many rows an error names."""


class Whereabouts(NamedTuple):
    """Where the images of rows are.

    Attributes:
        root: the folder that `paths` start from.
        start: the folder in it that the paths of the table start from; empty if it is the same.
        paths: of the rows, in order, with forward slashes.
    """

    root: Path
    start: str
    paths: list[str]


def read_named_images(
    file: Path, base: Path, form: LabelForm | None = None
) -> tuple[Table, Whereabouts]:
    """Return the rows of a table and where their images are, all of it checked.

    Args:
        file: the table.
        base: the folder that its paths start from.
        form: how it says several labels of an image; None: an image has one.

    Raises:
        FileNotFoundError: if there is no such table, or an image is not there.
        ValueError: for a table that cannot be read, an image twice, a row without a label, or an
            unknown split.
    """
    table = read_table(file, base, form)
    where = find_rows(file, base, table.rows)
    _check_once(file, table.rows, where.paths)
    if form is None:
        _check_complete(file, table.rows)
    for row in table.rows:
        split_of_row(file, row)
    return table, where


def find_rows(file: Path, base: Path, rows: list[Row]) -> Whereabouts:
    """Return where the images of rows are: from a folder on, or from a folder in it if all are.

    However a path is written, it is one from that folder on; of images that all lie elsewhere, from
    the folder on that they share.

    Args:
        file: the table.
        base: the folder that its paths start from.
        rows: of the table.

    Raises:
        FileNotFoundError: for images that are not there, naming the first few.
    """
    start = ""
    found = [_on_this_machine(base, row.path) for row in rows]
    if not any(found):
        complete = [
            folder
            for folder in subfolders(base)
            if all(_on_this_machine(base / folder, row.path) for row in rows)
        ]
        if len(complete) == 1:
            start = complete[0]
            found = [_on_this_machine(base / start, row.path) for row in rows]
    if missing := [row for row, path in zip(rows, found, strict=True) if path is None]:
        named_rows = _rows([(row, repr(row.path)) for row in missing])
        hint = _suffix_hint(base, missing[0]) or _place_hint(base, missing[0])
        raise FileNotFoundError(
            f"Expected the images of {file} in {base}, but {len(missing)} of {len(rows)} are not "
            f"there: {named_rows}.{hint}"
        )
    places = [
        _place(base, path if not start else f"{start}/{path}") for path in found if path is not None
    ]
    folder = _absolute(base)
    if not any(place.is_relative_to(folder) for place in places):
        folder = Path(os.path.commonpath([place.parent for place in places]))
        return Whereabouts(folder, "", [place.relative_to(folder).as_posix() for place in places])
    paths = [Path(os.path.relpath(place, folder)).as_posix() for place in places]
    return Whereabouts(base, start, paths)


def _absolute(path: Path) -> Path:
    return Path(os.path.normpath(path.absolute()))  # without `..`, which `absolute` leaves in


def _place(base: Path, path: str) -> Path:
    """Where a file is: in the folder as it is called, if it is in there by any name."""
    place, folder = _absolute(base / path), _absolute(base)
    if not place.is_relative_to(folder):
        by_links = place.parent.resolve() / place.name
        if by_links.is_relative_to(folder.resolve()):
            return folder / by_links.relative_to(folder.resolve())
    return place


def _on_this_machine(base: Path, path: str) -> str | None:
    written = [path, path.replace("\\", "/")]
    return next((path for path in written if path and (base / path).is_file()), None)


def _place_hint(base: Path, row: Row) -> str:
    """What to say where a path starts from a folder in that of the images."""
    for folder in subfolders(base):
        if (base / folder / row.path).is_file():
            return f" {row.path!r} is in {folder}/: paths start from --data, as {base / folder}."
        if hint := _suffix_hint(base / folder, row):
            return hint
    return ""


def _suffix_hint(base: Path, row: Row) -> str:
    """What to say where a path lacks its suffix."""
    place = base / row.path
    if row.path and not place.suffix and place.parent.is_dir():
        names = (path.name for path in place.parent.iterdir())
        beside = sorted(name for name in names if name.startswith(f"{place.name}."))
        if beside:
            return f" There is {beside[0]!r}: write the suffix in the table."
    return "" if row.path else " A path is missing."


def _check_once(file: Path, rows: list[Row], paths: list[str]) -> None:
    by_path: dict[str, list[Row]] = {}
    for row, path in zip(rows, paths, strict=True):
        by_path.setdefault(path, []).append(row)
    twice = {path: same for path, same in by_path.items() if len(same) > 1}
    if not twice:
        return
    conflicting = {
        path: same
        for path, same in twice.items()
        if len({(row.label, row.cells) for row in same}) > 1
    }
    path, same = next(iter((conflicting or twice).items()))
    lines = " and ".join(str(row.line) for row in same[:_MOST_ROWS])
    labels = ", ".join(sorted({repr(row.label or ",".join(row.cells)) for row in same}))
    what = f"labels {labels}" if conflicting else "the same label"
    raise ValueError(
        f"Expected each image once in {file}, got {path!r} in lines {lines} with {what}; "
        f"{len(twice)} images are there more than once."
    )


def _check_complete(file: Path, rows: list[Row]) -> None:
    without = [row for row in rows if not row.label]
    if without:
        raise ValueError(
            f"Expected a label in each row of {file}, got none for "
            f"{_rows([(row, repr(row.path)) for row in without])}."
        )


def _rows(rows: list[tuple[Row, str]]) -> str:
    shown = ", ".join(f"{what} (line {row.line})" for row, what in rows[:_MOST_ROWS])
    return shown if len(rows) <= _MOST_ROWS else f"{shown} and {len(rows) - _MOST_ROWS} more"


def split_of_row(file: Path, row: Row) -> str:
    """Return the split that a row says that it is of; `train` where the table does not say.

    Raises:
        ValueError: for another word, naming the line.
    """
    if row.split is None:
        return "train"
    split = SPLIT_WORDS.get(row.split.casefold()) or {"dev": "validation"}.get(row.split.casefold())
    if split is None:
        raise ValueError(
            f"Expected a split of train, val or test in line {row.line} of {file}, got "
            f"{row.split!r}."
        )
    return split
