"""A script by which a shell completes the commands, their options and what these take."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from tfkd._extras import pip_line
from tfkd.cli.command import Command, Group
from tfkd.cli.help import first_line
from tfkd.cli.parser import Parser, UsageError, command_parser
from tfkd.method_table import METHODS
from tfkd.runs.options import values_of

SHELLS = ("bash", "zsh", "tcsh")

NETWORKS = (
    "densenet121",
    "googlenet",
    "mobilenet_v2",
    "plain_cnn",
    "resnet101",
    "resnet18",
    "resnet50",
    "resnext29_8x64d",
    "shufflenet_v2",
    "small_cnn",
    "wide_cnn",
    "wide_plain_cnn",
)
"""This package's networks; to ask for their names would load torch whenever a shell starts."""

_LIST_IN_BASH = """\
_tfkd_methods() {{
  local before=""
  [[ "$1" == *,* ]] && before="${{1%,*}},"
  compgen -P "$before" -W "{names}" -- "${{1##*,}}"
}}
"""


def _list_of_methods() -> dict[str, object]:
    """How each shell completes names of methods with commas between them, the last of them."""
    names = " ".join(METHODS)
    return {
        "bash": "_tfkd_methods",
        "zsh": f"_values -s , method {names}",
        "tcsh": f"({names})",
        "preamble": {"bash": _LIST_IN_BASH.format(names=names)},
    }


def completion(shell: str, group: Group) -> str:
    """Return the script, to be run by that shell.

    Args:
        shell: one of `SHELLS`.
        group: all commands.

    Raises:
        UsageError: for another shell.
        ModuleNotFoundError: without shtab, which writes the script.
    """
    if shell not in SHELLS:
        raise UsageError(f"Expected --print-completion bash, zsh or tcsh, got {shell!r}.")
    try:
        import shtab
    except ModuleNotFoundError:
        line = pip_line("cli")
        raise ModuleNotFoundError(f"completion needs the package shtab: {line}") from None
    return str(shtab.complete(_tree("tfkd", group, shtab.FILE), shell))


def _tree(prog: str, group: Group, files: object) -> Parser:
    """The parser of a group with those of its commands in it."""
    parser = Parser(prog)
    if " " not in prog:
        parser.add_argument("--version", action="store_true")
        parser.add_argument("--print-completion", choices=SHELLS)
    inner = parser.add_subparsers()
    for name, found in group.commands.items():
        own, text = f"{prog} {name}", first_line(found.text)
        whole = _tree(own, found, files) if isinstance(found, Group) else _leaf(own, found, files)
        inner.add_parser(name, help=text, description=text, parents=[whole], add_help=False)
    return parser


def _leaf(prog: str, command: Command, files: object) -> Parser:
    """The parser of a command, whose options know what they may be."""
    parser = command_parser(prog, command)
    known = {**command.own(), **command.of_a_run()}
    for action in parser._actions:
        kind = known[action.dest].kind if action.dest in known else Path
        if action.dest == "method":
            action.choices = [*METHODS]
        elif action.dest == "methods":
            action.complete = _list_of_methods()  # type: ignore[attr-defined]
        elif action.dest == "student" or (action.dest == "teacher" and "teacher" in command.own()):
            action.choices = [*NETWORKS]
        elif values_of(kind):
            action.choices = values_of(kind)
        elif action.nargs != 0 and Path in (kind, *get_args(kind)):
            action.complete = files  # type: ignore[attr-defined]
    return parser
