"""Which data a run is of: what of them is seen, and what is not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tfkd.data import DataIdentity, DataSettings, ImageData, identify, load_data
from tfkd.data.identity import how_a_network_sees_them_differs, how_they_differ

Writer = Callable[..., Path]


def _load(folder: Path, *, seed: int = 0) -> ImageData:
    settings = DataSettings("folder", image_size=8, validation_fraction=0.2)
    return load_data(settings, seed=seed, root=str(folder))


def _identity(folder: Path, *, seed: int = 0) -> DataIdentity:
    return identify(_load(folder, seed=seed))


def _path(folder: Path, part: str, place: int = 0) -> Path:
    """An image of a split."""
    split = getattr(_load(folder), part)
    return folder / split.official.paths[int(split.indices[place])]


def test_the_same_images_are_the_same_data_wherever_they_lie(image_folder: Path) -> None:
    before = _identity(image_folder)
    assert _identity(image_folder) == before
    moved = image_folder.rename(image_folder.with_name("animals"))
    os.utime(moved / "cat" / "0.png", (1, 1))
    after = _identity(moved)
    assert (before.name, after.name) == ("pets", "animals")
    assert how_they_differ(before, after) is None


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_a_changed_image_changes_its_split_alone(
    image_folder: Path, write_image: Writer, part: str
) -> None:
    before, path = _identity(image_folder), _path(image_folder, part)
    write_image(path, (1, 2, 3))
    after = _identity(image_folder)
    changed = {name for name in before.digests if before.digests[name] != after.digests[name]}
    assert changed == {part}
    assert f"{part} images, got others" in str(how_they_differ(before, after))
    assert how_a_network_sees_them_differs(before, after) is None


def test_a_byte_behind_the_same_name_and_size_is_seen(image_folder: Path) -> None:
    before, path = _identity(image_folder), _path(image_folder, "train")
    content = bytearray(path.read_bytes())
    content[-5] ^= 1  # of the checksum of its end, which no decoder looks at
    path.write_bytes(content)
    assert "train images" in str(how_they_differ(before, _identity(image_folder)))


def test_images_that_change_places_are_seen(image_folder: Path) -> None:
    before = _identity(image_folder)
    one, other = (_path(image_folder, "train", place) for place in (0, 1))
    assert one.parent == other.parent
    between = one.with_name("between.png")
    one.rename(between), other.rename(one), between.rename(other)
    assert "in other places" in str(how_they_differ(before, _identity(image_folder)))


def test_an_image_that_changes_its_class_is_seen(image_folder: Path) -> None:
    before = _identity(image_folder)
    cats, dogs = sorted(image_folder.glob("cat/*"))[0], sorted(image_folder.glob("dog/*"))[0]
    between = image_folder / "between.png"
    cats.rename(between), dogs.rename(cats), between.rename(dogs)
    assert how_they_differ(before, _identity(image_folder)) is not None


def test_an_image_more_is_counted(image_folder: Path, write_image: Writer) -> None:
    before = _identity(image_folder)
    for number in range(20):
        write_image(image_folder / "dog" / f"more{number}.png", (number, 0, 0))
    assert "16 train images, got 29" in str(how_they_differ(before, _identity(image_folder)))


def test_renamed_classes_are_named_and_so_is_another_order(image_folder: Path) -> None:
    before = _identity(image_folder)
    (image_folder / "cat").rename(image_folder / "zebra")
    after = _identity(image_folder)
    assert "classes ['cat', 'dog'], got ['dog', 'zebra']" in str(how_they_differ(before, after))
    assert how_a_network_sees_them_differs(before, after) is not None
    ten = identify(load_data(DataSettings("digits")))
    turned = msgspec.structs.replace(ten, classes=ten.classes[::-1])
    text = str(how_they_differ(ten, turned))
    assert text.startswith("classes number 0 being '0', got '9' in its place")
    assert "the same in another order" in text


def test_another_seed_divides_the_same_data(image_folder: Path) -> None:
    one, other = _identity(image_folder), _identity(image_folder, seed=1)
    assert one.digests["test"] == other.digests["test"]
    assert one.digests["validation"] != other.digests["validation"]


def test_pixels_in_memory_are_seen_to_the_last_bit() -> None:
    one, again, other = (load_data(DataSettings("digits")) for _ in range(3))
    assert identify(one) == identify(again)
    index = int(other.train.indices[5])
    other.train.official.pixels[index, 0, 3, 3] ^= 1  # type: ignore[attr-defined]
    assert "train images" in str(how_they_differ(identify(one), identify(other)))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"classes": ("0",)}, "at least 2 `classes`, got 1"),
        ({"classes": ("0", "a\x1b[2J")}, "control characters"),
        ({"image_size": 0}, "`image_size` from 1"),
        ({"image_size": 1 << 20}, "`image_size` from 1"),
        ({"image_size": 16384}, "`image_size` from 1 to 4096, got 16384"),
        ({"mean": ()}, "1 numbers of `mean`, got 0"),
        ({"mean": (float("nan"),)}, "`mean` of pixels"),
        ({"std": (1e-320,)}, "`std` above 0"),
        ({"std": (float("inf"),)}, "`std` of pixels"),
        ({"classes": tuple("0123456780")}, "`classes` of different names, got '0' twice"),
        ({"samples": {"train": 4, "validation": -1, "test": 2}}, r"`samples` .* -1 of validation"),
    ],
)
def test_what_no_data_can_be_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        msgspec.structs.replace(identify(load_data(DataSettings("digits"))), **values)
