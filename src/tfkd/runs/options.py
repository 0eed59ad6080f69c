"""Every value of a run that can be set: its name, its place, its kind, and what it is."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from tfkd._checks import did_you_mean
from tfkd.method_table import METHODS, NUMBERS, full_name
from tfkd.runs.contents import StoredSettings
from tfkd.runs.settings import ModelValue


@dataclass(frozen=True)
class Option:
    """One value that can be set.

    Attributes:
        name: as it is typed, with underscores.
        path: through `StoredSettings`.
        kind: what it must be.
        help: what it is.
        default: what it is where it is not said, if its help does not say so.
    """

    name: str
    path: tuple[str, ...]
    kind: Any
    help: str
    default: Any = None

    @property
    def part(self) -> str:
        """The part of the settings that it belongs to, for the help."""
        if len(self.path) == 1:
            return self.path[0]
        if self.path[:-1] == ("method", "numbers"):
            return "numbers"
        return self.path[1] if self.path[0] == "recipe" and len(self.path) > 2 else self.path[0]

    @property
    def aliases(self) -> list[str]:
        """Other names of it."""
        return [alias for alias, name in ALIASES.items() if name == self.name]

    @property
    def may_be_none(self) -> bool:
        """Whether None is a value of it."""
        return NoneType in get_args(self.kind)

    @property
    def is_mapping(self) -> bool:
        """Whether it is said once for each of several names, as NAME=VALUE."""
        return get_origin(self.kind) is dict

    @property
    def is_list(self) -> bool:
        """Whether it is any number of values with spaces between them."""
        return get_origin(self.kind) is list

    @property
    def is_flag(self) -> bool:
        """Whether it is true or false, and needs no `true` behind it."""
        return self.kind is bool


# Where the last word is not what people type.
_NAMES = {
    ("recipe", "data", "name"): "data",
    ("recipe", "optimizer", "name"): "optimizer",
    ("recipe", "schedule", "name"): "schedule",
    ("method", "name"): "method",
    ("teacher", "run"): "teacher",
    ("teacher", "epoch"): "teacher_epoch",
    ("teacher", "weights"): "teacher_weights",
    ("teacher", "cache"): "teacher_cache",
}
ALIASES = {"lr": "learning_rate", "wd": "weight_decay", "bs": "batch_size"}
"""Short names that people know, and the options that they stand for."""

# Said by other options: `--teacher` is a run, or beside `--teacher-weights` a model; `--optimizer`
# is one of this package's, or one of timm's.
_NOT_TYPED = {("teacher", "kind"), ("teacher", "model"), ("recipe", "optimizer", "algorithm")}
# Of a method, and of a network: what is in them has names of their own.
_MAPPINGS = (("method", "numbers"), ("recipe", "model_option"))


@cache
def options() -> dict[str, Option]:
    """Return every option by its name."""
    found: dict[str, Option] = {}
    for option in _leaves(StoredSettings, ()):
        assert option.name not in ALIASES
        if option.path in _NOT_TYPED:
            continue
        if option.name in found and found[option.name].path != option.path:
            raise AssertionError(f"two options are called {option.name}")
        found.setdefault(option.name, option)
    return found


def _leaves(kind: type[Struct], path: tuple[str, ...]) -> Iterator[Option]:
    """Every value of a struct, and of the structs in it."""
    hints, texts = get_type_hints(kind), described(kind)
    for name in kind.__struct_fields__:
        hint, here, text = hints[name], (*path, name), texts.get(name, "")
        if here == ("method", "numbers"):
            for number, known in NUMBERS.items():
                yield _option((*here, number), float, known.help)
            continue
        structs = [part for part in (hint, *get_args(hint)) if _is_struct(part)]
        tags = [part.__struct_config__.tag for part in structs]
        if not structs:
            if here == ("method", "name"):
                text = (
                    f"{', '.join(METHODS)}; or module:function, of your own. tfkd methods NAME "
                    "says more of each, its short names among that"
                )
            yield _option(here, hint, text)
        elif tags[0] is not None:
            # timm's optimisers are called by their own names.
            one = str if here == ("recipe", "optimizer") else _one_of(tags)
            yield _option((*here, structs[0].__struct_config__.tag_field), one, text)
        for part in structs:
            yield from _leaves(part, here)


def _option(path: tuple[str, ...], kind: Any, text: str) -> Option:
    return Option(_NAMES.get(path, path[-1]), path, kind, text)


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _one_of(tags: list[Any]) -> Any:
    return Literal[tuple(tags)]


def described(kind: type) -> dict[str, str]:
    """Return what the docstring of a class, or of one that it is made from, says of each field."""
    texts: dict[str, str] = {}
    for part in reversed(kind.__mro__):
        _, _, fields = (inspect.getdoc(part) or "").partition("Attributes:\n")
        texts |= described_names(fields)
    return texts


def described_names(section: str) -> dict[str, str]:
    """Return what a section of a docstring, as `Args:`, says of each name."""
    return {
        match[1]: " ".join(match[2].split())
        for match in re.finditer(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE)
    }


@cache
def _by_path() -> dict[tuple[str, ...], Option]:
    known = {option.path: option for option in options().values()}
    # Stored beside what is typed.
    hidden = {path: Option(path[-1], path, str, "") for path in _NOT_TYPED}
    return known | hidden


def option_at(path: tuple[str, ...]) -> Option | None:
    """Return the option of a path; None if there is none. A method of one's own has its numbers."""
    if path[:-1] in _MAPPINGS and path not in _by_path():
        return Option(path[-1], path, float if path[0] == "method" else ModelValue, "")
    return _by_path().get(path)


