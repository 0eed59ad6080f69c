"""Predictions as lines, one image after the other: for people, as JSON, as CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from io import StringIO
from itertools import chain, islice
from typing import TYPE_CHECKING

from tfkd.report.text import printable, visible
from tfkd.study.spreadsheet import harmless

if TYPE_CHECKING:
    from tfkd.train import Prediction

AHEAD = 64
"""Images after whose names the columns are laid out."""


def table_lines(predictions: Iterable[Prediction], *, width: int) -> Iterator[str]:
    r"""Yield lines for people: a file, and what it is taken for; those with errors are left out.

    Where an image may have several labels, those of a probability above 0.5 are shown.

    Args:
        predictions: in their order.
        width: columns that there are. A file whose name is too long has a line for it.

    Example:
        >>> from pathlib import Path
        >>> from tfkd.train import Prediction
        >>> classes = (("cat", 0.93), ("dog", 0.07))
        >>> long = Prediction(Path("photos/of/animals/1234567.jpg"), classes)
        >>> print(*table_lines([Prediction(Path("a.jpg"), classes), long], width=44), sep="\n")
        a.jpg                 cat 93.0 %  dog 7.0 %
        photos/of/animals/1234567.jpg
                              cat 93.0 %  dog 7.0 %
    """
    from rich.cells import cell_len

    rest = iter(prediction for prediction in predictions if prediction.error is None)
    first = list(islice(rest, AHEAD))
    column = min(max([cell_len(_name(one)) for one in first], default=0), width // 2 - 2)
    cell = max([cell_len(text) for one in first for text in _cells(one)], default=0)
    for prediction in chain(first, rest):
        name = _name(prediction)
        if cell_len(name) > column:
            yield name
            name = ""
        line = name + " " * (column - cell_len(name))
        for text in _cells(prediction):
            if line.strip() and cell_len(line) + 2 + cell_len(text) > width:
                yield line.rstrip()
                line = " " * column
            line += "  " + text + " " * (cell - cell_len(text))
        yield line.rstrip()


def json_lines(predictions: Iterable[Prediction]) -> Iterator[str]:
    """Yield one JSON object for each: `file` and `predictions`, or `file` and `error`.

    Where an image may have several labels, `labels` names those of a probability above 0.5.
    """
    for prediction in predictions:
        found: dict[str, object] = {"file": _name(prediction)}
        if prediction.error is None:
            found["predictions"] = [
                {"label": name, "probability": p} for name, p in prediction.classes
            ]
            if prediction.labels is not None:
                found["labels"] = list(prediction.labels)
        else:
            found["error"] = printable(prediction.error)
        yield json.dumps(found)


def csv_lines(
    predictions: Iterable[Prediction], *, top: int, several_labels: bool = False
) -> Iterator[str]:
    """Yield the lines of a CSV file: one for the names of its columns, and one for each image.

    Args:
        predictions: in their order.
        top: classes that each has at most.
        several_labels: whether an image may have several, so that a column `labels` names those of
            a probability above 0.5, with semicolons between them.
    """
    numbers = ["", *(f"_{number}" for number in range(2, top + 1))]
    columns = [f"{name}{number}" for number in numbers for name in ("label", "probability")]
    yield _row(["file", *columns, *(["labels"] if several_labels else []), "error"])
    for prediction in predictions:
        values: list[object] = [value for pair in prediction.classes for value in pair]
        values += [""] * (len(columns) - len(values))
        if several_labels:
            values.append("; ".join(prediction.labels or ()))
        yield _row([_name(prediction), *values, printable(prediction.error or "")])


def _row(values: list[object]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="").writerow([harmless(value) for value in values])
    return text.getvalue()


def _name(prediction: Prediction) -> str:
    return printable(str(prediction.file))


def _cells(prediction: Prediction) -> list[str]:
    if prediction.labels is not None:
        taken = prediction.classes[: len(prediction.labels)]
        return [f"{visible(name)} {100 * p:.1f} %" for name, p in taken] or ["–"]
    return [f"{visible(name)} {100 * p:.1f} %" for name, p in prediction.classes]
