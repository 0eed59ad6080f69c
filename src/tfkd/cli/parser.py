"""The parser of the command line: functions, and the options of a run, turned into sub-commands.

A function's keyword-only parameters are options, all others positional; its docstring says what
they are. One that takes `written` is given the options of a run that its command lists, as they are
written, by `tfkd.runs.options`.
"""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeAlias, get_args, get_origin, get_type_hints

from tfkd._checks import did_you_mean
from tfkd.runs.options import Option, from_text, options, values_of
from tfkd.runs.written import merged, nested, read_written


class UsageError(Exception):
    """What was asked for makes no sense; one line."""


@dataclass(frozen=True)
class Command:
    """A sub-command.

    Attributes:
        function: that is called.
        parts: of a run, whose options it takes; see `Option.part`.
    """

    function: Callable[..., object]
    parts: tuple[str, ...] = ()

    def own(self) -> dict[str, Option]:
        """Return the options and arguments that are the function's own."""
        hints, texts = get_type_hints(self.function), _argument_texts(self.function)
        return {
            name: Option(name, (name,), hints[name], texts.get(name, ""))
            for name in inspect.signature(self.function).parameters
            if name != "written"
        }

    def of_a_run(self) -> dict[str, Option]:
        """Return the options of a run that it takes; its own come first."""
        own = self.own()
        return {
            name: option
            for name, option in options().items()
            if option.part in self.parts and name not in own
        }


@dataclass(frozen=True)
class Group:
    """Commands under a common word.

    Attributes:
        text: what they are for.
        commands: by name.
    """

    text: str
    commands: Mapping[str, Command]


Commands: TypeAlias = "Mapping[str, Command | Group]"


class Parser(argparse.ArgumentParser):
    """A parser that takes no abbreviations and raises `UsageError`."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("formatter_class", _Help)
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError`."""
        text = message[0].upper() + message[1:].rstrip(".")
        raise UsageError(f"{text}. See {self.prog} --help.")


