"""The parser of the command line: functions turned into sub-commands by jsonargparse.

What is added to jsonargparse: parameters that may be positional are so, options are written with
hyphens, a truth value needs no `true` behind it, and an error is one line.
"""

from __future__ import annotations

import inspect
import re
from argparse import Action, RawDescriptionHelpFormatter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, TypeAlias, get_args, get_origin, get_type_hints

import jsonargparse
import yaml
from jsonargparse import ArgumentParser, DefaultHelpFormatter, get_loader, set_dumper, set_loader
from jsonargparse.typing import register_type


class UsageError(Exception):
    """What was asked for makes no sense; one line."""


@dataclass(frozen=True)
class Group:
    """Commands under a common word.

    Attributes:
        text: what they are for.
        commands: by name.
    """

    text: str
    commands: Mapping[str, Callable[..., object]]


Commands: TypeAlias = "Mapping[str, Callable[..., object] | Group]"


class Names(tuple[str, ...]):
    """Names, written `a,b` or as a list."""

    __slots__ = ()


class Epochs(tuple[int, ...]):
    """Numbers of epochs, written `1,50` or as a list."""

    __slots__ = ()


def _names(value: object) -> Names:
    if isinstance(value, (list, tuple)) and all(isinstance(part, str) for part in value):
        return Names(value)
    if not isinstance(value, str):
        raise ValueError(f"expected names separated by commas, got {value!r}")
    return Names(part.strip() for part in value.strip("[] ").split(",") if part.strip())


def _epochs(value: object) -> Epochs:
    if isinstance(value, str):
        value = [part for part in value.strip("[] ").split(",") if part.strip()]
    elif isinstance(value, int) and not isinstance(value, bool):
        value = [value]
    if not isinstance(value, (list, tuple)) or not all(
        re.fullmatch(r"\s*\d+\s*", str(part)) for part in value
    ):
        raise ValueError(f"expected whole numbers separated by commas, got {value!r}")
    return Epochs(int(part) for part in value)


register_type(Names, serializer=list, deserializer=_names)
register_type(Epochs, serializer=list, deserializer=_epochs)


_MODE = "plain-yaml"


def _load(text: str) -> object:
    """Read YAML of plain values, without aliases, of which a few lines stand for billions."""
    try:
        _refuse_aliases(text)
        return get_loader("yaml")(text)
    except RecursionError:
        raise yaml.YAMLError("expected a few levels, got many") from None


def _refuse_aliases(text: str) -> None:
    """Raise `YAMLError` for an alias, also within texts: jsonargparse reads some as YAML again."""
    if "*" not in text:
        return
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if isinstance(event, yaml.AliasEvent):
            raise _AliasError(f"expected no YAML aliases, got *{event.anchor}")
        if isinstance(event, yaml.ScalarEvent) and event.value != text:
            try:
                _refuse_aliases(event.value)
            except _AliasError:
                raise
            except yaml.YAMLError:  # no YAML, so nothing reads it as such
                continue


class _AliasError(yaml.YAMLError):
    """A value that stands for another."""


set_loader(_MODE, _load, exceptions=(yaml.YAMLError,), json_superset=True)
set_dumper(_MODE, lambda data: yaml.safe_dump(data, sort_keys=False, allow_unicode=True))


class _Help(RawDescriptionHelpFormatter, DefaultHelpFormatter):
    """Help whose description keeps its lines, and without types that say nothing more."""

    def _get_default_metavar_for_optional(self, action: Action) -> str:
        return action.dest.upper().replace("_", "-")

    def _format_args(self, action: Action, default_metavar: str) -> str:
        choices = _choices(getattr(action, "_typehint", None))
        if choices == (False, True):
            return "[true|false]"
        if choices:
            return "{" + ",".join(map(str, choices)) + "}"
        return str(super()._format_args(action, default_metavar))

    def _expand_help(self, action: Action) -> str:
        text = str(super()._expand_help(action))
        text = re.sub(r"type: [^()]*?(, (?=default:)|(?=\)$))", "", text)
        text = re.sub(r"(, )?default: (null|None|\(\))", "", text)
        return re.sub(r" \((required, )?\)$", lambda m: " (required)" if m.group(1) else "", text)


class Parser(ArgumentParser):
    """A parser that shows hyphens and raises `UsageError`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("formatter_class", _Help)
        options.setdefault("parser_mode", _MODE)
        super().__init__(*args, **options)

    def format_help(self, *args: Any, **options: Any) -> str:
        """Return the help, with options as they are written."""
        return _hyphenated(super().format_help(*args, **options))

    def format_usage(self, *args: Any, **options: Any) -> str:
        """Return the usage, with options as they are written."""
        return _hyphenated(super().format_usage(*args, **options))

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise `UsageError` with the message in one line."""
        raise UsageError(_one_line(message)) from ex


def make_parser(commands: Commands, *, description: str, version: str) -> Parser:
    """Return a parser with a sub-command for each function.

    Args:
        commands: by name, functions with type hints and Google docstrings, or a `Group` of more
            commands. Keyword-only parameters become options, all others positional arguments.
        description: what the program is for.
        version: what `--version` prints.
    """
    parser = Parser(prog="tfkd", description=description)
    parser.add_argument("--version", action="version", version=f"tfkd {version}")
    _add(parser, commands)
    return parser


