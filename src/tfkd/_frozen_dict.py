"""A dict within settings, which cannot be changed once they are made."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class FrozenDict(dict[K, V]):
    """A dict that stays as it is, with a hash; msgspec writes it as any other.

    Example:
        >>> numbers = FrozenDict({"alpha": 0.1})
        >>> numbers["alpha"] = 0.2
        Traceback (most recent call last):
        ...
        TypeError: Expected settings to stay as they are; make others with the changed value.
        >>> numbers | {"alpha": 0.2}
        {'alpha': 0.2}
    """

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)

    def _refuse(self, *arguments: object, **named: object) -> NoReturn:
        raise TypeError(
            "Expected settings to stay as they are; make others with the changed value."
        )

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse
