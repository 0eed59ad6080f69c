"""Folders as people have them: which splits and classes are found, and which questions asked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tfkd.data import DataSettings, ImageData, Places, load_data

Writer = Callable[..., Path]
Tree = dict[str, int]


@pytest.fixture
def make(tmp_path: Path, write_image: Writer) -> Callable[..., Path]:
    """Write so many images, all of them different, into each folder."""

    def write(tree: Tree, root: Path = tmp_path / "pets") -> Path:
        written = 0
        for folder, count in tree.items():
            (root / folder).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                written += 1
                colour = (written % 256, written // 256, len(folder))
                write_image(root / folder / f"{number}.png", colour, size=2)
        return root

    return write


def _load(
    root: Path | None = None, *, seed: int = 0, settings: DataSettings | None = None, **places: Path
) -> ImageData:
    said = {name: str(path) for name, path in places.items()}
    where = Places(None if root is None else str(root), **said)
    return load_data(settings or DataSettings("folder"), seed=seed, root=where)


def _files(data: ImageData, split: str) -> set[str]:
    """The files of a split, by their absolute paths."""
    found = getattr(data, split)
    return {str(found.official.root / found.official.paths[n]) for n in found.indices.tolist()}


def _under(root: Path) -> set[str]:
    return {str(path) for path in root.rglob("*.png")}


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train", "val", "test"),
        ("Train", "Valid", "Test"),
        ("TRAIN", "VALIDATION", "TEST"),
        ("training", "validation", "testing"),
        ("training_set", "val_set", "test_set"),
        ("train_images", "valid-images", "test1"),
    ],
)
@pytest.mark.parametrize("wrapped", ["", "archive/", "archive/data/"])
def test_splits_by_their_names(
    make: Callable[..., Path], train: str, validation: str, test: str, wrapped: str
) -> None:
    parts = {train: 6, validation: 3, test: 2}
    root = make({f"{wrapped}{part}/{c}": n for part, n in parts.items() for c in ("cat", "dog")})
    data = _load(root)
    assert data.classes == ("cat", "dog")
    for split, part in (("train", train), ("validation", validation), ("test", test)):
        assert _files(data, split) == _under(root / wrapped / part)
        assert data.origins[split] == f"{wrapped}{part}/"


@pytest.mark.parametrize("present", [(), ("test",), ("val",)])
def test_what_is_missing_is_taken_out_of_the_training_images(
    make: Callable[..., Path], present: tuple[str, ...]
) -> None:
    root = make({f"{part}/{c}": 10 for part in ("train", *present) for c in ("cat", "dog")})
    data = _load(root)
    assert len(data.train) + len(data.validation) + len(data.test) == 20 * (1 + len(present))
    if "test" in present:
        assert _files(data, "test") == _under(root / "test")
        assert len(data.validation) == 2
    else:
        assert data.test.labels.tolist() == [0, 0, 1, 1]
        assert _files(data, "test") < _under(root / "train")
        assert data.origins["test"] == "a fifth of train/, by path"
    if "val" in present:
        assert _files(data, "validation") == _under(root / "val")
        assert _files(data, "train") | _files(data, "test") == _under(root / "train")
    else:
        assert data.origins["validation"] == "10 % of the training images, by the seed"


def test_a_folder_is_split_alike_wherever_and_however_it_lies(make: Callable[..., Path]) -> None:
    root = make({"cat": 12, "dog": 9})
    tested = {path.removeprefix(f"{root}/") for path in _files(_load(root), "test")}
    parent = root.parent
    for place in ("x/train", "y/z/Training"):
        shutil.copytree(root, parent / place)
        data = _load(parent / place.split("/")[0])
        assert {path.split(f"{place}/")[1] for path in _files(data, "test")} == tested
    data = _load(train_dir=root)
    assert {path.removeprefix(f"{root}/") for path in _files(data, "test")} == tested


def test_folders_that_are_said_apart_come_first(make: Callable[..., Path]) -> None:
    root = make({f"{part}/{c}": 5 for part in "abc" for c in ("cat", "dog")})
    one, two, three = (root / part for part in "abc")
    data = _load(train_dir=one, validation_dir=two, test_dir=three)
    for split, part in (("train", one), ("validation", two), ("test", three)):
        assert _files(data, split) == _under(part)
    assert data.name == "pets"
    beside = _load(one, test_dir=three)
    assert _files(beside, "test") == _under(three)
    assert _files(beside, "train") | _files(beside, "validation") == _under(one)
    (two.rename(root / "train"), three.rename(root / "test"), one.rename(root.parent / "a"))
    data = _load(root, train_dir=root.parent / "a")
    assert _files(data, "test") == _under(root / "test")
    assert "train/ is left alone" in " ".join(data.remarks)
    with pytest.raises(ValueError, match="`data` or `train_dir`, got both"):
        _load(root / "train", train_dir=root.parent / "a")
    with pytest.raises(FileNotFoundError, match="as `test_dir`, got"):
        _load(root, test_dir=root / "nowhere")


def test_a_validation_split_leaves_no_fraction_to_say(make: Callable[..., Path]) -> None:
    root = make({f"{part}/{c}": 5 for part in ("train", "val") for c in ("cat", "dog")})
    with pytest.raises(ValueError, match=r"no `validation_fraction` beside .* val/, got 0\.2"):
        _load(root, settings=DataSettings("folder", validation_fraction=0.2))


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"train/cat": 2, "train/dog": 2, "cat": 2, "dog": 2}, "got both: 'train' beside 'cat', "),
        ({"cat": 2, "dog": 2, "test": 2}, "got both: 'test' beside 'cat', 'dog'.*--train-dir"),
        ({"valid": 2, "invalid": 2}, "got both: 'valid' beside 'invalid'.*--train-dir"),
        ({"test/cat": 2, "test/dog": 2}, "training images in .* got only 'test/'"),
        ({"val/cat": 2, "val/dog": 2, "test/cat": 2}, "got only 'test/', 'val/'"),
        ({"train/a": 2, "train/b": 2, "Train/a": 2}, "one folder of the train split"),
        ({"train/a": 2, "val/a": 2, "valid/b": 2}, "one folder of the validation split"),
        ({"one/cat": 2, "one/dog": 2, "two/cat": 2, "two/dog": 2}, "data sets, name one: --data"),
        ({"one/train/a": 2, "two/train/b": 2}, "data sets, name one: --data"),
        ({"one/train/train/a": 2, "two/b": 2, "two/c": 2}, "data sets, name one: --data"),
        ({"my_train/a": 2, "my_train/b": 2, "your_test/a": 2}, "called as splits: .*--test-dir"),
        ({"my_train/a": 2, "my_train/b": 2, "my_test/c": 2, "my_test/d": 2}, "called as splits"),
        ({"my_train/a": 2, "my_train/b": 2, "my_test/a": 2, "cat": 2}, "called as splits"),
        ({"trainA": 2, "trainB": 2, "testA": 2, "testB": 2}, "called as splits: 'testA', "),
        ({"my_train": 2, "my_val": 2}, "--train-dir .*/my_train --validation-dir .*/my_val"),
        ({"a/x/x/cat": 2, "a/x/x/dog": 2, "b/y/cat": 2, "b/y/dog": 2, "c/d": 2}, "--train-dir"),
        ({"cat/good": 2, "cat/bad": 2, "dog/good": 2, "eel": 2}, "'cat' holds 'bad', 'good'"),
        ({"cat/train": 2, "cat/test": 2, "dog": 2}, "'cat' holds 'test', 'train'"),
        ({"images": 2, "labels": 0}, "detection"),
        ({"images/train": 2, "images/val": 2, "labels/train": 0}, "detection"),
        ({"train/images": 2, "train/labels": 0, "valid/images": 1, "valid/labels": 0}, "detection"),
        ({"train/train/a": 2, "train/val/a": 2}, "got splits: 'train', 'val'"),
        ({"cat": 3}, "at least 2 classes in .*, got only 'cat'"),
        ({"train/cat": 3, "test/cat": 3}, "at least 2 classes in .*train, got only 'cat'"),
        ({".": 3}, "folder for each class in .*, got 3 images without.*--labels"),
        ({"train": 3, "test": 2}, "folder for each class in .*train, got 3 images"),
        ({".": 0}, "at least 2 classes in .*, got none"),
        ({"train/cat": 2, "train/dog": 2, "test/dog": 2, "test/Cat": 2}, "'Cat'.*mean cat"),
        ({"train/cat": 2, "train/dog": 2, "val/dog": 2, "val/bird": 2}, "got also 'bird'"),
        ({"train/cat": 2, "train/dog": 2, "train/eel": 0}, "got 0 of 'eel'"),
        ({"train/cat": 2, "train/dog": 2, "test/cat": 0, "test/dog": 0}, "by class .* got none"),
    ],
)
def test_what_may_be_several_things_is_a_question(
    make: Callable[..., Path], tree: Tree, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        _load(make(tree))


@pytest.mark.parametrize("nested", ["", "seg_{}/"])
def test_splits_by_a_word_of_their_names(make: Callable[..., Path], nested: str) -> None:
    tree = {
        f"seg_{part}/{nested.format(part)}{name}": count
        for part, count in (("train", 5), ("test", 3))
        for name in ("forest", "sea")
    }
    root = make(tree | {f"seg_pred/{nested.format('pred')}": 4})
    data = _load(root)
    assert data.classes == ("forest", "sea")
    assert _files(data, "test") == _under(root / "seg_test")
    assert _files(data, "train") | _files(data, "validation") == _under(root / "seg_train")
    assert "'seg_test', 'seg_train' are taken for splits, as they are called" in data.remarks
    (left_out,) = data.left_out
    assert (left_out.reason.split(" that")[0], left_out.count) == ("images of seg_pred/", 4)
    said = _load(train_dir=root / "seg_train", test_dir=root / "seg_test")
    for split in ("train", "validation", "test"):
        assert _files(said, split) == _files(data, split)
    with pytest.raises(ValueError, match=r"`data` or `train_dir`, got both: .* Leave --data away"):
        _load(root / "seg_pred", train_dir=root / "seg_train")


def test_classes_within_classes_that_differ_are_said(make: Callable[..., Path]) -> None:
    root = make({"cat/2019": 3, "cat/2020": 3, "dog/2021": 2, "dog/2022": 3, "eel": 4, "eel/x": 1})
    data = _load(root)
    counts = [0, 0, 0]
    for split in (data.train, data.validation, data.test):
        for label in split.labels.tolist():
            counts[label] += 1
    assert (data.classes, counts) == (("cat", "dog", "eel"), [6, 5, 5])
    said = "'cat/2019/', 'cat/2020/', 'dog/2021/' and 2 more"
    assert f"sub-folders belong to the class around them: {said}" in data.remarks


def test_a_single_class_of_a_split_is_not_stepped_into(make: Callable[..., Path]) -> None:
    root = make({"train/cat": 5, "train/dog": 5, "test/dog/2020": 3})
    for data in (_load(root), _load(train_dir=root / "train", test_dir=root / "test")):
        assert data.test.labels.tolist() == [1, 1, 1]


def test_the_answer_to_a_question_is_taken(make: Callable[..., Path]) -> None:
    root = make({"valid": 4, "invalid": 4})
    assert _load(train_dir=root).classes == ("invalid", "valid")
    root = make({"home/cat": 4, "home/dog": 4, "wild/fox": 4, "wild/cat": 4}, root.parent / "b")
    assert _load(train_dir=root).classes == ("home", "wild")
    assert _load(root / "home").classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("tree", "classes"),
    [
        ({"train": 3, "bus": 3, "car": 3}, ("bus", "car", "train")),
        ({"bullet_train": 3, "steam-train": 3}, ("bullet_train", "steam-train")),
        ({"cat/images": 3, "dog/images": 3}, ("cat", "dog")),
        ({"train/train/cat": 3, "train/train/dog": 3}, ("cat", "dog")),
        ({"train/bus": 3, "train/train": 3, "train/car": 3}, ("bus", "car", "train")),
        ({"cat/1/2": 3, "dog": 3}, ("cat", "dog")),
        ({"train/cat": 3, "train/dog": 3, "notes": 0}, ("cat", "dog")),
    ],
)
def test_what_is_one_thing_is_taken(
    make: Callable[..., Path], tree: Tree, classes: tuple[str, ...]
) -> None:
    assert _load(make(tree)).classes == classes


@pytest.mark.parametrize("place", ["test", "test/unknown", "test/test"])
def test_a_competition_s_test_images_are_no_test_split(
    make: Callable[..., Path], place: str
) -> None:
    root = make({"train/cat": 10, "train/dog": 10, place: 7})
    data = _load(root)
    assert len(data.test) == 4
    assert data.origins["test"] == "a fifth of train/, by path"
    (left_out,) = (found for found in data.left_out if "no test split" in found.reason)
    assert left_out.count == 7
    assert left_out.examples[0].startswith("test/")


def test_classes_that_a_split_lacks_are_said(make: Callable[..., Path]) -> None:
    tree = {"train/cat": 5, "train/dog": 5, "train/eel": 5, "val/cat": 1, "test/dog": 2}
    data = _load(make(tree | {"test/eel": 0}))
    assert data.classes == ("cat", "dog", "eel")
    assert (data.validation.labels.tolist(), data.test.labels.tolist()) == ([0], [1, 1])
    assert "val/ has no image of 'dog', 'eel'" in data.remarks
    assert "test/ has no image of 'cat', 'eel'" in data.remarks


def test_what_is_left_out_is_counted_by_reason(make: Callable[..., Path]) -> None:
    root = make({"cat": 5, "dog": 5})
    for name in ("cat/.DS_Store", "cat/Thumbs.db", "dog/._1.png", "dog/a.mp4", "dog/b.MOV"):
        (root / name).write_bytes(b"x")
    for name in ("dog/1.xml", "dog/2.xml", "cat/3.txt", "cat/4.json", "cat/5.CR2", "cat/unknown"):
        (root / name).write_bytes(b"x")
    for folder in ("__MACOSX", ".ipynb_checkpoints"):
        shutil.copytree(root / "cat", root / folder)
    shutil.copy(root / "cat/1.png", root / "loose.png")
    data = _load(root)
    assert len(data.train) + len(data.validation) + len(data.test) == 10
    found = {left_out.reason.split(",")[0]: left_out for left_out in data.left_out}
    assert {reason: left_out.count for reason, left_out in found.items()} == {
        "hidden files": 5,
        "text": 4,
        "films and sounds": 2,
        "raw photographs": 1,
        "no images by their content": 1,
        "images outside of the folders of classes": 1,
    }
    assert len(found["text"].examples) == 3
    assert found["films and sounds"].examples == ("dog/a.mp4", "dog/b.MOV")


def test_links_are_followed_and_loops_are_not(make: Callable[..., Path]) -> None:
    root = make({"pets/cat": 5, "elsewhere/dog": 6, "elsewhere/more": 2}) / "pets"
    (root / "dog").symlink_to(root.parent / "elsewhere" / "dog", target_is_directory=True)
    (root / "cat" / "more").symlink_to(root.parent / "elsewhere" / "more")
    (root / "cat" / "loop").symlink_to(root / "cat", target_is_directory=True)
    (root / "cat" / "more" / "up").symlink_to(root, target_is_directory=True)
    data = _load(root)
    counts = dict.fromkeys(data.classes, 0)
    for split in (data.train, data.validation, data.test):
        for label in split.labels.tolist():
            counts[data.classes[label]] += 1
    assert counts == {"cat": 7, "dog": 6}
    assert any("read already" in left_out.reason for left_out in data.left_out)


def test_a_folder_that_cannot_be_read_is_named(
    make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make({"cat": 3, "dog/closed": 3})
    scandir = os.scandir

    # The tests may run as a user to whom nothing is closed.
    def closed(path: Path) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(ValueError, match=r"can be read at .*dog/closed: Permission denied"):
        _load(root)


def test_the_same_image_in_two_splits_or_classes_is_said(make: Callable[..., Path]) -> None:
    tree = {f"{part}/{c}": 4 for part in ("train", "val", "test") for c in ("cat", "dog")}
    root = make(tree)
    assert _load(root).remarks == ()
    shutil.copy(root / "train/cat/0.png", root / "test/cat/other.png")
    shutil.copy(root / "train/cat/1.png", root / "test/cat/another.png")
    shutil.copy(root / "train/dog/0.png", root / "val/dog/0.png")
    shutil.copy(root / "train/dog/1.png", root / "train/dog/x.png")
    shutil.copy(root / "train/cat/2.png", root / "train/dog/cat.png")
    remarks = _load(root).remarks
    assert len(remarks) == 4
    assert remarks[0].startswith("2 of 10 test images are training images too")
    assert remarks[1].startswith("1 of 8 validation images is a training image too")
    assert remarks[2].startswith("images in more than one class, byte for byte: 1, as")
    assert remarks[3] == "copies among the training images, byte for byte: 1"


def test_names_may_be_in_any_script_with_spaces(make: Callable[..., Path]) -> None:
    root = make({"Фото/Train/кошка 1": 4, "Фото/Train/собака": 4, "Фото/Test/собака": 2})
    data = _load(root)
    assert data.classes == ("кошка 1", "собака")
    assert data.origins["train"] == "Фото/Train/"


def test_folds_divide_what_was_only_taken_out_for_testing(make: Callable[..., Path]) -> None:
    root = make({"pets/cat": 9, "pets/dog": 12, "other/cat": 2, "other/dog": 2})
    settings = DataSettings("folder", folds=3)
    every = [_load(root / "pets", seed=seed, settings=settings) for seed in range(3)]
    tested = [_files(data, "test") for data in every]
    assert sum(map(len, tested)) == 21
    assert set().union(*tested) == _under(root / "pets")
    for data in every:
        assert data.test.labels.tolist() == [0] * 3 + [1] * 4
        parts = [_files(data, split) for split in ("train", "validation", "test")]
        assert sum(map(len, parts)) == len(set().union(*parts)) == 21
    given = _load(root / "pets", settings=settings, test_dir=root / "other")
    assert _files(given, "test") < _under(root / "pets")
    assert "other/: 4 images are left alone, as folds are tested" in given.remarks


def test_a_link_in_a_circle_is_no_class(make: Callable[..., Path]) -> None:
    root = make({"cat": 4, "dog": 4})
    before = _load(root)
    for name, target in (("self", "."), ("up", "..")):
        (root / name).symlink_to(target)
    data = _load(root)
    assert data.classes == ("cat", "dog")
    assert data.train.digest == before.train.digest
    (left_out,) = data.left_out
    assert (left_out.count, set(left_out.examples)) == (2, {"self", "up"})


@pytest.mark.parametrize(
    ("names", "answer"),
    [
        (("Train", "train", "test"), {"train_dir": "Train", "test_dir": "test"}),
        (("train_1", "train_2"), {"train_dir": "train_1"}),
        (("train", "test1", "test2"), {"train_dir": "train", "test_dir": "test1"}),
    ],
)
def test_two_folders_of_a_split_are_a_question_with_its_answers(
    make: Callable[..., Path], names: tuple[str, ...], answer: dict[str, str]
) -> None:
    root = make({f"{name}/{label}": 4 for name in names for label in ("cat", "dog")})
    with pytest.raises(ValueError, match=r"got '.*', '.*'") as refused:
        _load(root)
    options = " ".join(
        f"--{name.replace('_', '-')} {root / place}" for name, place in answer.items()
    )
    assert f"as: {options}. If they are the classes: --train-dir {root}" in str(refused.value)
    assert _load(**{name: root / place for name, place in answer.items()}).classes == (
        "cat",
        "dog",
    )


def test_where_folds_are_tested_nothing_is_said_of_a_split_that_is_left_alone(
    make: Callable[..., Path],
) -> None:
    root = make({"train/cat": 9, "train/dog": 12, "test/cat": 2})
    shutil.copy(root / "train" / "cat" / "0.png", root / "test" / "cat" / "0.png")
    official = _load(root).remarks
    assert "test/ has no image of 'dog'" in official
    assert any("1 of 2 test images is a training image too" in remark for remark in official)
    folds = DataSettings("folder", folds=3, validation_fraction=0.0)
    assert _load(root, settings=folds).remarks == (
        "test/: 2 images are left alone, as folds are tested",
    )
    shutil.rmtree(root / "test" / "cat")
    shutil.copytree(root / "train", root / "flat")
    flat = root / "flat"
    for path in flat.rglob("*.png"):  # whichever is taken out for testing, a copy is not
        shutil.copy(path, path.with_name(f"copy of {path.name}"))
    assert _load(flat, settings=folds).remarks == (
        "copies among the training images, byte for byte: 21",
    )


def test_the_share_that_is_taken_out_for_testing_is_the_true_one(make: Callable[..., Path]) -> None:
    data = _load(make({"cat": 3, "dog": 3}))
    assert (len(data.test), data.origins["test"]) == (2, "2 of the 6 images of pets/, by path")
