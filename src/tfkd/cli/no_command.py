"""What is answered where no command is named."""

from __future__ import annotations

from collections.abc import Sequence

import tfkd
from tfkd.cli.command import Group
from tfkd.cli.completion import completion
from tfkd.cli.help import first_line
from tfkd.cli.parser import Parser, UsageError


def list_commands(prog: str, group: Group, argv: Sequence[str]) -> int:
    """Answer where no command is named: with help, the version, a completion, or `UsageError`."""
    parser = Parser(prog, description=group.text)
    if " " not in prog:
        parser.add_argument("--version", action="store_true", help="print the version")
        parser.add_argument(
            "--print-completion",
            metavar="SHELL",
            help="print what lets bash, zsh or tcsh complete commands and options; for bash put "
            'eval "$(tfkd --print-completion bash)" into ~/.bashrc',
        )
    inner = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, command in group.commands.items():
        inner.add_parser(name, help=first_line(command.text))
    found, rest = parser.parse_known_args(argv)
    if getattr(found, "version", False):
        print(f"tfkd {tfkd.__version__}")
        return 0
    if shell := getattr(found, "print_completion", None):
        print(completion(shell, group))
        return 0
    if rest:
        raise UsageError(f"Expected no {rest[0]}. See {prog} --help.")
    raise UsageError(f"Expected a command, got none. See {prog} --help.")
