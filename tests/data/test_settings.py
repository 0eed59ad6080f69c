from __future__ import annotations

from typing import Any

import pytest

from tfkd.data import DataSettings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"validation_fraction": 1.0}, r"`validation_fraction` in \[0, 1\), got 1.0"),
        ({"validation_fraction": -0.1}, "got -0.1"),
        ({"validation_fraction": float("nan")}, "got nan"),
        ({"train_size": 0}, "`train_size` of at least 1, got 0"),
        ({"image_size": 0}, "`image_size` of at least 1"),
        ({"image_size": 100_000}, "`image_size` from 1 to 4096, got 100000"),
        ({"views": 0}, "`views` of at least 1, got 0"),
        ({"augmentation": "auto"}, "`augmentation` to be one of default, none, got 'auto'"),
    ],
)
def test_values_out_of_range(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DataSettings(**values)


@pytest.mark.parametrize("name", ["train_size", "image_size", "views"])
@pytest.mark.parametrize("value", [1.0, True, "1"])
def test_numbers_of_the_wrong_type(name: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"`{name}` to be an int"):
        DataSettings(**{name: value})  # type: ignore[arg-type]