def _add(parser: Parser, commands: Commands, prefix: str = "") -> None:
    """Add a sub-command for each function to a parser."""
    subcommands = parser.add_subcommands(required=True)
    for name, function in commands.items():
        if isinstance(function, Group):
            group = Parser(description=function.text)
            # jsonargparse asks for the outer level first.
            subcommands.add_subcommand(name, group, help=function.text.partition("\n")[0])
            _add(group, function.commands, f"{prefix}{name} ")
            continue
        text, _, arguments = (inspect.getdoc(function) or "").partition("\n\nArgs:\n")
        command = Parser(description=text, usage=_usage(prefix + name, function))
        command.add_argument(
            "--config",
            action=jsonargparse.ActionConfigFile,  # type: ignore[attr-defined]
            help="YAML file of options; others overrule it.",
        )
        positional = _positional(function)
        for argument, kind in positional.items():
            several = get_origin(kind) is list
            shape: dict[str, Any] = {"nargs": "+"} if several else {}
            command.add_argument(
                argument,
                type=get_args(kind)[0] if several else kind,
                help=_argument_help(arguments, argument),
                **shape,
            )
        command.add_function_arguments(function, as_group=False, skip=set(positional))
        subcommands.add_subcommand(name, command, help=text.partition("\n")[0])


def parse(parser: Parser, argv: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Return the name of the command, with that of its group, and the arguments of its function.

    Raises:
        UsageError: for arguments that do not fit.
    """
    truths = {
        f"--{name}"
        for action in _actions(parser)
        for name in [action.dest]
        if getattr(action, "_typehint", None) is bool
    }
    namespace = parser.parse_args(_underscored(argv, truths))
    chosen = []
    while "subcommand" in namespace:
        chosen.append(namespace.subcommand)
        namespace = namespace[chosen[-1]]
    arguments = namespace.as_dict()
    arguments.pop("config", None)
    return " ".join(chosen), arguments


def _actions(parser: Parser) -> list[Any]:
    found: list[Any] = []
    for action in parser._actions:
        found.append(action)
        if isinstance(action.choices, dict):
            for command in action.choices.values():
                found += _actions(command)
    return found


def _positional(function: Callable[..., object]) -> dict[str, Any]:
    hints = get_type_hints(function)
    return {
        name: hints[name]
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    }


def _usage(command: str, function: Callable[..., object]) -> str:
    """The command in one line: what must be given, not the many options that may be."""
    words = ["tfkd", command, "[options]"]
    for name, kind in _positional(function).items():
        words.append(f"{name.upper()} ..." if get_origin(kind) is list else name.upper())
    for name, parameter in inspect.signature(function).parameters.items():
        if (
            parameter.kind is inspect.Parameter.KEYWORD_ONLY
            and parameter.default is parameter.empty
        ):
            words.append(f"--{name} {name.upper()}")
    return " ".join(words)


def _choices(hint: Any) -> tuple[Any, ...]:
    """The values that a type hint allows, if they are a closed set."""
    if hint is bool:
        return (False, True)
    for kind in (hint, *get_args(hint)):
        if get_origin(kind) is Literal:
            return get_args(kind)
    return ()


def _argument_help(arguments: str, name: str) -> str:
    """The text behind `name:` in the section of arguments of a docstring."""
    match = re.search(rf"^ {{4}}{name}: (.*(?:\n {{8}}.*)*)", arguments, re.MULTILINE)
    return " ".join(match.group(1).split()) if match else ""


def _underscored(argv: Sequence[str], truths: set[str]) -> list[str]:
    """Write options as jsonargparse knows them, and `true` behind those that stand alone."""
    result: list[str] = []
    for place, token in enumerate(argv):
        if token == "--":
            return [*result, *argv[place:]]
        if token.startswith("--"):
            name, equals, value = token.partition("=")
            name = "--" + name[2:].replace("-", "_")
            following = argv[place + 1 : place + 2]
            if name in truths and not equals and following not in (["true"], ["false"]):
                equals, value = "=", "true"
            token = name + equals + value
        result.append(token)
    return result


def _hyphenated(text: str) -> str:
    return re.sub(r"--[a-z_]+", lambda option: option.group().replace("_", "-"), text)


def _one_line(message: str) -> str:
    """What jsonargparse says, in one line and in the words of this package."""
    line = " ".join(message.split())
    line = re.sub(r'(?:Validation failed: )?[Pp]arser key "(?:\w+\.)?(\w+)"', r"--\1", line)
    line = re.sub(r"(arguments are required: )\w+\.", r"\1", line)
    line = re.sub(
        r"Does not validate against any of .*? Errors: - (.*?) Given value type: .*? Given value: ",
        r"\1. Got value: ",
        line,
    )
    # Of an optional value; which of the two comes first depends on the version.
    line = re.sub(r"Expected a <class 'NoneType'> - | - Expected a <class 'NoneType'>", "", line)
    line = re.sub(r"Expected a (?:typing\.)?Literal\[(.*?)\]", r"Expected one of \1", line)
    line = re.sub(r"a <class '(?:\w+\.)*(\w+)'>", r"a value of type \1", line)
    line = re.sub(r"Not of type \w+: expected (.*?), got .*?\. Got", r"Expected \1. Got", line)
    return _hyphenated(line.replace(". Got value: ", ", got "))
