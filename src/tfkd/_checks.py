"""Checks of arguments, worded alike everywhere: what was expected, and what came."""

from __future__ import annotations

import contextlib
import math
import numbers
import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path

LONGEST_NAME = 200
"""Bytes of a file's name; file systems allow 255, and the parts of a run's files add to it."""

WORKERS_PER_CORE = 4
LEAST_WORKERS = 16
"""So many may be asked for on a machine of few cores."""


def check_number(name: str, value: float) -> float:
    """Return `value` as a float.

    Raises:
        TypeError: if it is no real number, of Python or NumPy (`bool` is not one).
    """
    if not is_number(value):
        raise TypeError(f"Expected `{name}` to be a number, got {type(value).__name__}.")
    return float(value)


def is_number(value: object) -> bool:
    """Return whether something is a real number, of Python or NumPy (`bool` is not one)."""
    return isinstance(value, (int, float, numbers.Real)) and not isinstance(value, bool)


def check_fraction(name: str, value: float) -> float:
    """Return `value` as a float in [0, 1]; `ValueError` outside of it."""
    number = check_number(name, value)
    if not 0.0 <= number <= 1.0:
        raise ValueError(f"Expected `{name}` in [0, 1], got {value}.")
    return number


def check_positive(name: str, value: float) -> float:
    """Return `value` as a finite float above 0; `ValueError` otherwise."""
    number = check_number(name, value)
    if not 0.0 < number < math.inf:
        raise ValueError(f"Expected `{name}` to be positive and finite, got {value}.")
    return number


def check_at_least_0(name: str, value: float) -> float:
    """Return `value` as a finite float of at least 0; `ValueError` otherwise."""
    number = check_number(name, value)
    if not 0.0 <= number < math.inf:
        raise ValueError(f"Expected `{name}` of at least 0, got {value}.")
    return number


def check_integer(name: str, value: int, *, minimum: int) -> int:
    """Return `value`; `TypeError` if it is no int, `ValueError` below `minimum`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"Expected `{name}` to be an int, got {type(value).__name__}.")
    if value < minimum:
        raise ValueError(f"Expected `{name}` of at least {minimum}, got {value}.")
    return value


def check_whole(name: str, value: float) -> int:
    """Return a number that counts something, such as epochs: whole and at least 1.

    Raises:
        ValueError: for another number.
    """
    number = check_number(name, value)
    if not 1.0 <= number < math.inf or number != int(number):
        raise ValueError(f"Expected `{name}` to be a whole number of at least 1, got {number:g}.")
    return int(number)


def check_workers(value: int) -> int:
    """Return a number of worker processes; `ValueError` for more than this machine can feed."""
    cores = os.cpu_count() or 1
    most = max(LEAST_WORKERS, WORKERS_PER_CORE * cores)
    if check_integer("workers", value, minimum=0) > most:
        raise ValueError(
            f"Expected at most {most} `workers` on this machine of {cores} "
            f"core{'' if cores == 1 else 's'}, got {value}: each is a process of its own."
        )
    return value


def check_num_classes(value: int) -> int:
    """Return the number of classes; `TypeError` for no integer, `ValueError` below 2."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"Expected `num_classes` to be an int, got {type(value).__name__}.")
    if value < 2:
        raise ValueError(f"Expected `num_classes` of at least 2, got {value}.")
    return value


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    """Return `value`; `ValueError` if it is not one of `choices`."""
    if value not in choices:
        raise ValueError(
            f"Expected `{name}` to be one of {', '.join(choices)}, got {value!r}."
            f"{did_you_mean(value, choices) if isinstance(value, str) else ''}"
        )
    return value


def did_you_mean(value: str, choices: Iterable[str]) -> str:
    """Return ` Did you mean X?` for what is nearly one of the choices, else nothing."""
    import difflib  # only where something is wrong already

    known = list(choices)
    begun = [choice for choice in known if len(value) > 1 and choice.startswith(value)]
    nearest = begun if len(begun) == 1 else difflib.get_close_matches(value, known, n=1)
    return f" Did you mean {nearest[0]}?" if nearest else ""


class NotThereError(FileNotFoundError, ValueError):
    """A place that somebody named is not there: a wrong value, as any other."""


def no_such(place: Path) -> str:
    """Return ` There is no PLACE.`, with what beside it is nearly called so.

    Example:
        >>> no_such(Path("/nowhere/at/all"))
        ' There is no /nowhere.'
    """
    place = place.expanduser()
    for folder in reversed(place.parents):
        if not folder.exists():
            place = folder
            break
    with contextlib.suppress(OSError):
        names = [entry.name for entry in place.absolute().parent.iterdir()]
        return f" There is no {place}.{did_you_mean(place.name, names)}"
    return f" There is no {place}."


def check_encodable(name: str, value: str) -> str:
    """Return `value`; `ValueError` if it has bytes that are no UTF-8, which no file of ours has."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"Expected `{name}` in UTF-8, got {value[:300]!a}.") from None
    return value


def is_writable(text: str) -> bool:
    """Return whether text is Unicode without control characters, in whatever script."""
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in text)


def check_inner_path(name: str, value: str) -> str:
    """Return `value`, a path with `/` between its parts that leads nowhere but inwards.

    Raises:
        ValueError: for a path that is absolute, has `..`, `.`, an empty part, a backslash, or
            characters that cannot be written down.
    """
    parts = value.split("/")
    if (
        not is_writable(value)
        or "\\" in value
        or not {"", ".", ".."}.isdisjoint(parts)
        or max(len(part.encode()) for part in parts) > LONGEST_NAME
    ):
        raise ValueError(
            f"Expected `{name}` to be a relative path without `..`, empty parts, parts of more "
            f"than {LONGEST_NAME} bytes, backslashes or control characters, got {value[:300]!a}."
        )
    return value
