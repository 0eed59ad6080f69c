"""The parser of the command line: from words and files to the arguments of a command's function."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from tfkd._checks import did_you_mean
from tfkd.cli.command import Command, Group, hyphened
from tfkd.cli.help import Help, help_of, metavar, usage
from tfkd.references import is_reference
from tfkd.runs.options import Option, options, value_of
from tfkd.runs.written import Written, merged, nested, read_written

_NEGATIVE = re.compile(r"-\.?[0-9]")


class UsageError(Exception):
    """What was asked for makes no sense; one line."""


class Parser(argparse.ArgumentParser):
    """A parser that takes no abbreviations and raises `UsageError`."""

    def __init__(self, prog: str, **settings: Any) -> None:
        super().__init__(prog, formatter_class=Help, allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError`."""
        missing = message.partition("arguments are required: ")[2]
        if missing:
            raise UsageError(f"Expected {' and '.join(missing.split(', '))}, got none. {self._see}")
        argument, _, said = message.removeprefix("argument ").partition(": ")
        text = f"{said} for {argument}" if message.startswith("argument ") else message
        raise UsageError(f"{text[0].upper()}{text[1:]}. {self._see}")

    @property
    def _see(self) -> str:
        return f"See {self.prog} --help."


def find_command(argv: Sequence[str], group: Group) -> tuple[list[str], Command | Group]:
    """Return the first words, which name a command, and the command or group that they name.

    Raises:
        UsageError: for a word that names none.
    """
    names: list[str] = []
    found: Command | Group = group
    for word in argv:
        if isinstance(found, Command) or word.startswith("-"):
            break
        if word not in found.commands:
            known = ", ".join(found.commands)
            raise UsageError(
                f"Expected a command, one of {known}, got {word!r}."
                f"{did_you_mean(word, found.commands)}"
            )
        names.append(word)
        found = found.commands[word]
    return names, found


def command_parser(prog: str, command: Command) -> Parser:
    """Return the parser of a command."""
    parser = Parser(prog, description=command.text, usage=f"{prog} {usage(command)}")
    such = ", such as a run's settings.json" if "method" in command.of_a_run() else ""
    parser.add_argument(
        "--config",
        action="append",
        default=[],
        metavar="FILE",
        help=f"options from a YAML or JSON file{such}; of several files the later has the last "
        "word, and what is typed before any of them",
    )
    parser.add_argument(
        "--print-config",
        action="store_true",
        help="print these options as such a file, and do nothing else",
    )
    needed = command.needed()
    for name, option in command.own().items():
        if name in command.positional():
            several = "+" if option.is_list else None if name in needed else "?"
            parser.add_argument(name, metavar=name.upper(), nargs=several, help=help_of(option))
        else:
            _add_option(parser, option)
    groups: dict[str, Any] = {}
    for option in command.of_a_run().values():
        title = command.parts[option.part]
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        _add_option(groups[title], option)
    return parser


def _add_option(group: Any, option: Option) -> None:
    group.add_argument(
        f"--{hyphened(option.name)}",
        dest=option.name,
        action="append" if option.is_mapping else "store",
        metavar=metavar(option),
        help=help_of(option),
    )
    for alias in option.aliases:
        group.add_argument(f"--{alias}", dest=option.name, help=argparse.SUPPRESS)


def parse(prog: str, command: Command, argv: Sequence[str]) -> dict[str, Any]:
    """Return the arguments of a command's function.

    Args:
        prog: the words that name the command.
        command: that they name.
        argv: the words behind them.

    Raises:
        UsageError: for words that do not fit.
    """
    own, of_a_run = command.own(), command.of_a_run()
    flags = {name for name, option in {**own, **of_a_run}.items() if option.is_flag}
    found, rest = command_parser(prog, command).parse_known_args(list(_with_truths(argv, flags)))
    typed = {name: value for name, value in vars(found).items() if value is not None}
    try:
        only_print = typed.pop("print_config")
        sources = {file: read_written(Path(file)) for file in typed.pop("config")}
        numbers = _numbers_of_ones_own(rest, typed)
        if rest:
            raise _unknown(prog, rest[0], ("config", *own, *of_a_run), command.positional())
        arguments = _arguments(command, sources, typed, numbers, needs_all=not only_print)
    except (ValueError, OSError) as error:
        raise UsageError(command.as_typed(str(error))) from error
    if only_print:
        from tfkd.runs.plain_yaml import to_yaml

        written = arguments.pop("written", {})
        print(to_yaml({**arguments, **written}), end="")
        raise SystemExit(0)
    return arguments


