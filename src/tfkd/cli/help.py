"""What `--help` says, in 80 columns."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import get_args, get_origin

from tfkd.cli.command import Command
from tfkd.runs.options import Option, values_of

WIDTH = 80


class Help(argparse.RawDescriptionHelpFormatter):
    """Help in which indented lines stay as they are, and no word is broken at a hyphen."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26, width=WIDTH)

    def add_argument(self, action: argparse.Action) -> None:
        """Add an argument; names of commands, which are indented once more, have room."""
        super().add_argument(action)
        for inner in self._iter_indented_subactions(action):
            needed = len(self._format_action_invocation(inner)) + self._current_indent
            self._action_max_length = max(self._action_max_length, needed)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = text.replace("`", "").split("\n\n")
        return "\n\n".join(
            paragraph if "\n  " in f"\n{paragraph}" else _wrapped(paragraph, width)
            for paragraph in paragraphs
        )

    def _split_lines(self, text: str, width: int) -> list[str]:
        return _wrapped(text, width).splitlines()


def _wrapped(text: str, width: int) -> str:
    return textwrap.fill(" ".join(text.split()), width, break_on_hyphens=False)


def usage(command: Command) -> str:
    """Return the words behind a command: what must be said, not the many options that may be."""
    own = command.own()
    words = ["[options]"]
    for name in command.needed():
        if name in command.positional():
            words.append(f"{name.upper()} ..." if own[name].is_list else name.upper())
        else:
            words.append(f"{command.called(name)} {metavar(own[name])}")
    words += [f"[{name.upper()}]" for name in command.positional() if name not in command.needed()]
    return " ".join(words)


def metavar(option: Option) -> str:
    """Return the word that stands for an option's value; none for what is true or false."""
    kinds = (option.kind, *get_args(option.kind))
    if option.is_flag:
        return ""
    if option.is_mapping:
        return "NAME=VALUE"
    if values_of(option.kind):
        return "{" + ",".join(values_of(option.kind)) + "}"
    if any(get_origin(kind) is tuple for kind in kinds):
        inner = {part for kind in kinds for part in get_args(kind)}
        return "N,..." if int in inner else "X,..." if float in inner else "A,..."
    if Path in kinds:
        return "FILE" if "file" in option.help else "DIR"
    short = {int: "N", float: "X"}
    return next(
        (short[kind] for kind in kinds if kind in short), option.name.split("_")[-1].upper()
    )


def help_of(option: Option) -> str:
    """Return what help says of an option, without the marks of Markdown."""
    text = option.help.replace("`", "").rstrip(".")
    default = option.default
    if isinstance(default, tuple):
        default = ",".join(map(str, default))
    if type(default) in (int, float, str) and default != "" and "Default: " not in text:
        text = (
            f"{text}. Default: {default:g}"
            if isinstance(default, float)
            else f"{text}. Default: {default}"
        )
    for alias in option.aliases:
        text = f"{text}. Also --{alias}"
    return text.replace("%", "%%")


def first_line(text: str) -> str:
    """Return the first line of a text."""
    return text.partition("\n")[0]