class _Help(argparse.RawDescriptionHelpFormatter):
    """Help in 80 columns, whose description keeps its lines."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26, width=80)


def make_parser(commands: Commands, *, description: str, version: str) -> Parser:
    """Return a parser with a sub-command for each function.

    Args:
        commands: by name.
        description: what the program is for.
        version: what `--version` prints.
    """
    parser = Parser(prog="tfkd", description=description)
    parser.add_argument("--version", action="version", version=f"tfkd {version}")
    _add(parser, commands)
    return parser


def _add(parser: Parser, commands: Commands) -> None:
    inner = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for name, command in commands.items():
        if isinstance(command, Group):
            text = command.text
            group = inner.add_parser(name, description=text, help=_first_line(text))
            _add(group, command.commands)
            continue
        text = _text(command.function)
        own = inner.add_parser(
            name,
            description=text,
            help=_first_line(text),
            usage=f"{parser.prog} {name} {_usage(command)}",
        )
        own.set_defaults(_command=command)
        _fill(own, command)


def _fill(parser: Parser, command: Command) -> None:
    """Add the arguments and options of a command."""
    parameters = inspect.signature(command.function).parameters
    group = parser.add_argument_group("options of the command")
    group.add_argument(
        "--config",
        action="append",
        default=[],
        metavar="FILE",
        help="YAML or JSON file of options, such as a run's settings.json; others overrule it",
    )
    for name, option in command.own().items():
        if parameters[name].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            several = get_origin(option.kind) is list
            parser.add_argument(
                name,
                metavar=name.upper(),
                nargs="+" if several else None,
                help=_help(option),
            )
        else:
            _add_option(group, option)
    by_part: dict[str, list[Option]] = {}
    for option in command.of_a_run().values():
        by_part.setdefault(option.part, []).append(option)
    for part in command.parts:
        group = parser.add_argument_group(part)
        for option in by_part.get(part, []):
            _add_option(group, option)


def _add_option(group: Any, option: Option) -> None:
    choices = values_of(option.kind)
    metavar = "{" + ",".join(choices) + "}" if choices else option.name.upper().replace("_", "-")
    group.add_argument(
        f"--{option.name.replace('_', '-')}",
        dest=option.name,
        metavar="[true|false]" if option.is_flag else metavar,
        help=_help(option),
    )


def _help(option: Option) -> str:
    """What help says of an option: the first word small, without the marks of Markdown."""
    return option.help.replace("`", "").replace("%", "%%").rstrip(".")


def parse(
    parser: Parser, commands: Commands, argv: Sequence[str]
) -> tuple[Callable[..., object], dict[str, Any]]:
    """Return the function that was asked for, and its arguments.

    Args:
        parser: of `make_parser`.
        commands: that it was made of.
        argv: the words behind the program's name.

    Raises:
        UsageError: for words that do not fit.
    """
    flags = {option.name for option in options().values() if option.is_flag} | _flags(commands)
    found, rest = parser.parse_known_args(list(_with_truths(argv, flags)))
    command: Command = found._command
    own, of_a_run = command.own(), command.of_a_run()
    if rest:
        known = [f"--{name.replace('_', '-')}" for name in ("config", *own, *of_a_run)]
        word = rest[0].partition("=")[0]
        raise UsageError(f"Expected no {word}.{did_you_mean(word, known)} See --help.")
    typed = {
        name: value
        for name, value in vars(found).items()
        if value is not None and name not in ("_command", "config")
    }
    written: dict[str, Any] = {}
    arguments: dict[str, Any] = {}
    try:
        for file in found.config:
            mapping = read_written(Path(file))
            for name in [name for name in mapping if name in own]:
                arguments[name] = mapping.pop(name)
            written = merged(written, nested(mapping))
        arguments |= {name: typed.pop(name) for name in list(typed) if name in own}
        written = merged(written, nested(typed))
        arguments = {name: _argument(own[name], value) for name, value in arguments.items()}
    except (ValueError, OSError) as error:
        raise UsageError(str(error)) from error
    _check_complete(command, arguments, written)
    if "written" in inspect.signature(command.function).parameters:
        arguments["written"] = written
    return command.function, arguments


def _argument(option: Option, value: Any) -> Any:
    if get_origin(option.kind) is list:
        (inner,) = get_args(option.kind)
        return [inner(text) for text in value]
    return from_text(option, value) if isinstance(value, str) else value


def _check_complete(
    command: Command, arguments: Mapping[str, Any], written: Mapping[str, Any]
) -> None:
    parameters = inspect.signature(command.function).parameters
    for name, parameter in parameters.items():
        if name != "written" and parameter.default is parameter.empty and name not in arguments:
            raise UsageError(f"Expected --{name.replace('_', '-')}, got none. See --help.")
    taken = {option.path[0] for option in command.of_a_run().values()}
    strange = sorted(set(written) - taken)
    if strange:
        raise UsageError(f"Expected no options of the part {strange[0]!r} for this command.")


def _with_truths(argv: Sequence[str], flags: set[str]) -> Iterator[str]:
    """Write options with hyphens, and `=true` behind a flag that stands alone."""
    for place, token in enumerate(argv):
        if token == "--":
            yield from argv[place:]
            return
        if not token.startswith("--"):
            yield token
            continue
        name, equals, value = token.partition("=")
        hyphened = "--" + name[2:].replace("_", "-")
        following = argv[place + 1] if place + 1 < len(argv) else ""
        if (
            name[2:].replace("-", "_") in flags
            and not equals
            and following not in ("true", "false")
        ):
            equals, value = "=", "true"
        yield f"{hyphened}{equals}{value}"


def _flags(commands: Commands) -> set[str]:
    """Names of the commands' own flags."""
    found: set[str] = set()
    for command in commands.values():
        if isinstance(command, Group):
            found |= _flags(command.commands)
        else:
            found |= {name for name, option in command.own().items() if option.is_flag}
    return found


def _usage(command: Command) -> str:
    """The command in one line: what must be given, not the many options that may be."""
    words = ["[options]"]
    for name, parameter in inspect.signature(command.function).parameters.items():
        if name == "written":
            continue
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            several = get_origin(get_type_hints(command.function)[name]) is list
            words.append(f"{name.upper()} ..." if several else name.upper())
        elif parameter.default is parameter.empty:
            words.append(f"--{name.replace('_', '-')} {name.upper()}")
    return " ".join(words)


def _text(function: Callable[..., object]) -> str:
    return (inspect.getdoc(function) or "").partition("\n\nArgs:\n")[0]


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _argument_texts(function: Callable[..., object]) -> dict[str, str]:
    arguments = (inspect.getdoc(function) or "").partition("\n\nArgs:\n")[2]
    return {
        match[1]: " ".join(match[2].split())
        for match in re.finditer(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", arguments, re.MULTILINE)
    }
