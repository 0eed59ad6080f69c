"""Names and what there is to say of them, in two columns of plain text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tfkd.report.text import printable

WIDTH = 80
NAMES = 14
"""Columns of the names, with the space behind them."""

MOST_LINES = 3
"""Lines that a row may have that lists what there may be any number of."""

LISTS = ("data", "classes", "left out", "networks")
"""Rows that are such lists; every other is told to its end."""


def laid_out(rows: Iterable[tuple[str, str]]) -> list[str]:
    r"""Return lines of at most 80 columns, a name before the first line of each row.

    Args:
        rows: a name, and a text; a list that takes more than three lines is cut.

    Example:
        >>> print("\n".join(laid_out([("data", "pets: 2 classes"), ("images", "40 train")])))
        data          pets: 2 classes
        images        40 train
    """
    lines = []
    for name, text in rows:
        most = MOST_LINES if name in LISTS else None
        for number, line in enumerate(_wrapped(printable(text), WIDTH - NAMES, most)):
            lines.append(f"{'' if number else name:<{NAMES}}{line}".rstrip())
    return lines


def listed(names: Sequence[str], width: int) -> str:
    """Return names with commas between them, as many as fit, and how many there are beside them.

    Args:
        names: at least one.
        width: columns that there are.

    Example:
        >>> listed(["cat", "dog", "rabbit"], 40), listed(["cat", "dog", "rabbit"], 14)
        ('cat, dog, rabbit', 'cat and 2 more')
    """
    from rich.cells import cell_len

    for shown in range(min(len(names), width // 3 + 1), 1, -1):
        text = ", ".join(names[:shown])
        text += f" and {len(names) - shown} more" if shown < len(names) else ""
        if cell_len(text) <= width:
            return text
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{shortened(names[0], width - len(more))}{more}"


def shortened(text: str, width: int) -> str:
    """Return a text that takes so many columns at most, `…` for what was cut."""
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= width else f"{set_cell_size(text, width - 1).rstrip()}…"


def _wrapped(text: str, width: int, most: int | None) -> list[str]:
    """A text in lines of so many columns; of at most so many lines, if that is said."""
    from rich.cells import cell_len, chop_cells

    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if cell_len(longer) <= width:
            lines[-1] = longer
        elif len(lines) == most:
            lines[-1] = shortened(f"{longer} …", width)
            break
        else:
            pieces = chop_cells(word, width) if most is None else [shortened(word, width)]
            lines = [*filter(None, lines), *pieces]
    return lines
