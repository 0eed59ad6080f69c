"""Text in CSV files: a spreadsheet must not take it for a formula."""

from __future__ import annotations

import re
from typing import TypeVar

T = TypeVar("T")

_BEGIN_FORMULAS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_SEPARATORS = re.compile(r"([;\t\r\n])")
"""Where programs begin a cell that are told so, or whose language has a comma in numbers."""


def harmless(value: T) -> T | str:
    """Return a value for a cell of a CSV file.

    Text that a spreadsheet would run as a formula gets an apostrophe before it, as if one had
    typed it to mark text; numbers stay as they are, also those in text.

    Example:
        >>> harmless("=1+1"), harmless("-0.5"), harmless(-0.5), harmless("a=1"), harmless("a;=1")
        ("'=1+1", '-0.5', -0.5, 'a=1', "a;'=1")
    """
    if not isinstance(value, str):
        return value
    text = "".join(f"'{part}" if _is_formula(part) else part for part in _SEPARATORS.split(value))
    return f"'{text}" if value.startswith(("\t", "\r")) else text


def _is_formula(text: str) -> bool:
    if not text.lstrip().startswith(_BEGIN_FORMULAS):
        return False
    try:
        float(text)
    except ValueError:
        return True
    return False
