"""What people write themselves, found by `module:name`: a method, a model, a data source."""

from __future__ import annotations

import importlib
import re
from typing import Any

_REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def is_reference(text: str) -> bool:
    """Return whether a text has the form `module:name`.

    Example:
        >>> is_reference("my_package.losses:my_method"), is_reference("tf_kd_reg")
        (True, False)
    """
    return _REFERENCE.fullmatch(text) is not None


def from_reference(text: str) -> Any:
    """Import `module` and return what `name` is there.

    The module must be where Python finds it: installed, or in a folder of `PYTHONPATH`. The current
    folder is not looked into, or a run that somebody else gave you could bring code along.

    Args:
        text: `module:name`.

    Raises:
        ValueError: if there is no such module, or it has no such name.
    """
    module, _, name = text.partition(":")
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # it is there, and lacks something itself
        raise ValueError(
            f"Expected a module {module} for {text}, but Python finds none. Install it, or name "
            "its folder in PYTHONPATH."
        ) from error
    if not hasattr(found, name):
        raise ValueError(f"Expected {name!r} in the module {module}, found no such name.")
    return getattr(found, name)
