"""Text in CSV files: a spreadsheet must not take it for a formula."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")

_BEGIN_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def harmless(value: T) -> T | str:
    """Return a value for a cell of a CSV file.

    Text that a spreadsheet would run as a formula gets an apostrophe before it, as if one had
    typed it to mark text; numbers stay as they are, also those in text.

    Example:
        >>> harmless("=1+1"), harmless("-0.5"), harmless(-0.5), harmless("a=1")
        ("'=1+1", '-0.5', -0.5, 'a=1')
    """
    if not isinstance(value, str) or not value.startswith(_BEGIN_FORMULAS):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value
