"""How many there are of what, and which."""

from __future__ import annotations

from collections.abc import Sequence


def number_of(count: int, name: str) -> str:
    """Write how many there are of what.

    Example:
        >>> number_of(1, "epoch"), number_of(1200, "epoch")
        ('1 epoch', '1,200 epochs')
    """
    return f"{count:,} {name}{'' if count == 1 else 's'}"


def a_few(names: Sequence[str], most: int = 10, *, quoted: bool = True) -> str:
    """Return names as a sentence has them, of many the first few.

    Example:
        >>> a_few(["a", "b", "c"], most=2)
        "'a', 'b' and 1 more"
    """
    shown = ", ".join(repr(name) if quoted else name for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
