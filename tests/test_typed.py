"""JSON values against hints, by cases worked out by hand."""

from dataclasses import dataclass
from typing import TypedDict

import pytest

from tfkd._typed import from_dict, typed


@dataclass(frozen=True)
class Inner:
    number: int = 1


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()


class Keys(TypedDict):
    a: float
    b: dict[str, str | None]


def test_dataclasses_within_dataclasses():
    values = {"name": "x", "inner": {"number": 2}, "many": [{"number": 3}]}
    assert from_dict(Outer, values) == Outer("x", Inner(2), (Inner(3),))
    assert from_dict(Outer, {"name": "x", "inner": None, "many": []}) == Outer("x")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (int, True),
        (int, 1.0),
        (int, "1"),
        (float, "1"),
        (float, True),
        (float, 10**400),
        (str, 1),
        (str, None),
        (bool, 1),
        (tuple[int, ...], [1, "2"]),
        (tuple[int, ...], {"0": 1}),
        (tuple[int, ...], "12"),
        (dict[str, int], {"a": "b"}),
        (dict[str, int], [1]),
        (int | None, "x"),
        (int | str, 1.5),
        (Inner, {"number": "1"}),
        (Inner, {}),
        (Inner, {"number": 1, "more": 2}),
        (Inner, [1]),
        (Keys, {"a": 1.0}),
        (Keys, {"a": 1.0, "b": {"c": 1}}),
        (None, 0),
    ],
)
def test_another_type_is_refused_by_name(kind, value):
    with pytest.raises(ValueError, match=r"Expected .*"):
        typed(kind, value, "thing")


def test_a_mapping_with_keys_keeps_others():
    assert typed(Keys, {"a": 1, "b": {"c": None}, "later": [1]}) == {
        "a": 1.0,
        "b": {"c": None},
        "later": [1],
    }
