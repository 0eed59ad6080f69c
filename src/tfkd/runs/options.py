"""Every value of a run that can be set: its name, its place, its kind, and what it is."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from tfkd._checks import did_you_mean
from tfkd.method_table import NUMBERS
from tfkd.runs.contents import StoredSettings


@dataclass(frozen=True)
class Option:
    """One value that can be set.

    Attributes:
        name: as it is typed, with underscores.
        path: through `StoredSettings`.
        kind: what it must be.
        help: what it is.
    """

    name: str
    path: tuple[str, ...]
    kind: Any
    help: str

    @property
    def part(self) -> str:
        """The part of the settings that it belongs to, for the help."""
        if len(self.path) == 1:
            return self.path[0]
        return self.path[1] if self.path[0] == "recipe" and len(self.path) > 2 else self.path[0]

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
# Said by other options: `--teacher` is a run, or beside `--teacher-weights` a model.
_NOT_TYPED = {("teacher", "kind"), ("teacher", "model")}


@cache
def options() -> dict[str, Option]:
    """Return every option by its name."""
    found: dict[str, Option] = {}
    for path, kind, text in _leaves(StoredSettings, ()):
        if path in _NOT_TYPED:
            continue
        name = _NAMES.get(path, path[-1])
        if name in found and found[name].path != path:
            raise AssertionError(f"two options are called {name}")
        found.setdefault(name, Option(name, path, kind, text))
    return found


def _leaves(
    kind: type[Struct], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any, str]]:
    """Path, kind and help of every value of a struct, and of the structs in it."""
    hints, texts = get_type_hints(kind), described(kind)
    for name in kind.__struct_fields__:
        hint, here = hints[name], (*path, name)
        structs = [part for part in (hint, *get_args(hint)) if _is_struct(part)]
        tags = [part.__struct_config__.tag for part in structs]
        if here == ("method", "numbers"):
            for number, known in NUMBERS.items():
                yield (*here, number), float, f"{known.help}. Default: the method's own."
            continue
        if not structs:
            yield here, hint, texts.get(name, "")
            continue
        if tags[0] is not None:
            tag = structs[0].__struct_config__.tag_field
            yield (*here, tag), _one_of(tags), texts.get(name, "")
        for part in structs:
            yield from _leaves(part, here)


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _one_of(tags: list[Any]) -> Any:
    return Literal[tuple(tags)]


def described(kind: type) -> dict[str, str]:
    """Return what the docstring of a class, or of one that it is made from, says of each field."""
    texts: dict[str, str] = {}
    for part in reversed(kind.__mro__):
        _, _, fields = (inspect.getdoc(part) or "").partition("Attributes:\n")
        for match in re.finditer(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", fields, re.MULTILINE):
            texts[match[1]] = " ".join(match[2].split())
    return texts


@cache
def _by_path() -> dict[tuple[str, ...], Option]:
    return {option.path: option for option in options().values()}


def option_at(path: tuple[str, ...]) -> Option | None:
    """Return the option of a path; None if there is none."""
    return _by_path().get(path)


def from_text(option: Option, text: str) -> Any:
    """Return the value that a text stands for; several have commas between them.

    Args:
        option: whose value it is.
        text: as it was typed.

    Raises:
        ValueError: if it cannot be its value.

    Example:
        >>> from_text(options()["milestones"], "60,120")
        (60, 120)
        >>> from_text(options()["epochs"], "x")
        Traceback (most recent call last):
        ...
        ValueError: Expected `epochs` to be a whole number, got 'x'.
    """
    kind = option.kind
    kinds = [part for part in get_args(kind) if part is not type(None)] or [kind]
    if Path in (kind, *kinds):
        return Path(text)
    if str in (kind, *kinds):
        return text
    several = next((part for part in (kind, *kinds) if get_origin(part) is tuple), None)
    value: object = text
    if several is not None:
        kind = several
        value = [part.strip() for part in text.strip("[] ").split(",") if part.strip()]
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        choices = values_of(kind)
        hint = did_you_mean(text, choices)
        raise ValueError(
            f"Expected `{option.name}` to be {_called(kind)}, got {text!r}.{hint}"
        ) from error


def values_of(kind: Any) -> tuple[str, ...]:
    """Return the values that there are, if they are a closed set of texts."""
    for part in (kind, *get_args(kind)):
        if get_origin(part) is Literal:
            return get_args(part)
    return ()


def _called(kind: Any) -> str:
    kinds = [part for part in (kind, *get_args(kind)) if part is not type(None)]
    if values_of(kind):
        return f"one of {', '.join(values_of(kind))}"
    if get_origin(kind) is tuple:
        return f"{'whole numbers' if int in kinds else 'names'} with commas between them"
    named = {int: "a whole number", float: "a number", bool: "true or false"}
    return next((name for part, name in named.items() if part in kinds), "text")
