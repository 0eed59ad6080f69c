"""The program: from the words of a command line to an exit code."""

from __future__ import annotations

import os
import select
import sys
import warnings
from collections.abc import Sequence
from traceback import print_exc, walk_tb

from tfkd._extras import pip_line

try:
    from tfkd.cli.advice import recommend
    from tfkd.cli.command import Command, Group
    from tfkd.cli.commands import COMMANDS
    from tfkd.cli.comparing import compare
    from tfkd.cli.interrupt import loading
    from tfkd.cli.no_command import list_commands
    from tfkd.cli.parser import UsageError, find_command, parse
    from tfkd.cli.runs import is_main_process, train
    from tfkd.cli.studies import run_named_study
    from tfkd.cli.tuning import tune
except ModuleNotFoundError as missing:
    raise SystemExit(
        f"tfkd: error: the commands need the package {missing.name}: {pip_line('cli')}"
    ) from None

DESCRIPTION = """\
Train image classifiers with label smoothing, knowledge distillation and teacher-free
distillation, and compare them.

  tfkd compare               every method on a small data set, in minutes
  tfkd compare --data DIR    the same on your images, a folder for each class
  tfkd tune --data DIR       settings for each method, chosen on validation data
  tfkd train --out RUN --method tf_kd_reg
  tfkd study run table-1     an experiment of the paper, with seeds and controls
  tfkd report DIR            a page about what was run
  tfkd COMMAND --help        all options of a command

Before any command, or behind it, --debug shows where an error came from."""


def run(argv: Sequence[str]) -> int:
    """Run a command and return the exit code, as `tfkd.cli.main` does."""
    debug = "--debug" in argv
    arguments = [argument for argument in argv if argument != "--debug"]
    with warnings.catch_warnings():
        if not debug and not sys.warnoptions:
            warnings.simplefilter("ignore")
            os.environ.setdefault("PYTHONWARNINGS", "ignore")  # of the processes it starts
        return _run(arguments, debug)


def _run(arguments: list[str], debug: bool) -> int:
    command: Command | Group | None = None
    resumes = False
    try:
        names, command = find_command(arguments, Group(DESCRIPTION, COMMANDS))
        prog, rest = " ".join(["tfkd", *names]), arguments[len(names) :]
        if isinstance(command, Group):
            return list_commands(prog, command, rest)
        options = parse(prog, command, rest)
        resumes = command.function in (compare, recommend, run_named_study, train, tune)
        if not resumes:  # those load it themselves, with something to look at
            with loading():
                import torch  # noqa: F401
        code = command.function(**options)
        sys.stdout.flush()
    except (SystemExit, KeyboardInterrupt) as end:
        if type(end) is SystemExit:  # --help, --print-config
            return end.code if isinstance(end.code, int) else 0
        # The training says how far it came, if it could.
        how = str(end) or "interrupted"
        more = "; the same command goes on where it stopped" if resumes else ""
        if is_main_process():
            print(f"\ntfkd: {how}{more}.", file=sys.stderr)
        return 130 if isinstance(end, KeyboardInterrupt) else 143
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            return 141  # as of a program that SIGPIPE ends
        if debug:
            print_exc()
        message = _describe(error)
        if isinstance(command, Command):
            message = command.as_typed(message)
        print(f"tfkd: error: {message}", file=sys.stderr)
        return 2 if isinstance(error, (UsageError, ValueError, TypeError)) else 1
    return code if isinstance(code, int) else 0


def _nobody_reads() -> bool:
    """Whether standard output is a pipe that `head` or its like has closed; nothing more goes."""
    waiting = select.poll()
    waiting.register(sys.stdout.fileno(), select.POLLOUT)
    if not any(events & select.POLLERR for _, events in waiting.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True


def _describe(error: Exception) -> str:
    message = _printable(_message(error))
    if isinstance(error, ModuleNotFoundError) and "pip install" not in message:
        package, importer = str(error.name).partition(".")[0], _importer(error)
        if importer.partition(".")[0] != "tfkd":
            return f"{importer} needs the package {package}"
        return f"this needs the package {package}: {pip_line('cli')}"
    if type(error).__module__.startswith("tfkd") or isinstance(
        error, (UsageError, ValueError, TypeError, OSError, FloatingPointError, ImportError)
    ):
        return message if isinstance(error, RuntimeError) else " ".join(message.split())
    return f"{type(error).__name__}: {message} (--debug shows where)"


def _importer(error: ModuleNotFoundError) -> str:
    """Name of the module that lacks another."""
    names = [frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__)]
    return str([name for name in names if not name.startswith("importlib")][-1])


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename is None:
        return f"{error.strerror}."  # a sentence of this package, without its number
    if isinstance(error, OSError) and error.strerror:  # the system's own
        return f"Expected to read or write {_name(error.filename)}, but: {error.strerror}."
    return str(error)


def _name(file: object) -> str:
    return os.fsdecode(file) if isinstance(file, (str, bytes)) else str(file)


def _printable(text: str) -> str:
    """What files say may steer a terminal; it is written out instead."""
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text
    )
