"""How far the reading of many files is, for whoever wants to know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")
Told = Callable[[str, int, int], None]
"""Called with what is done to the files, how many are done, and of how many."""

EVERY = 64
"""So many files lie between two calls."""

_listener: ContextVar[Told | None] = ContextVar("listener", default=None)


@contextmanager
def told_of_reading(listener: Told) -> Iterator[None]:
    """Have a function told how far the reading of files is, as long as this lasts.

    Example:
        >>> with told_of_reading(print):
        ...     _ = list(counted("opening", range(65), 65))
        opening 0 65
        opening 64 65
        opening 65 65
    """
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def counted(doing: str, items: Iterable[T], total: int) -> Iterator[T]:
    """Yield items, and tell whoever listens how many there were.

    Args:
        doing: what is done to the files, as `reading`.
        items: one for each file.
        total: how many there are.
    """
    listener = _listener.get()
    done = 0
    for item in items:
        if listener is not None and done % EVERY == 0:
            listener(doing, done, total)
        yield item
        done += 1
    if listener is not None and total > 0:
        listener(doing, done, total)
