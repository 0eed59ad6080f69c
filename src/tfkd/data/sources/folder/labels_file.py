"""The images that a table of paths and labels names."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from tfkd._checks import NotThereError, no_such
from tfkd._counted import a_few
from tfkd.data.image_files import Tally, image_paths
from tfkd.data.label_form import LabelForm
from tfkd.data.places import Places
from tfkd.data.sources.folder.found import Found, Label, Samples, check_class_names, name_order
from tfkd.data.sources.folder.named_images import (
    Whereabouts,
    find_rows,
    read_named_images,
    split_of_row,
)
from tfkd.data.sources.folder.several import read_several, remarks_on_several
from tfkd.data.sources.folder.table import read_table


def find_by_table(places: Places, form: LabelForm | None = None) -> Found:
    """Return what a table names.

    Paths start from `root` if that is given, and from the folder of the table if not. A column of
    splits says what each image is for.

    Args:
        places: `labels`, and `root`.
        form: how the table says several labels of an image; None: an image has one.

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
        raise NotThereError(
            f"Expected the folder of the images of {file} at {base}.{no_such(base)}"
        )
    table, where = read_named_images(file, base, form)
    remarks = [f"the paths of {file.name} start from {where.start}/"] if where.start else []
    labels: Sequence[Label]
    if form is None:
        classes = sorted({row.label for row in table.rows}, key=name_order)
        number = {name: label for label, name in enumerate(classes)}
        labels = [number[row.label] for row in table.rows]
    else:
        classes, labels = read_several(file, table.rows, form)
        remarks += remarks_on_several(file, form, labels)
    check_class_names(classes, file)
    samples: dict[str, Samples] = {}
    rows = zip(table.rows, where.paths, labels, strict=True)
    for row, path, label in sorted(rows, key=lambda one: one[1]):
        origin = file.name if row.split is None else f"{file.name}, {row.split}"
        part = samples.setdefault(
            split_of_row(file, row), Samples(where.root, [], [], origin, where.start)
        )
        part.paths.append(path)
        part.labels.append(label)
    lacking = _check_classes(file, classes, samples)
    test_remarks = lacking.pop("test", [])
    remarks += lacking.pop("validation", [])
    if table.columns:
        columns = ", ".join(repr(name) for name in table.columns)
        remarks.insert(0, f"of {file.name} the columns {columns} are read")
    tally = _unnamed(places, file, base, where)
    return Found(tuple(classes), samples, tally, remarks, test_remarks)


def _check_classes(
    file: Path, classes: list[str], samples: dict[str, Samples]
) -> dict[str, list[str]]:
    """Raise `ValueError` for classes that are not trained; return what other splits lack."""
    remarks: dict[str, list[str]] = {}
    for split in ("train", "validation", "test"):
        if split != "train" and split not in samples:
            continue
        seen = samples[split].seen if split in samples else set()
        lacking = [name for label, name in enumerate(classes) if label not in seen]
        if lacking and split == "train":
            raise ValueError(
                f"Expected training images of each class in {file}, got none of {a_few(lacking)}."
            )
        if lacking:
            remarks[split] = [f"{samples[split].origin}: no image of {a_few(lacking)}"]
    return remarks


def _unnamed(places: Places, file: Path, base: Path, where: Whereabouts) -> Tally:
    """Count the images of the folder that was named beside the table, but not in it."""
    tally = Tally()
    if places.root is not None:
        known = set(where.paths) if where.root == base else set()
        for path in image_paths(base, ""):
            if path not in known:
                tally.add(f"images that {file.name} does not name", path)
    return tally


def option_of_a_table(folder: Path) -> str:
    """Return the options of a table in or beside a folder that names images in it, if there is one.

    What `tfkd predict` wrote says what a network takes images for, and is none.
    """
    for place in (folder, folder.parent):
        for file in sorted((*place.glob("*.csv"), *place.glob("*.tsv"))):
            for base in dict.fromkeys((place, folder)):
                with contextlib.suppress(ValueError, OSError):
                    table = read_table(file, base)
                    if not table.is_of_predictions and find_rows(file, base, table.rows):
                        return f"--labels {file}" + ("" if base == place else f" --data {base}")
    return ""
