from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tfkd.data import DataSettings, ImageData, identify, load_data, make_loader, name_and_root

Writer = Callable[..., Path]


def _load(folder: Path, *, seed: int = 0, **settings: object) -> ImageData:
    name, root = name_and_root(str(folder))
    return load_data(DataSettings(name, **settings), seed=seed, root=root)  # type: ignore[arg-type]


def _paths(data: ImageData, part: str) -> list[str]:
    return getattr(data, part).official.paths  # type: ignore[no-any-return]


def test_a_fifth_of_each_class_is_for_testing_whatever_the_seed(image_folder: Path) -> None:
    one, two = _load(image_folder), _load(image_folder, seed=9)
    assert one.classes == ("cat", "dog")
    assert one.test.labels.tolist() == [0] * 2 + [1] * 3
    assert _paths(one, "test") == _paths(two, "test")
    both = _paths(one, "train") + _paths(one, "test")
    assert sorted(both) == sorted(
        p.relative_to(image_folder).as_posix() for p in image_folder.glob("*/*")
    )
    for part in ("train", "test"):
        labels = getattr(one, part).official.labels.tolist()
        assert [path.split("/")[0] for path in _paths(one, part)] == [
            one.classes[n] for n in labels
        ]


def test_root_is_where_a_relative_path_starts(image_folder: Path) -> None:
    name, root = name_and_root("pets", str(image_folder.parent))
    data = load_data(DataSettings(name), root=root)
    assert (data.num_classes, data.name) == (2, "pets")


def test_hidden_and_other_files_are_left_out(image_folder: Path, write_image: Writer) -> None:
    (image_folder / "cat" / "notes.txt").write_text("x")
    (image_folder / "cat" / "._1.png").write_text("x")
    (image_folder / ".cache").mkdir()
    write_image(image_folder / "cat" / "deeper" / "10.JPG", (1, 2, 3))
    data = _load(image_folder)
    assert data.classes == ("cat", "dog")
    assert len(_paths(data, "train")) + len(_paths(data, "test")) == 26


def test_one_class_alone_is_refused(image_folder: Path) -> None:
    shutil.rmtree(image_folder / "dog")
    with pytest.raises(ValueError, match=r"at least 2 classes.*only 'cat'"):
        _load(image_folder)


def test_an_empty_class_is_named(image_folder: Path) -> None:
    (image_folder / "eel").mkdir()
    with pytest.raises(ValueError, match=r"each class in .* got 0 of 'eel'"):
        _load(image_folder)


def test_a_file_that_is_no_image_is_named_before_training(image_folder: Path) -> None:
    (image_folder / "dog" / "3.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"dog/3\.png"):
        _load(image_folder)


def test_classes_may_be_named_in_any_script(image_folder: Path) -> None:
    for old, new in (("cat", "猫"), ("dog", "كلب <b> $x$")):
        (image_folder / old).rename(image_folder / new)
    assert _load(image_folder).classes == ("كلب <b> $x$", "猫")
    assert identify(_load(image_folder)).classes == ("كلب <b> $x$", "猫")


@pytest.mark.parametrize("name", [b"\xff\xfe", b"a\nb", b"\x1b[31mred"])
def test_a_class_that_cannot_be_written_down_is_refused(image_folder: Path, name: bytes) -> None:
    (image_folder / "cat").rename(image_folder / os.fsdecode(name))
    with pytest.raises(ValueError, match="names of classes in UTF-8 without control") as caught:
        _load(image_folder)
    assert str(caught.value).isprintable()


def test_no_class_gives_its_last_image_away(image_folder: Path, write_image: Writer) -> None:
    for number in range(2):
        write_image(image_folder / "eel" / f"{number}.png", (number, 0, 0))
    for settings in ({"validation_fraction": 0.8}, {"validation_fraction": 0.0, "train_size": 3}):
        data = _load(image_folder, **settings)
        assert set(data.train.labels.tolist()) == {0, 1, 2}
    with pytest.raises(ValueError, match=r"training images of every class, .* 20 of 21 images"):
        _load(image_folder, validation_fraction=0.95)
    remarks = " ".join(_load(image_folder).remarks)
    assert "too small for a validation image" in remarks
    assert "eel (1)" in remarks


def test_classes_of_one_image_are_named_with_all_others_of_the_kind(
    image_folder: Path, write_image: Writer
) -> None:
    for name in ("eel", "fox"):
        write_image(image_folder / name / "1.png", 0)
    with pytest.raises(ValueError, match=r"at least 2 images.* got 1 of 'eel', 'fox'"):
        _load(image_folder)


def test_greyscale_and_alpha_among_colour_make_one_data_set(
    image_folder: Path, write_image: Writer
) -> None:
    for mode, value in (("L", 9), ("LA", (9, 9)), ("RGBA", (1, 2, 3, 4)), ("CMYK", (1, 2, 3, 4))):
        suffix = "tif" if mode == "CMYK" else "png"
        write_image(image_folder / "cat" / f"{mode}.{suffix}", value, mode)
    data = _load(image_folder, image_size=8)
    loader = make_loader(data, data.train, batch_size=40, train=False)
    (batch,) = loader.batches(0)
    assert data.channels == 3
    assert batch.images.shape == (len(data.train), 3, 8, 8)


def test_a_class_may_be_called_train(image_folder: Path) -> None:
    (image_folder / "cat").rename(image_folder / "train")
    assert _load(image_folder).classes == ("dog", "train")
