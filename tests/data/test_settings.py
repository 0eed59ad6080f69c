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
        ({"augmentation": "auto"}, "`augmentation` to be some of none, default, .* got 'auto'"),
        ({"augmentation": "flip+rand-augmnt"}, "got 'rand-augmnt'. Did you mean rand-augment"),
        ({"augmentation": ""}, "`augmentation` to be some of none"),
        ({"augmentation": "none+flip"}, r"nothing beside none in `augmentation`, got 'none\+flip'"),
        ({"augmentation": "default+crop-flip"}, "one of .* got default and crop-flip"),
        ({"augmentation": "rand-augment+trivial-augment"}, "trivial-augment and rand-augment"),
        ({"sampler": "even"}, "`sampler` to be one of shuffled, balanced, got 'even'"),
        ({"fit": "square"}, "`fit` to be one of centre-crop, squash"),
        ({"interpolation": "cubic"}, "`interpolation` to be one of .* Did you mean bicubic"),
        ({"crop_fraction": 0.0}, "`crop_fraction` from 0.1 to 2.0, got 0.0"),
        ({"crop_fraction": float("nan")}, "`crop_fraction` from 0.1 to 2.0, got nan"),
        (
            {"mean": (123.7, 116.3, 103.5)},
            r"`mean` of pixels in \[0, 1\], .* 0 to 255 .* divided by 255",
        ),
        ({"mean": ()}, r"`mean` of pixels in \[0, 1\], a number for each channel, got \[\]"),
        ({"mean": (float("nan"),)}, "`mean` of pixels"),
        ({"std": (0.2, 0.0, 0.2)}, "`std` of pixels"),
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


def test_augmentations_are_kept_in_the_order_in_which_they_are_done() -> None:
    typed = ("random-erasing + flip+resized-crop", "flip+random-erasing+resized-crop+flip")
    assert {DataSettings(augmentation=text).augmentation for text in typed} == {
        "resized-crop+flip+random-erasing"
    }
    assert DataSettings(augmentation="flip+crop-flip").augmentation == "crop-flip"
    assert DataSettings(augmentation="rand-augment+default").augmentation == "default+rand-augment"
