"""Values from JSON files, held against the types that they must have."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

ADDED_LATER = {"added_later": True}
"""Metadata of a field with a default, which files of an earlier version lack."""

# Thousands of files are held against the same few types.
_hints: Callable[[Any], dict[str, Any]] = functools.cache(get_type_hints)

_NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def typed(kind: Any, value: Any, name: str = "value") -> Any:
    """Return a value read from JSON as the type that a hint asks for.

    Lists become tuples and mappings dataclasses where the hint says so; a whole number is a number
    too, and nothing else is converted.

    Args:
        kind: `int`, `float`, `str`, `bool`, `None`, a union of them, `tuple[X, ...]`, `list[X]`,
            `dict[str, X]`, a dataclass (all its fields and no others), or a `TypedDict` (all its
            keys; others are let be).
        value: of JSON.
        name: of the value, in an error.

    Raises:
        ValueError: for another type, an unknown or missing name, or what a dataclass refuses.

    Example:
        >>> typed(tuple[float, ...] | None, [1, 0.5])
        (1.0, 0.5)
        >>> typed(int, "1", "epochs")
        Traceback (most recent call last):
        ...
        ValueError: Expected `epochs` to be a whole number, got str.
    """
    if kind is Any or (type(value) is kind and kind in _NAMES):
        return value
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _one_of(arguments, value, name)
    if kind in (None, type(None)) and value is None:
        return None
    if kind is float and type(value) is int:
        return _as_float(value, name)
    if origin in (tuple, list) and isinstance(value, (tuple, list)):
        return origin(typed(arguments[0], part, f"{name}[{n}]") for n, part in enumerate(value))
    if isinstance(value, dict):
        if origin is dict:
            return {key: typed(arguments[1], part, f"{name}.{key}") for key, part in value.items()}
        if typing.is_typeddict(kind):
            return _with_keys(kind, value, name)
        if dataclasses.is_dataclass(kind):
            return from_dict(kind, value, name)  # type: ignore[arg-type]
    raise ValueError(f"Expected `{name}` to be {_called(kind)}, got {type(value).__name__}.")


def from_dict(cls: type[T], values: Any, name: str = "") -> T:
    """Build a dataclass, and the dataclasses in it, from what `dataclasses.asdict` gave to JSON.

    Args:
        cls: the dataclass.
        values: a mapping of its fields and no others; those `ADDED_LATER` may be missing.
        name: of the value, in an error.

    Raises:
        ValueError: for anything else.
    """
    if not isinstance(values, dict):
        raise ValueError(f"Expected a mapping for {cls.__name__}, got {type(values).__name__}.")
    hints = _hints(cls)
    needed = {
        own.name
        for own in dataclasses.fields(cls)  # type: ignore[arg-type]
        if ADDED_LATER.items() - own.metadata.items()
    }
    wrong = (set(values) - set(hints)) | (needed - set(values))
    if wrong:
        names = ", ".join(sorted(wrong))
        raise ValueError(f"Expected the settings of {cls.__name__}, but they differ in: {names}.")
    prefix = f"{name}." if name else ""
    arguments = {
        field: typed(hints[field], value, f"{prefix}{field}") for field, value in values.items()
    }
    try:
        return cls(**arguments)
    except TypeError as error:
        raise ValueError(str(error)) from error


def _one_of(kinds: tuple[Any, ...], value: Any, name: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    others = [kind for kind in kinds if kind is not type(None)]
    if len(others) == 1:
        return typed(others[0], value, name)
    for kind in others:
        try:
            return typed(kind, value, name)
        except ValueError:
            continue
    called = " or ".join(_called(kind) for kind in kinds)
    raise ValueError(f"Expected `{name}` to be {called}, got {type(value).__name__}.")


def _with_keys(kind: Any, value: dict[str, Any], name: str) -> dict[str, Any]:
    hints = _hints(kind)
    missing = sorted(set(hints) - set(value))
    if missing:
        raise ValueError(f"Expected `{missing[0]}` in `{name}`, found none.")
    known = {key: typed(hints[key], value[key], f"{name}.{key}") for key in hints}
    return {key: known.get(key, part) for key, part in value.items()}


def _as_float(value: int, name: str) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError(f"Expected `{name}` to be a number, got one too large.") from error


def _called(kind: Any) -> str:
    if kind in (None, type(None)):
        return "null"
    if kind in _NAMES:
        return _NAMES[kind]
    return "a list" if get_origin(kind) in (tuple, list) else "a mapping"
