"""The images that a table of paths and labels names."""

from __future__ import annotations

import os
from pathlib import Path

from tfkd.data.image_files import Tally, image_paths
from tfkd.data.places import Places
from tfkd.data.sources.folder.found import Found, Samples, check_class_names, named
from tfkd.data.sources.folder.split_names import SPLIT_WORDS
from tfkd.data.sources.folder.table import Row, read_table

_MOST_ROWS = 5
"""How many rows an error names."""


def find_by_table(places: Places) -> Found:
    """Return what a table names.

    Paths start from `root` if that is given, and from the folder of the table if not. A column of
    splits says what each image is for.

    Args:
        places: `labels`, and `root`.

    Raises:
        FileNotFoundError: if there is no such table, or an image is not there.
        ValueError: for a table that cannot be read, an image twice, or an unknown split.
    """
    said = [name for name in places.of_a_folder if name != "labels"]
    if said:
        raise ValueError(
            f"Expected `labels` or `{said[0]}`, got both. A column `split` of the table says what "
            "is for training, validation and testing."
        )
    file = Path(str(places.labels)).expanduser()
    base = file.parent if places.root is None else Path(places.root).expanduser()
    if not base.is_dir():
        raise FileNotFoundError(f"Expected the folder of the images of {file} at {base}.")
    table = read_table(file, base)
    paths = _paths(file, base, table.rows)
    _check_once(file, table.rows, paths)
    _check_complete(file, table.rows)
    classes = sorted({row.label for row in table.rows}, key=_order)
    check_class_names(classes, file)
    number = {name: label for label, name in enumerate(classes)}
    samples: dict[str, Samples] = {}
    for row, path in sorted(zip(table.rows, paths, strict=True), key=lambda one: one[1]):
        split = _split(file, row)
        origin = file.name if row.split is None else f"{file.name}, {row.split}"
        part = samples.setdefault(split, Samples(base, [], [], origin))
        part.paths.append(path)
        part.labels.append(number[row.label])
    lacking = _check_classes(file, classes, samples)
    test_remarks = lacking.pop("test", [])
    remarks = lacking.pop("validation", [])
    if table.columns:
        columns = ", ".join(repr(name) for name in table.columns)
        remarks.insert(0, f"of {file.name} the columns {columns} are read")
    tally = _unnamed(places, file, base, paths)
    return Found(tuple(classes), samples, tally, remarks, test_remarks)


def _order(name: str) -> tuple[int, str]:
    """Numbers come in their order, before names in theirs."""
    return (int(name) if name.isdecimal() and len(name) < 19 else 1 << 63, name)


def _paths(file: Path, base: Path, rows: list[Row]) -> list[str]:
    """The paths of the rows as they are on this machine."""
    found, missing = [], []
    for row in rows:
        written = [row.path, row.path.replace("\\", "/")]
        path = next((path for path in written if path and (base / path).is_file()), None)
        if path is None:
            missing.append(row)
        else:
            found.append(Path(os.path.normpath(path)).as_posix())
    if missing:
        first = missing[0]
        named_rows = _rows([(row, repr(row.path)) for row in missing])
        raise FileNotFoundError(
            f"Expected the images of {file} in {base}, but {len(missing)} of {len(rows)} are not "
            f"there: {named_rows}.{_suffix_hint(base, first)}"
        )
    return found


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
        path: same for path, same in twice.items() if len({row.label for row in same}) > 1
    }
    path, same = next(iter((conflicting or twice).items()))
    lines = " and ".join(str(row.line) for row in same[:_MOST_ROWS])
    labels = ", ".join(repr(label) for label in sorted({row.label for row in same}))
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


def _split(file: Path, row: Row) -> str:
    if row.split is None:
        return "train"
    split = SPLIT_WORDS.get(row.split.casefold()) or {"dev": "validation"}.get(row.split.casefold())
    if split is None:
        raise ValueError(
            f"Expected a split of train, val or test in line {row.line} of {file}, got "
            f"{row.split!r}."
        )
    return split


def _check_classes(
    file: Path, classes: list[str], samples: dict[str, Samples]
) -> dict[str, list[str]]:
    """Raise `ValueError` for classes that are not trained; return what other splits lack."""
    remarks: dict[str, list[str]] = {}
    for split in ("train", "validation", "test"):
        if split != "train" and split not in samples:
            continue
        seen = set(samples[split].labels) if split in samples else set()
        lacking = [name for label, name in enumerate(classes) if label not in seen]
        if lacking and split == "train":
            raise ValueError(
                f"Expected training images of each class in {file}, got none of {named(lacking)}."
            )
        if lacking:
            remarks[split] = [f"{samples[split].origin}: no image of {named(lacking)}"]
    return remarks


def _unnamed(places: Places, file: Path, base: Path, paths: list[str]) -> Tally:
    """Count the images of the folder that was named beside the table, but not in it."""
    tally = Tally()
    if places.root is not None:
        known = set(paths)
        for path in image_paths(base, ""):
            if path not in known:
                tally.add(f"images that {file.name} does not name", path)
    return tally
