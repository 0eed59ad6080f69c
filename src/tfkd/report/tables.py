"""A table as plain values, and its forms: text cells, and CSV."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from urllib.parse import quote

from tfkd.study.spreadsheet import harmless

Value = str | int | float | None


@dataclass(frozen=True)
class Table:
    """A table of a report.

    Attributes:
        title: what it shows.
        columns: the names above.
        rows: values; None, or nan, where there is none.
        note: what a reader must know of it.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    note: str = ""

    def cells(self) -> list[list[str]]:
        """Return the values as people read them, with a true minus."""
        return [[readable(value) for value in row] for row in self.rows]

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


def readable(value: Value) -> str:
    """Return a value as a cell.

    Example:
        >>> readable(-0.123456), readable(None), readable("as printed"), readable(12)
        ('−0.1235', '', 'as printed', '12')
    """
    if _missing(value):
        return ""
    if isinstance(value, float):
        return minus(f"{value:.4g}")
    return str(value)


def minus(text: str) -> str:
    """Write the minus of a number as a minus.

    Example:
        >>> minus(f"{-0.5:+.2f}")
        '−0.50'
    """
    return text.replace("-", "−")


def signed(value: float, digits: int = 2) -> str:
    """Write a number with its sign; what rounds to nothing has none.

    Example:
        >>> signed(0.4213), signed(-1.0, 1), signed(-0.0004)
        ('+0.42', '−1.0', '0.00')
    """
    text = f"{value:+.{digits}f}"
    return minus(text) if float(text) else text[1:]


def number(value: float, digits: int = 2) -> str:
    """Write a number without a plus.

    Example:
        >>> number(-0.104), number(-0.001)
        ('−0.10', '0.00')
    """
    return signed(value, digits).removeprefix("+")


def _missing(value: Value) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
