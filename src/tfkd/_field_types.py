"""Check of settings that are made in Python; what is read from a file, msgspec checks."""

from __future__ import annotations

from functools import cache
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec


def check_types(struct: msgspec.Struct) -> None:
    """Hold the fields of a struct to their annotations; an int becomes a float, a list a tuple.

    Choices are left to `check_choice`, which says what there is, and what a dict holds to whoever
    knows its names.

    Raises:
        TypeError: naming the field.
    """
    for name, kind in _kinds(type(struct)).items():
        value = getattr(struct, name)
        if value is msgspec.UNSET:
            continue
        try:
            typed = float(value) if kind is float and isinstance(value, float) else value
            typed = msgspec.convert(typed, kind)
        except msgspec.ValidationError as error:
            if get_origin(kind) is dict and isinstance(value, dict):
                continue
            came = repr(value) if isinstance(value, (tuple, list)) else type(value).__name__
            raise TypeError(f"Expected `{name}` to be {_called(kind)}, got {came:.80}.") from error
        if typed is not value:
            msgspec.structs.force_setattr(struct, name, typed)


@cache
def _kinds(struct: type[msgspec.Struct]) -> dict[str, Any]:
    hints = get_type_hints(struct)
    return {
        name: hints[name]
        for name in struct.__struct_fields__
        if not any(get_origin(part) is Literal for part in (hints[name], *get_args(hints[name])))
    }


def _called(kind: Any) -> str:
    names = {int: "an int", float: "a number", str: "a str", bool: "a bool"}
    if kind in names:
        return names[kind]
    if get_origin(kind) is dict:
        return "a dict"
    if get_origin(kind) is tuple:
        return f"a tuple of {get_args(kind)[0].__name__}s"
    said = [part for part in get_args(kind) if part is not NoneType] or [kind]
    return " or ".join(names.get(part, getattr(part, "__name__", str(part))) for part in said)
