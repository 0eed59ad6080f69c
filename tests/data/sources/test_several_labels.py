"""Tables that say several labels of an image, in one cell or in a column for each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tfkd.data import DataSettings, ImageData, Places, load_data
from tfkd.data.images import ImageFiles
from tfkd.data.several_labels import strata_of

Writer = Callable[..., Path]
NAMES = ("clear", "haze", "water")


@pytest.fixture
def photos(tmp_path: Path, write_image: Writer) -> Path:
    """Twenty images of different content, in one folder."""
    for number in range(20):
        write_image(tmp_path / "photos" / f"{number:02}.png", (number, 0, 0), size=2)
    return tmp_path / "photos"


def has(number: int) -> tuple[int, int, int]:
    """Which of the labels an image has; some have none."""
    return (int(number % 2 == 0), int(number % 3 == 0), int(number % 5 == 0))


def named(number: int) -> list[str]:
    return [name for name, there in zip(NAMES, has(number), strict=True) if there]


def _table(file: Path, head: str, lines: list[str]) -> Path:
    file.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return file


def _load(labels: Path, *, seed: int = 0, **settings: Any) -> ImageData:
    return load_data(DataSettings("folder", **settings), seed=seed, root=Places(labels=str(labels)))


def _labelled(data: ImageData) -> dict[str, list[float]]:
    """Labels by name of file, of all splits."""
    found = {}
    for split in (data.train, data.validation, data.test):
        assert isinstance(split.official, ImageFiles)
        for index, labels in zip(split.indices.tolist(), split.labels.tolist(), strict=True):
            found[split.official.paths[index]] = labels
    return found


WANTED = {f"{number:02}.png": [float(own) for own in has(number)] for number in range(20)}


@pytest.mark.parametrize(
    ("separator", "head", "line"),
    [
        (";", "path,labels", "{path},{cell}"),
        (" ", "image_name,tags", "{path},{cell}"),
        ("|", "Image Index,Finding Labels,age", "{path},{cell},40"),
        (",", "path,labels", '{path},"{cell}"'),
        (",", "path;labels", "{path};{cell}"),
        ("; ", "path\tlabels", "{path}\t{cell}"),
    ],
)
def test_names_in_one_cell(photos: Path, separator: str, head: str, line: str) -> None:
    lines = [
        line.format(path=f"{number:02}.png", cell=separator.join(named(number)))
        for number in range(20)
    ]
    data = _load(_table(photos / "t.csv", head, lines), label_separator=separator)
    assert data.classes == NAMES
    assert data.several_labels
    assert _labelled(data) == WANTED
    none = sum(not named(number) for number in range(20))
    assert f"t.csv: {none} of 20 images have no label" in data.remarks
    assert f"t.csv: an image has the labels that {separator!r} divides" in data.remarks


def test_a_column_for_each_label(photos: Path) -> None:
    spelt = {0: ("0", "0.0", "False"), 1: ("1", "1.0", "True")}
    lines = []
    for number in range(20):
        cells = [spelt[own][place] for place, own in enumerate(has(number))]
        lines.append(",".join([f"{number:02}.png", cells[2], "x", cells[0], cells[1]]))
    lines[1] = "01.png,,x,0,0"
    lines[3] = "03.png,-1,x,NaN,1"
    table = _table(photos / "t.csv", "path,Water,label,clear,haze", lines)
    data = _load(table, label_columns=("haze", "clear", "water"))
    wanted = {path: [own[1], own[0], own[2]] for path, own in WANTED.items()}
    wanted |= {"01.png": [0.0, 0.0, -100.0], "03.png": [1.0, -100.0, -100.0]}
    assert data.classes == ("haze", "clear", "water")
    assert _labelled(data) == wanted
    assert any("; 3 of 60 are not known" in remark for remark in data.remarks)
    assert data.train.labels.dtype == torch.float32


def test_splits_have_their_shares_of_the_rarest_labels(photos: Path) -> None:
    lines = [f"{number:02}.png,{'|'.join(named(number))}" for number in range(20)]
    table = _table(photos / "t.csv", "path,labels", lines)
    one, other = (_load(table, seed=seed, label_separator="|") for seed in (0, 1))
    assert [len(split) for split in (one.train, one.validation, one.test)] == [14, 2, 4]
    assert one.test.labels.sum(0).min() >= 1
    assert one.test.labels.tolist() == other.test.labels.tolist()
    assert one.validation.indices.tolist() != other.validation.indices.tolist()
    folds = [_load(table, seed=seed, label_separator="|", folds=4) for seed in range(4)]
    tested = [index for data in folds for index in data.test.indices.tolist()]
    assert sorted(tested) == list(range(20))
    assert all(data.test.labels.sum(0).min() >= 1 for data in folds)
    own = one.train.official
    assert own.digest_of(torch.arange(3)) != own.digest_of(torch.arange(1, 4))


def test_the_rarest_label_is_counted_by_hand() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = (torch.rand(60, 5, generator=generator) < torch.linspace(0.6, 0.1, 5)).float()
    labels[torch.rand(60, 5, generator=generator) < 0.1] = -100
    counts = [int((labels[:, label] == 1).sum()) for label in range(5)]
    for row, stratum in zip(labels.tolist(), strata_of(labels).tolist(), strict=True):
        there = [label for label in range(5) if row[label] == 1]
        assert stratum == min(there, key=lambda label: (counts[label], label), default=5)


def test_images_that_are_the_same_may_have_other_labels(photos: Path) -> None:
    (photos / "05.png").write_bytes((photos / "04.png").read_bytes())
    lines = [f"{number:02}.png,{'|'.join(named(number))},train" for number in range(20)]
    lines[19] = "19.png,haze|water|clear,test"
    data = _load(_table(photos / "t.csv", "path,labels,split", lines), label_separator="|")
    assert any("with different labels, byte for byte: 1" in remark for remark in data.remarks)


SEPARATED = {"label_separator": "|"}
COLUMNS = {"label_columns": ("a", "b")}
DOGS = {"label_columns": ("cat", "dogs")}


@pytest.mark.parametrize(
    ("asked", "head", "line", "words"),
    [
        (SEPARATED, "path,name", "x", "one column called labels .*got 'path', 'name'"),
        (SEPARATED, "path,tags,labels", "a,b", "one column called labels .*got 'tags', 'labels'"),
        (SEPARATED, "where,labels", "a", "a column called path .*got 'where', 'labels'"),
        (SEPARATED, "path,labels", "a", "at least 2 classes in .*, got only 'a'"),
        (SEPARATED, "path,labels", "", "at least 2 classes in .*, got none"),
        (SEPARATED, "path,labels,split", "a|b,test", "training images of each class"),
        (DOGS, "path,cat,dog", "1,0", "column 'dogs', of `label_columns`, in .*Did you mean dog"),
        (COLUMNS, "path,a,b", "1,2", "the column 'b' of line 2 of .*t.csv, got '2'"),
        (COLUMNS, "path,a,b", "1,none", "the column 'b' of line 2 .*got 'none'"),
        (COLUMNS, "path,a,b", ",-1", r"known in each row .* lines 2, 3, 4, 5, 6 and 15 more"),
        (COLUMNS, "path,a,b", "1,0", "training images of each class .*none of 'b'"),
        (COLUMNS, "path,a,b", "1", "Expected 3 columns in line 2"),
    ],
)
def test_what_cannot_be_is_said_with_its_place(
    photos: Path, asked: dict[str, Any], head: str, line: str, words: str
) -> None:
    lines = [f"{number:02}.png,{line}" for number in range(20)]
    table = _table(photos / "t.csv", head, lines)
    if "test" in line:
        lines[0] = "00.png,a,train"
        table = _table(photos / "t.csv", head, lines)
    with pytest.raises(ValueError, match=words):
        _load(table, **asked)


def test_an_image_twice_is_named_with_its_labels(photos: Path) -> None:
    lines = [f"{number:02}.png,{number % 2},1" for number in range(20)]
    table = _table(photos / "t.csv", "path,a,b", [*lines, "./03.png,0,1"])
    with pytest.raises(ValueError, match=r"'03\.png' in lines 5 and 22 with labels '0,1', '1,1'"):
        _load(table, **COLUMNS)
    with pytest.raises(ValueError, match="Expected `labels`, the table, beside `label_columns`"):
        load_data(DataSettings("folder", **COLUMNS), root=str(photos))
