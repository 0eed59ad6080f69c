"""What people write themselves, found by `module:name`: a method, a model, a data source.

A run, a study or a file of options that somebody else made may name such a thing. So what is named
is called only if it says that it returns what is wanted: no run can name `os:system`.
"""

from __future__ import annotations

import importlib
import inspect
import re
import typing
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")

_REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


class OwnPartError(ValueError):
    """What somebody wrote is not there, or is not what it must be."""


def is_reference(text: str) -> bool:
    """Return whether a text has the form `module:name`.

    Example:
        >>> is_reference("my_package.losses:my_method"), is_reference("tf_kd_reg")
        (True, False)
    """
    return _REFERENCE.fullmatch(text) is not None


def from_reference(text: str) -> Any:
    """Import `module` and return what `name` is there.

    The module must be where Python finds it: installed, or in a folder of `PYTHONPATH`. The
    commands do not look into the current folder, or a run that somebody else gave you could bring
    code along.

    Args:
        text: `module:name`.

    Raises:
        OwnPartError: if there is no such module, it cannot be imported, or has no such name.
    """
    module, _, name = text.partition(":")
    try:
        found = importlib.import_module(module)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and f"{module}.".startswith(f"{missing}."):
            raise OwnPartError(
                f"Expected a module {module} for {text}, but Python finds none. Install it, or "
                "name its folder in PYTHONPATH."
            ) from error
        raise OwnPartError(
            f"Expected to import {module} for {text}, but it ends with "
            f"{type(error).__name__}: {error}."
        ) from error
    if not hasattr(found, name):
        raise OwnPartError(f"Expected {name!r} in the module {module}, found no such name.")
    return getattr(found, name)


def function_from_reference(
    text: str, returns: type, *, usual: type | None = None
) -> Callable[..., Any]:
    """Return a function that says that it returns a kind of object, or a class of that kind.

    Args:
        text: `module:name`.
        returns: what its annotation must be, or a class derived from that.
        usual: the derived class that most say, which a message names; None: `returns` itself.

    Raises:
        OwnPartError: if it is not there, is no function, or says something else.
    """
    usual = returns if usual is None else usual
    found = from_reference(text)
    if not callable(found):
        raise OwnPartError(f"Expected a function at {text}, got {type(found).__name__}.")
    said = found if isinstance(found, type) else _said_to_return(found)
    names = (returns.__name__, usual.__name__)
    if not (isinstance(said, type) and issubclass(said, returns)) and said not in names:
        raise OwnPartError(
            f"Expected {text} to say that it returns a {usual.__name__}, with "
            f"`-> {usual.__name__}` behind its parameters."
        )
    return found  # type: ignore[no-any-return]


@cache
def _said_to_return(function: Callable[..., Any]) -> object:
    """The annotation; where it cannot be resolved, its last word."""
    try:
        return typing.get_type_hints(function).get("return")
    except (NameError, AttributeError):  # imported for type checkers alone
        return str(function.__annotations__.get("return")).rpartition(".")[2]
    except TypeError:  # no function of Python's own kind
        return None


def call_own(text: str, returns: type[T], *arguments: object, **named: object) -> T:
    """Call a function of one's own.

    Args:
        text: `module:name`.
        returns: what it must return.
        arguments: what it is given.
        named: what it is given by name.

    Raises:
        OwnPartError: if it is not there, does not take them, or returns something else.
    """
    function = function_from_reference(text, returns)
    try:
        inspect.signature(function).bind(*arguments, **named)
    except TypeError as error:
        raise OwnPartError(
            f"Expected {text} to take {', '.join(named) or 'one argument'}, but: {error}."
        ) from error
    found = function(*arguments, **named)
    if not isinstance(found, returns):
        raise OwnPartError(
            f"Expected {text} to return a {returns.__name__}, got {type(found).__name__}."
        )
    return found
