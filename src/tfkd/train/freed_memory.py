"""Memory that a step has freed, kept for the next one.

A step frees tens of megabytes that the next one needs again. The C library of Linux hands them back
to the system meanwhile, which zeroes every page before it is used once more: up to half of the
time of a step of a small network, and more where several runs go side by side.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
from collections.abc import Iterator

import torch

# Of <malloc.h>: from how many free bytes on they are handed back, and from how many on an
# allocation is a mapping of its own, which is handed back at once.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3

KEPT = 2**31 - 1
"""Bytes that are kept free, and that an allocation may take of them: all that can be said."""

SETTLED = 32 * 2**20
"""Bytes of an allocation that is a mapping of its own, as the library itself ends up with."""

ASKED = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD")
"""Environment variables by which somebody else has decided."""


@contextlib.contextmanager
def freed_memory_kept(device: torch.device) -> Iterator[None]:
    """Keep what is freed within this for what comes next; afterwards hand it back.

    On a CPU with glibc alone, and where no environment variable has decided already; elsewhere it
    does nothing. It changes when memory is handed back and no number that is computed.

    Args:
        device: on which the work is done.
    """
    library = _glibc() if device.type == "cpu" else None
    if library is None or any(name in os.environ for name in ASKED):
        yield
        return
    try:
        library.mallopt(M_MMAP_THRESHOLD, KEPT)
        library.mallopt(M_TRIM_THRESHOLD, KEPT)
        yield
    finally:
        # Once set, neither follows any longer what the program allocates, as both did before.
        library.mallopt(M_MMAP_THRESHOLD, SETTLED)
        library.mallopt(M_TRIM_THRESHOLD, 2 * SETTLED)
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    """The C library, if it is the GNU one."""
    if platform.libc_ver()[0] != "glibc":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
