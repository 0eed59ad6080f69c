"""Python's search for garbage kept away from thousands of runs, all of them in use."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Search for no garbage, while much is read and nothing is dropped."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def passed_over() -> Iterator[None]:
    """Search only what is made from now on; each search through all else would be in vain."""
    if gc.get_freeze_count():  # by the caller, who would find it thawed
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
