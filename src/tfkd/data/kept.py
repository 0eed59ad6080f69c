"""Data sets that were read, kept for the next run of the same process while a study is at work."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from tfkd.data.images import MemoryImages
from tfkd.data.label_form import LabelForm
from tfkd.data.places import Places
from tfkd.data.settings import NAMES
from tfkd.data.sources.source import Source

_keeping = False
_kept: dict[tuple[str, Places], Source] = {}


def keep_sources() -> None:
    """Keep, from here to the end of the process, the data set that was read last."""
    global _keeping
    _keeping = True


@contextlib.contextmanager
def sources_kept() -> Iterator[None]:
    """Keep the data set that was read last, and forget it at the end."""
    global _keeping
    before = _keeping
    keep_sources()
    try:
        yield
    finally:
        _keeping = before
        if not before:
            _kept.clear()


def source_of(
    name: str,
    places: Places,
    read: Callable[[str, Places, LabelForm | None], Source],
    form: LabelForm | None = None,
) -> Source:
    """Return a data set, read or kept.

    Only one of this package's own whose images are in memory is kept: files, and what a function of
    one's own returns, may change between two runs.

    Args:
        name: of the data set.
        places: where it lies.
        read: reads it.
        form: how several labels of an image are said; such data are files, and never kept.
    """
    key = (name, places)
    if key in _kept:
        return _kept[key]
    source = read(name, places, form)
    parts = (source.train, source.test, source.validation, source.whole)
    if (
        _keeping
        and name in NAMES
        and all(part is None or isinstance(part, MemoryImages) for part in parts)
    ):
        _kept.clear()
        _kept[key] = source
    return source