def _arguments(
    command: Command, files: dict[str, Written], *typed: Written, needs_all: bool
) -> dict[str, Any]:
    """What several sources say together, of which later ones overrule earlier ones."""
    own = command.own()
    arguments: dict[str, Any] = {}
    written: Written = {}
    for file, source in [*files.items(), *((None, source) for source in typed)]:
        for name in own:
            if name in source and name not in options():
                arguments[name] = source.pop(name)
        try:
            written = merged(written, nested(source))
        except ValueError as error:
            raise ValueError(f"{error} It is in {file}." if file else str(error)) from error
    for name in own:  # those that stand for an option of a run
        if name in options():
            arguments[name] = _taken(written, options()[name].path)
    arguments = {
        name: value_of(own[name], value) for name, value in arguments.items() if value is not None
    }
    for name in command.needed():
        if name not in arguments and needs_all:
            meant = re.split("[,;]", own[name].help)[0].rstrip(".")
            raise ValueError(f"Expected {command.called(name)}, got none: {meant}.")
    taken = [option.path for option in command.of_a_run().values()]
    if ("recipe", "optimizer", "name") in taken:
        taken.append(("recipe", "optimizer", "algorithm"))
    for path, value in _leaves(written):
        own_number = ("method", "name") in taken and path[:2] == ("method", "numbers")
        if path not in taken and path[:-1] not in taken and not own_number:
            raise ValueError(f"Expected no {'.'.join(path)} for this command, got {value!r}.")
    if command.takes_a_run:
        arguments["written"] = written
    return arguments


def _taken(written: Written, path: tuple[str, ...]) -> object:
    """Take a value away from where it is written; None if it is not."""
    *parts, last = path
    for part in parts:
        written = written.get(part, {})
    return written.pop(last, None)


def _leaves(
    written: Written, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], object]]:
    for name, value in written.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*path, name))
        else:
            yield (*path, name), value


def _numbers_of_ones_own(rest: list[str], typed: Mapping[str, Any]) -> Written:
    """Take what is typed as options of a method of one's own: its numbers."""
    numbers: dict[str, str] = {}
    while rest and is_reference(typed.get("method", "")) and rest[0].startswith("--"):
        name, equals, value = rest.pop(0)[2:].partition("=")
        if not equals and not rest:
            raise ValueError(f"Expected a number for --{name}, got none.")
        numbers[name.replace("-", "_")] = value if equals else rest.pop(0)
    return {"method": {"numbers": numbers}} if numbers else {}


def _unknown(prog: str, word: str, names: Iterable[str], positional: Sequence[str]) -> ValueError:
    """What to say of a word that no option is called by."""
    word = word.partition("=")[0]
    names = [name for name in names if name not in positional]
    if (name := word.removeprefix("--").replace("-", "_")) in positional and name != word:
        order = " ".join(map(str.upper, positional))
        return ValueError(f"Expected no {word}: {name.upper()} is said alone, as {prog} {order}.")
    initials = {f"--{''.join(p[0] for p in hyphened(name).split('-'))}": name for name in names}
    known = [f"--{hyphened(name)}" for name in names]
    hint = did_you_mean(word, known)
    if word in initials:  # --lr
        hint = f" Did you mean --{hyphened(initials[word])}?"
    return ValueError(f"Expected no {word}.{hint} See {prog} --help.")


def _with_truths(argv: Sequence[str], flags: set[str]) -> Iterator[str]:
    """Write options with hyphens, `=true` behind a flag that stands alone, `=` before a number.

    The last is for numbers below 0, which argparse would take for options.
    """
    taken = False
    for place, token in enumerate(argv):
        if token == "--":
            yield from argv[place:]
            return
        if taken:
            taken = False
            continue
        name, equals, value = token.partition("=")
        after = [*argv, ""][place + 1]
        if not token.startswith("--"):
            yield token
        elif not equals and _NEGATIVE.match(after):
            taken = True
            yield f"{hyphened(name)}={after}"
        elif name[2:].replace("-", "_") not in flags or equals:
            yield f"{hyphened(name)}{equals}{value}"
        else:
            alone = after not in ("true", "false", "yes", "no", "on", "off")
            yield f"{hyphened(name)}{'=true' if alone else ''}"
