"""A table as plain values, and its forms: text cells, and CSV."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from urllib.parse import quote

from tfkd.report.number_text import true_minus
from tfkd.study.spreadsheet import harmless

Value = str | int | float | None


@dataclass(frozen=True)
class Table:
    """A table of a report.

    Attributes:
        title: what it shows.
        columns: the names above.
        rows: values; None, or nan, where there is none.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]

    def cells(self) -> list[list[str]]:
        """Return the values as people read them, with a true minus."""
        return [[cell_text(value) for value in row] for row in self.rows]

    def csv(self) -> str:
        """Return the table as CSV, numbers in full."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([harmless(name) for name in self.columns])
        for row in self.rows:
            writer.writerow(["" if _missing(value) else harmless(value) for value in row])
        return text.getvalue()

    def csv_link(self) -> str:
        """Return the CSV as an address that holds all of it."""
        return f"data:text/csv;charset=utf-8,{quote(self.csv(), safe=',.-+')}"


def cell_text(value: Value) -> str:
    """Return a value as a cell.

    Example:
        >>> cell_text(-0.123456), cell_text(None), cell_text("as printed"), cell_text(12)
        ('−0.1235', '', 'as printed', '12')
    """
    if _missing(value):
        return ""
    if isinstance(value, float):
        return true_minus(f"{value:.4g}")
    return str(value)


def _missing(value: Value) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
