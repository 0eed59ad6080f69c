"""The reference of the commands, made from their signatures as `--help` is."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator

from tfkd.cli.command import Command, Group, hyphened
from tfkd.cli.commands import COMMANDS
from tfkd.cli.help import first_line, help_of, metavar, usage
from tfkd.runs.options import Option

BEGINNING = """# Command reference

Which commands are there, and what do they take? This page has every command and every option, made
from the same signatures as `tfkd COMMAND --help`.

Every command also takes `--config FILE`, options from a YAML or JSON file, and `--print-config`,
which prints its options as such a file and does nothing else. Of several files the later has the
last word, and what is typed before any of them.

The Tab key completes commands and options once your shell has been told
[how](install.md#completion-in-the-shell).
"""


def text() -> str:
    """Return the page."""
    commands = dict(_flat("tfkd", COMMANDS))
    lines = [BEGINNING, "| command | what it does |", "|---|---|"]
    lines += [
        f"| [`{name}`](#{name.replace(' ', '-')}) | {_cell(first_line(command.text))} |"
        for name, command in commands.items()
    ]
    parts: dict[str, dict[str, Option]] = {}
    for name, command in commands.items():
        lines += ["", *_command(name, command)]
        for option in command.of_a_run().values():
            parts.setdefault(command.parts[option.part], {})[option.name] = option
    lines += ["", "## Options of a run", ""]
    lines += ["Commands that train share these; each says above which of them it takes."]
    for title, options in parts.items():
        lines += ["", f"### {_heading(title)}", "", *_table(_rows(options.values()))]
    return "\n".join(lines) + "\n"


def _flat(prefix: str, commands: object) -> Iterator[tuple[str, Command]]:
    for name, command in dict(commands).items():  # type: ignore[call-overload]
        if isinstance(command, Group):
            yield from _flat(f"{prefix} {name}", command.commands)
        else:
            yield f"{prefix} {name}", command


def _command(name: str, command: Command) -> Iterator[str]:
    yield from (f"## {name}", "", _text(command.text.strip()), "")
    yield from ("```text", f"{name} {usage(command)}", "```", "")
    own, needed = command.own(), command.needed()
    rows = [
        (f"`{command.called(key)}`" if key in command.positional() else _typed(option), option)
        for key, option in own.items()
    ]
    rows.sort(key=lambda row: row[1].name not in needed)
    if rows:
        yield from _table(
            (typed, f"**needed.** {says}" if option.name in needed else says)
            for (typed, option) in rows
            for says in [_cell(help_of(option).replace("%%", "%"))]
        )
    titles = dict.fromkeys(command.parts[option.part] for option in command.of_a_run().values())
    if titles:
        links = (f"[{_heading(title)}](#{_anchor(title)})" for title in titles)
        yield from ("", f"And options of a run: {', '.join(links)}.")


def _text(text: str) -> str:
    """Return a docstring's text, its tables as they stand there."""
    return "\n\n".join(map(_paragraph, text.split("\n\n")))


def _paragraph(part: str) -> str:
    lines = textwrap.dedent(part)
    has_columns = re.search(r"\S {2,}\S", lines) is not None
    return f"```text\n{lines}\n```" if part.startswith("  ") and has_columns else lines


def _heading(title: str) -> str:
    """The name of a part of the options, without what help says behind it."""
    short = title.partition(";")[0].partition(",")[0]
    return short[0].upper() + short[1:]


def _anchor(title: str) -> str:
    return _heading(title).lower().replace(" ", "-")


def _rows(options: Iterable[Option]) -> Iterator[tuple[str, str]]:
    for option in options:
        yield _typed(option), _cell(help_of(option).replace("%%", "%"))


def _typed(option: Option) -> str:
    value = metavar(option)
    choices = value.startswith("{") and len(value) > 30
    value = "WORD" if choices else value
    return f"`--{hyphened(option.name)} {value}".rstrip() + "`"


def _table(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield from ("| option | what it says |", "|---|---|")
    for typed, says in rows:
        yield f"| {typed} | {says} |"


def _cell(text: str) -> str:
    """Return a text that stands in a cell of a table as it is."""
    plain = " ".join(text.split())
    for mark in "\\|*_<[":
        plain = plain.replace(mark, f"\\{mark}" if mark != "<" else "&lt;")
    return plain
