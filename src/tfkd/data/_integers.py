"""Checks of whole numbers: sizes, seeds and counts."""

from __future__ import annotations


def check_integer(name: str, value: int, *, minimum: int) -> int:
    """Return `value`; `TypeError` if it is no int, `ValueError` below `minimum`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"Expected `{name}` to be an int, got {type(value).__name__}.")
    if value < minimum:
        raise ValueError(f"Expected `{name}` of at least {minimum}, got {value}.")
    return value