def value_of(option: Option, value: object) -> Any:
    """Return the value that was meant, of one as it was typed or read.

    Args:
        option: whose value it is.
        value: a text, of which `none` leaves empty what may be empty, and commas separate several;
            or what a file holds.

    Raises:
        ValueError: if it cannot be its value.

    Example:
        >>> value_of(options()["milestones"], "60,120")
        (60, 120)
        >>> value_of(options()["epochs"], "x")
        Traceback (most recent call last):
        ...
        ValueError: Expected `epochs` to be a whole number, got 'x'.
    """
    kind = _without_none(option.kind)
    is_text = isinstance(value, str)
    if kind is ModelValue:
        return _model_value(option, value)
    if kind is str and isinstance(value, str):
        return full_name(value) if option.path == ("method", "name") else value
    if option.may_be_none and value in ("none", "null", None):
        return None
    meant = value
    if kind is bool and isinstance(value, str):
        meant = {"yes": True, "on": True, "no": False, "off": False}.get(value.lower(), value)
    elif get_origin(kind) in (tuple, list):
        if isinstance(value, str):
            meant = [part.strip() for part in value.strip("[] ").split(",") if part.strip()]
        elif not isinstance(value, (list, tuple)):
            meant = [value]
    try:
        if kind is float and is_text:
            return float(str(value))
        return msgspec.convert(meant, kind, strict=not is_text, dec_hook=_path)
    except (ValueError, TypeError) as error:  # msgspec's are among them
        hint = did_you_mean(value, values_of(kind)) if isinstance(value, str) else ""
        raise ValueError(
            f"Expected `{option.name}` to be {_called(kind)}, got {_shown(value)}.{hint}"
        ) from error


def _model_value(option: Option, value: object) -> ModelValue:
    """What an option of a network is set to: a number, true or false, several numbers, or text."""
    meant = value
    if isinstance(value, str):
        for read in (float, msgspec.json.decode):
            with contextlib.suppress(ValueError, msgspec.DecodeError):
                meant = read(value)
        if isinstance(meant, float) and "." not in value and meant.is_integer():
            meant = int(meant)
    try:
        found: ModelValue = msgspec.convert(meant, ModelValue)
    except msgspec.ValidationError as error:
        raise ValueError(
            f"Expected `{option.name}` to be a number, true, false, text or several numbers, got "
            f"{_shown(value)}."
        ) from error
    return found


def _path(kind: type, value: object) -> Path:
    """Convert to what msgspec does not know."""
    if kind is not Path or not isinstance(value, str):
        raise TypeError
    return Path(value)


def _without_none(kind: Any) -> Any:
    parts = get_args(kind)
    return next(part for part in parts if part is not NoneType) if NoneType in parts else kind


def values_of(kind: Any) -> tuple[str, ...]:
    """Return the values that there are, if they are a closed set of texts."""
    kind = _without_none(kind)
    return get_args(kind) if get_origin(kind) is Literal else ()


def _called(kind: Any) -> str:
    if values_of(kind):
        return f"one of {', '.join(values_of(kind))}"
    if get_origin(kind) in (tuple, list):
        inner = get_args(kind)[0]
        called = {int: "whole numbers", float: "numbers"}.get(inner, "names")
        return f"{called} with commas between them"
    named = {int: "a whole number", float: "a number", bool: "true or false", Path: "a path"}
    return named.get(kind, "text")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
