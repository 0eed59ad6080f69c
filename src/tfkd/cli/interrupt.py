"""Ctrl-C before there is anything to lose: one line, at once.

Packages that are being loaded may swallow an interrupt, or be left in pieces by it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

CODE = 128 + signal.SIGINT

_is_program: list[bool] = []


def this_is_the_program() -> None:
    """Say that this process is the program, and may be ended as a whole."""
    _is_program.append(True)


@contextmanager
def loading() -> Iterator[None]:
    """End this process at once on Ctrl-C, where Python would raise `KeyboardInterrupt`.

    A program that merely calls `tfkd.cli.main` is left alone.
    """
    here = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT)
    if not _is_program or not here or before is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end(number: int, frame: FrameType | None) -> None:
    # The line of a bar is taken away, and the cursor that it hid comes back.
    clean = "\r\x1b[2K\x1b[?25h" if sys.stderr.isatty() else ""
    os.write(2, f"{clean}\ntfkd: interrupted.\n".encode())
    os._exit(CODE)
