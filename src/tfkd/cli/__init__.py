"""The command line."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code: 0 done, 1 failed, 2 wrong usage, 130, 143 stopped.

    Args:
        argv: the words behind `tfkd`; None: those of this process, which is the program then.
    """
    try:
        from tfkd.cli.interrupt import loading, this_is_the_program

        if argv is None:
            this_is_the_program()
        with loading():
            from tfkd.cli.program import run

        code = run(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:
        print("\ntfkd: interrupted.", file=sys.stderr)
        code = 130
    # What was interrupted while it ran a text as a program, as dataclasses do, leaves a mark by
    # which Python ends not with this code but by the signal; the next text takes it away.
    exec("")
    return code
