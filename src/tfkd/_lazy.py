"""Names of a package that are imported when somebody asks for them, as PEP 562 allows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def lazy_names(
    package: str, names: Mapping[str, tuple[str, ...]], modules: tuple[str, ...] = ()
) -> Callable[[str], object]:
    """Return a package's `__getattr__`, so that the command line can answer without loading torch.

    Args:
        package: its name.
        names: by module within the package, what is imported from it.
        modules: within the package, that are imported themselves.
    """
    where = {name: module for module, own in names.items() for name in own}

    def get(name: str) -> object:
        if name in modules:
            return import_module(f"{package}.{name}")
        if name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found: object = getattr(import_module(f"{package}.{where[name]}"), name)
        setattr(sys.modules[package], name, found)
        return found

    return get
