"""How a table says several labels of an image: names in one cell, or a column for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tfkd._checks import check_encodable
from tfkd._counted import a_few


class LabelForm(NamedTuple):
    """One of the two forms; the other is empty.

    Attributes:
        separator: what divides the names in a cell.
        columns: names of the columns, which are those of the labels.
    """

    separator: str | None = None
    columns: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What is said of it.

        Example:
            >>> LabelForm(separator="|").words, LabelForm(columns=("cat", "dog")).words
            ("an image has the labels that '|' divides", "a column is a label: 'cat', 'dog'")
        """
        if self.separator is not None:
            return f"an image has the labels that {self.separator!r} divides"
        return f"a column is a label: {a_few(list(self.columns))}"


def check_label_form(separator: str | None, columns: Sequence[str] | None) -> None:
    """Check what is said of several labels.

    Raises:
        ValueError: for both forms, a separator that is none, or columns that are none.
    """
    if separator is not None and columns is not None:
        raise ValueError("Expected `label_separator` or `label_columns`, got both.")
    if separator is not None and (not separator or set(separator) & set('"\r\n')):
        raise ValueError(
            "Expected `label_separator` to be what stands between two names, as ; or |, got "
            f"{separator!r}."
        )
    if separator is not None:
        check_encodable("label_separator", separator)
    if columns is None:
        return
    if len(columns) < 2 or not all(name.strip() for name in columns):
        raise ValueError(
            "Expected names of at least 2 columns as `label_columns`, with commas between them, "
            f"got {','.join(columns)!r}."
        )
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"Expected each of `label_columns` once, got {twice!r} twice.")
