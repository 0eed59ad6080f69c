"""Processes that are started: how, and so that Ctrl-C does not reach them."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Have the processes that are started meanwhile not hear Ctrl-C, from their first moment on.

    A terminal sends it to all processes alike; one that is still loading its packages would answer
    with a traceback. Here it is heard as soon as this is over.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # which would let the signal through when it is started
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start_method() -> str:
    """Return how processes are started: forking one that runs threads, as torch does, can hang."""
    return "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
