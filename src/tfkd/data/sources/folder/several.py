"""The labels of the rows of a table, of which an image may have several."""

from __future__ import annotations

from pathlib import Path

from tfkd.data.label_form import LabelForm
from tfkd.data.sources.folder.found import name_order
from tfkd.data.sources.folder.table import Row
from tfkd.metrics.multi_label import MISSING

_VALUES = {"1": 1.0, "1.0": 1.0, "true": 1.0, "0": 0.0, "0.0": 0.0, "false": 0.0}
_NOBODY_KNOWS = ("", "-1", "-1.0", "nan", "na")
_MOST_ROWS = 5
"""How many rows an error names."""

Labels = tuple[float, ...]


def read_several(file: Path, rows: list[Row], form: LabelForm) -> tuple[list[str], list[Labels]]:
    """Return the names of the labels, and for each row 1, 0 or -100 of each.

    Args:
        file: the table.
        rows: of it.
        form: in which they say their labels.

    Raises:
        ValueError: naming line and column of what is no label; or for rows of which nobody knows
            any.
    """
    if form.separator is None:
        return list(form.columns), _of_columns(file, rows, form.columns)
    named = [names_in(row.label, form.separator) for row in rows]
    classes = sorted({name for names in named for name in names}, key=name_order)
    return classes, [tuple(float(name in names) for name in classes) for names in map(set, named)]


def names_in(cell: str, separator: str) -> list[str]:
    """Return the names in a cell, without the spaces around them; none of an empty cell.

    Example:
        >>> names_in("clear; primary;", ";"), names_in("", ";"), names_in("haze  water", " ")
        (['clear', 'primary'], [], ['haze', 'water'])
    """
    return [name for part in cell.split(separator) if (name := part.strip())]


def remarks_on_several(file: Path, form: LabelForm, labels: list[Labels]) -> list[str]:
    """Return what a person should know of labels that were read."""
    remarks = [f"{file.name}: {form.words}"]
    values = [value for row in labels for value in row]
    if unknown := values.count(MISSING):
        remarks[0] += (
            f"; {unknown:,} of {len(values):,} are not known (empty, -1 or NaN) and count in "
            "nothing"
        )
    if without := sum(1.0 not in row for row in labels):
        remarks.append(f"{file.name}: {without:,} of {len(labels):,} images have no label")
    return remarks


def _of_columns(file: Path, rows: list[Row], columns: tuple[str, ...]) -> list[Labels]:
    found = []
    for row in rows:
        values = []
        for column, cell in zip(columns, row.cells, strict=True):
            word = cell.casefold()
            value = float(MISSING) if word in _NOBODY_KNOWS else _VALUES.get(word)
            if value is None:
                raise ValueError(
                    f"Expected 1 or 0, or nothing or -1 where nobody knows, in the column "
                    f"{column!r} of line {row.line} of {file}, got {cell[:40]!r}."
                )
            values.append(value)
        found.append(tuple(values))
    unknown = [row for row, own in zip(rows, found, strict=True) if set(own) == {MISSING}]
    if unknown:
        lines = ", ".join(str(row.line) for row in unknown[:_MOST_ROWS])
        more = f" and {len(unknown) - _MOST_ROWS} more" if len(unknown) > _MOST_ROWS else ""
        raise ValueError(
            f"Expected a label that is known in each row of {file}, got none in lines {lines}"
            f"{more}. Take these rows out."
        )
    return found
