"""A table of paths and labels, as rows and the columns that matter."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from tfkd._checks import NotThereError, did_you_mean, no_such
from tfkd._counted import a_few
from tfkd.data.image_files import subfolders
from tfkd.data.label_form import LabelForm

# The first that is there is taken. Names are compared in small letters, `_` for spaces and hyphens.
_PATHS = (
    *("path", "paths", "filepath", "filepaths", "file_path", "file_paths", "image_path"),
    *("image_paths", "img_path", "file", "files", "filename", "filenames", "file_name"),
    *("file_names", "image_file", "image_filename", "image", "images", "image_name", "img"),
    *("img_name", "image_id", "imageid", "img_id", "id_code", "id"),
)
_LABELS = (
    *("label", "labels", "class", "classes", "class_name", "classname", "category", "categories"),
    *("category_name", "label_name", "target", "species", "breed", "diagnosis", "class_id"),
    *("label_id", "category_id", "class_index", "y"),
)
_SEVERAL_LABELS = (
    *("tags", "tag", "finding_labels", "findings", "finding", "genres", "genre", "attributes"),
    *("attribute", "objects", "keywords", "keyword", *_LABELS),
)
_SPLITS = ("split", "splits", "data_split", "data_set", "dataset", "subset", "partition", "set")
_DELIMITERS = ",;\t"
MOST_BYTES = 1 << 30
"""A file of more is no table of images, of which a person has a million at most."""


@dataclass(frozen=True)
class Row:
    """A line of a table.

    Attributes:
        line: its number, from 1.
        path: of the image, as it is written.
        label: the name of its class.
        split: as it is written; None if the table does not say.
        cells: of the columns that are a label each.
    """

    line: int
    path: str
    label: str
    split: str | None
    cells: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """What a table says.

    Attributes:
        rows: in order.
        columns: the names of those that were read; empty if they have none.
        is_of_predictions: whether it says what a network takes images for, and how surely.
    """

    rows: list[Row]
    columns: tuple[str, ...]
    is_of_predictions: bool = False


def read_table(file: Path, base: Path, form: LabelForm | None = None) -> Table:
    """Read a table of paths and labels, with commas, semicolons or tabs between its columns.

    Columns are known by their names. Without any, there are two, and that with the path of a file
    that is there holds the paths.

    Args:
        file: the table, in UTF-8.
        base: the folder that paths start from.
        form: how it says several labels of an image, for which its columns need names; None: an
            image has one.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for what is no such table, naming the line.
    """
    lines = [(line, cells) for line, cells in _cells(file, form) if any(cells)]
    if not lines:
        raise ValueError(f"Expected a table of paths and labels in {file}, got nothing.")
    head = lines[0][1]
    names = [_plain(cell) for cell in head]
    path, label, split = (_first(names, known) for known in (_PATHS, _LABELS, _SPLITS))
    if form is not None:
        return _of_several(file, head, lines[1:], form)
    if path is not None and label is not None:
        columns = tuple(head[place] for place in (path, label, split) if place is not None)
        lines = lines[1:]
        _check_one_meaning(file, head, names, lines)
    else:
        path, label = _columns_without_names(file, base, head)
        columns, split = (), None
    rows = []
    for line, cells in lines:
        _check_width(file, line, cells, head, needed=max(path, label, split or 0))
        rows.append(Row(line, cells[path], cells[label], None if split is None else cells[split]))
    if not rows:
        raise ValueError(f"Expected rows below the names of columns in {file}, got none.")
    return Table(rows, columns, bool(columns) and "probability" in names)


def _of_several(
    file: Path, head: list[str], lines: list[tuple[int, list[str]]], form: LabelForm
) -> Table:
    """The rows of a table of several labels an image."""
    names = [_plain(cell) for cell in head]
    path, split = _first(names, (*_PATHS, "image_index")), _first(names, _SPLITS)
    if path is None:
        raise ValueError(
            f"Expected a column called path (or file, image, …) in {file}, got {_shown(head)}."
        )
    if form.columns:
        places = [_place_of(file, head, column) for column in form.columns]
    else:
        places = [place for place, name in enumerate(names) if name in _SEVERAL_LABELS]
        if len(places) != 1:
            raise ValueError(
                f"Expected one column called labels (or tags, classes, …) in {file}, got "
                f"{_shown([head[place] for place in places] or head)}. Rename the one that is "
                "meant, or the others."
            )
    rows = []
    for line, cells in lines:
        _check_width(file, line, cells, head, needed=max(path, split or 0, *places))
        said = tuple(cells[place] for place in places)
        of_split = None if split is None else cells[split]
        if form.columns:
            rows.append(Row(line, cells[path], "", of_split, said))
        else:
            rows.append(Row(line, cells[path], said[0], of_split))
    if not rows:
        raise ValueError(f"Expected rows below the names of columns in {file}, got none.")
    read = [path, *([] if form.columns else places), *([] if split is None else [split])]
    return Table(rows, tuple(head[place] for place in read))


def _place_of(file: Path, head: list[str], column: str) -> int:
    """The place of a column that is called exactly so, or so but for case, spaces and hyphens."""
    if column in head:
        return head.index(column)
    alike = [place for place, name in enumerate(head) if _plain(name) == _plain(column)]
    if len(alike) == 1:
        return alike[0]
    raise ValueError(
        f"Expected a column {column!r}, of `label_columns`, in {file}, got {_shown(head)}."
        f"{did_you_mean(column, head)}"
    )


def _shown(head: list[str]) -> str:
    return a_few([cell[:40] for cell in head], 10)


def _check_width(file: Path, line: int, cells: list[str], head: list[str], *, needed: int) -> None:
    if len(cells) <= needed:
        raise ValueError(
            f"Expected {len(head)} columns in line {line} of {file}, got {len(cells)}."
        )
    if any(cells[len(head) :]):
        raise ValueError(
            f"Expected {len(head)} columns in line {line} of {file}, got {len(cells)}. What "
            "has commas or the like in it has to be in quotes."
        )


def _cells(file: Path, form: LabelForm | None = None) -> list[tuple[int, list[str]]]:
    if not file.is_file():
        hint = " It is a folder." if file.is_dir() else no_such(file)
        raise NotThereError(f"Expected a table of paths and labels as `labels`, got {file}.{hint}")
    if file.stat().st_size > MOST_BYTES:
        raise ValueError(f"Expected a table of at most {MOST_BYTES} bytes at {file}.")
    try:
        text = file.read_text(encoding="utf-8-sig")
        first = text.partition("\n")[0]
        # What divides labels divides no columns, unless nothing else does.
        others = [mark for mark in _DELIMITERS if form is None or mark != form.separator]
        known = [mark for mark in others if mark in first] or _DELIMITERS
        delimiter = max(known, key=first.count)
        reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
        return [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"Expected a table in UTF-8 at {file}: {error}.") from error


def _plain(name: str) -> str:
    return name.casefold().replace(" ", "_").replace("-", "_")


def _first(names: list[str], known: tuple[str, ...]) -> int | None:
    return next((names.index(name) for name in known if name in names), None)


def _check_one_meaning(
    file: Path, head: list[str], names: list[str], lines: list[tuple[int, list[str]]]
) -> None:
    """Raise `ValueError` if two columns of labels divide the images differently."""
    places = [place for place, name in enumerate(names) if name in _LABELS]
    for place in places[1:]:
        pairs = {(cells[places[0]], cells[place]) for _, cells in lines if len(cells) > place}
        one, other = (len({pair[side] for pair in pairs}) for side in (0, 1))
        if not len(pairs) == one == other:
            raise ValueError(
                f"Expected one column of labels in {file}, got {head[places[0]]!r} and "
                f"{head[place]!r}, which divide the images differently. Rename the one not meant."
            )


def _columns_without_names(file: Path, base: Path, head: list[str]) -> tuple[int, int]:
    folders = [base, *(base / name for name in subfolders(base))]
    there = [
        place
        for place, cell in enumerate(head)
        if cell and any((folder / cell).is_file() for folder in folders)
    ]
    if len(head) == 2 and len(there) == 1:
        return there[0], 1 - there[0]
    raise ValueError(
        f"Expected columns called path (or file, image, …) and label (or class, category, …) in "
        f"{file}, got {', '.join(repr(cell[:40]) for cell in head[:10])}."
    )
