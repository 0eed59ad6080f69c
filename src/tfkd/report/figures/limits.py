"""How much a figure shows: a page of hundreds of panels is slow to make and nobody reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

MOST_PANELS = 16
"""Panels of a figure: as many as the largest study of the catalogue needs."""
MOST_PANELS_OF_STUDENT = 6
MOST_ARMS = 40
"""Arms in a panel that has a place for each."""

T = TypeVar("T")


def within_limit(
    items: Sequence[T], most: int, what: str, name: Callable[[T], str]
) -> tuple[Sequence[T], str]:
    """Return the items that are drawn, and a sentence on the others; empty if there are none.

    Args:
        items: in the order of the tables.
        most: so many are drawn.
        what: they are, in the plural.
        name: of an item.

    Example:
        >>> within_limit("abcde", 3, "letters", str.upper)[0]
        'abc'
        >>> print(within_limit("abcde", 3, "letters", str.upper)[1])
        Drawn are the first 3 of 5 letters, in the order of the tables; left out: D to E. The \
numbers of this figure have them all.
    """
    if len(items) <= most:
        return items, ""
    ends = dict.fromkeys((name(items[most]), name(items[-1])))
    return items[:most], (
        f"Drawn are the first {most} of {len(items)} {what}, in the order of the tables; left "
        f"out: {' to '.join(ends)}. The numbers of this figure have them all."
    )
