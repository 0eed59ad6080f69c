"""Tables of paths and labels, as people have them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tfkd.data import DataSettings, ImageData, Places, load_data

Writer = Callable[..., Path]


@pytest.fixture
def photos(tmp_path: Path, write_image: Writer) -> Path:
    """Twelve images of different content, in one folder."""
    for number in range(12):
        write_image(tmp_path / "photos" / f"{number}.png", (number, 0, 0), size=2)
    return tmp_path / "photos"


def _table(file: Path, *lines: str, encoding: str = "utf-8") -> Path:
    file.write_text("\n".join(lines) + "\n", encoding=encoding)
    return file


def _load(labels: Path, root: Path | None = None) -> ImageData:
    places = Places(root=None if root is None else str(root), labels=str(labels))
    return load_data(DataSettings("folder"), root=places)


def _labelled(data: ImageData) -> dict[str, str]:
    """Class by name of file, of all splits."""
    found = {}
    for split in (data.train, data.validation, data.test):
        paths = split.official.paths  # type: ignore[attr-defined]
        for index, label in zip(split.indices.tolist(), split.labels.tolist(), strict=True):
            found[paths[index]] = data.classes[label]
    return found


ROWS = {f"{number}.png": "even" if number % 2 == 0 else "odd" for number in range(12)}


@pytest.mark.parametrize(
    ("head", "line"),
    [
        ("path,label", "{path},{label}"),
        ("Label;File Name;remark", '{label};{path};"what; a day"'),
        ("image_id\tbreed", "{path}\t{label}"),
        ("id,filepaths,labels,class id", "9,{path},{label},{number}"),
        ('"file_name","category"', '"{path}","{label}"'),
        ("", "{path},{label}"),
        ("", "{label},{path}"),
        ("\ufefffilename,class", "{path},{label}"),
    ],
)
def test_columns_are_known_by_their_names(photos: Path, head: str, line: str) -> None:
    lines = [
        line.format(path=path, label=label, number=int(label == "odd"))
        for path, label in ROWS.items()
    ]
    file = _table(photos / "labels.csv", *([head] if head else []), *lines)
    assert _labelled(_load(file)) == ROWS


def test_paths_start_from_the_data_or_from_the_table(photos: Path) -> None:
    lines = [f"photos/{path},{label}" for path, label in ROWS.items()]
    beside = _table(photos.parent / "labels.csv", "path,label", *lines)
    elsewhere = photos.parent / "tables"
    elsewhere.mkdir()
    apart = _table(elsewhere / "x.csv", "path,label", *(f"{p},{c}" for p, c in ROWS.items()))
    absolute = _table(
        elsewhere / "y.csv", "path,label", *(f"{photos / p},{c}" for p, c in ROWS.items())
    )
    windows = _table(
        photos.parent / "z.csv", "path,label", *(line.replace("/", "\\") for line in lines)
    )
    assert _labelled(_load(beside)) == {f"photos/{path}": label for path, label in ROWS.items()}
    assert _labelled(_load(windows)) == _labelled(_load(beside))
    assert _labelled(_load(apart, photos)) == ROWS
    for root in (None, photos, photos.parent / "none" / ".." / "photos"):
        (photos.parent / "none").mkdir(exist_ok=True)
        assert _labelled(_load(absolute, root)) == ROWS
        assert _load(absolute, root).left_out == ()
    assert (_load(apart, photos).name, _load(beside).name) == ("photos", photos.parent.name)
    with pytest.raises(FileNotFoundError, match=r"12 of 12 are not there: '0\.png' \(line 2\)"):
        _load(apart)


def test_a_column_of_splits_says_what_is_for_what(photos: Path) -> None:
    splits = ["train"] * 6 + ["Valid"] * 2 + ["TEST"] * 4
    lines = [f"{p},{c},{s}" for (p, c), s in zip(ROWS.items(), splits, strict=True)]
    data = _load(_table(photos / "all.csv", "image,label,split", *lines))
    assert [len(split) for split in (data.train, data.validation, data.test)] == [6, 2, 4]
    assert data.origins == {
        "train": "all.csv, train",
        "validation": "all.csv, Valid",
        "test": "all.csv, TEST",
    }
    assert "the columns 'image', 'label', 'split' are read" in data.remarks[0]
    for split, path in ((data.validation, "6.png"), (data.test, "8.png")):
        assert path in split.official.paths  # type: ignore[attr-defined]
    lines[3] = "3.png,odd,night"
    with pytest.raises(ValueError, match=r"line 5 .*, got 'night'"):
        _load(_table(photos / "all.csv", "image,label,split", *lines))


def test_without_a_column_of_splits_a_fifth_is_for_testing(photos: Path) -> None:
    lines = [f"{path},{label}" for path, label in ROWS.items()]
    one = _load(_table(photos / "one.csv", "path,label", *lines))
    other = _load(_table(photos / "other.csv", "path,label", *lines[::-1]))
    assert one.test.labels.tolist() == [0, 1]
    assert one.test.official.paths == other.test.official.paths  # type: ignore[attr-defined]
    assert one.origins["test"] == "a fifth of one.csv, by path"


def test_classes_that_are_numbers_come_in_their_order(photos: Path) -> None:
    lines = [f"{path},{int(path[:-4]) // 2 * 5}" for path in ROWS]
    assert _load(_table(photos / "x.csv", "path,y", *lines)).classes == (
        *("0", "5", "10", "15", "20", "25"),
    )


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["path,label"], "rows below the names"),
        ([], "got nothing"),
        (["a,b", "0.png,x"], "columns called path .* got 'a', 'b'"),
        (
            ["path,label", "0.png,x", "1.png,y", "0.png,x"],
            r"'0.png' in lines 2 and 4 with the same",
        ),
        (["path,label", "0.png,x", "./0.png,y"], r"in lines 2 and 3 with labels 'x', 'y'"),
        (["path,label", "0.png,x", "1.png,"], r"a label in each row .* '1.png' \(line 3\)"),
        (["path,label", "0.png,x", "1.png"], r"2 columns in line 3"),
        (["path,label", "0.png,x", "1.png,a,c"], r"2 columns in line 3 .* got 3\. .* in quotes"),
        (["path,label", "0.png,x", "1.png,x"], "at least 2 classes .* got only 'x'"),
        (["path,label", "0.png,x", "1.png,y", "2.png,y"], "at least 2 images .* got 1 of 'x'"),
        (["path,label,split", "0.png,x,train", "1.png,y,test"], "training images .* none of 'y'"),
        (["path,label,split", "0.png,x,test", "1.png,y,test"], "training images .* none of 'x'"),
        (["path,label,class", "0.png,1,a", "1.png,1,b"], "one column of labels .* 'class'"),
        (["path,label", "0.png,a\tb", "1.png,c", "2.png,c", "3.png,a\tb"], "control characters"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(photos: Path, lines: list[str], message: str) -> None:
    file = _table(photos / "labels.csv", *lines) if lines else photos / "labels.csv"
    file.touch()
    with pytest.raises(ValueError, match=message):
        _load(file)


def test_a_missing_suffix_is_named(photos: Path) -> None:
    lines = [f"{path[:-4]},{label}" for path, label in ROWS.items()]
    with pytest.raises(FileNotFoundError, match=r"There is '0\.png': write the suffix"):
        _load(_table(photos / "labels.csv", "id,breed", *lines))


def test_a_table_that_is_no_text_or_not_there_is_named(photos: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no\.csv"):
        _load(photos / "no.csv")
    _table(photos / "x.csv", "path,label", "0.png,größe", encoding="latin-1")
    with pytest.raises(ValueError, match=r"UTF-8 at .*x\.csv"):
        _load(photos / "x.csv")
    (photos / "x.csv").write_bytes((photos / "0.png").read_bytes())
    with pytest.raises(ValueError, match=r"UTF-8 at .*x\.csv"):
        _load(photos / "x.csv")


def test_images_that_are_not_named_are_counted(photos: Path) -> None:
    lines = [f"{path},{label}" for path, label in ROWS.items()][:8]
    data = _load(_table(photos.parent / "x.csv", "path,label", *lines), photos)
    (left_out,) = data.left_out
    assert (left_out.reason, left_out.count) == ("images that x.csv does not name", 4)


def test_an_image_has_one_path_however_it_is_written(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(photos)
    written = (photos / "{}", tmp_path / "link" / "{}", Path("../photos/{}"), Path("./{}"))
    relative = _load(_table(tmp_path / "x.csv", "path,label", *map(",".join, ROWS.items())), photos)
    for number in range(2):
        lines = [
            f"{str(written[(place + number) % 4]).format(path)},{label}"
            for place, (path, label) in enumerate(ROWS.items())
        ]
        mixed = _load(_table(tmp_path / "x.csv", "path,label", *lines), photos)
        assert _labelled(mixed) == ROWS
        assert (mixed.train.digest, mixed.test.digest) == (
            relative.train.digest,
            relative.test.digest,
        )
        assert mixed.left_out == ()
    for way in written[:3]:
        file = _table(tmp_path / "x.csv", "path,label", "0.png,even", f"{way},odd".format("0.png"))
        with pytest.raises(ValueError, match=r"'0\.png' in lines 2 and 3 with labels"):
            _load(file, photos)


def test_absolute_paths_make_no_other_data_elsewhere(photos: Path, tmp_path: Path) -> None:
    digests = []
    for name in ("photos", "moved/a/b"):
        place = tmp_path / name
        if not place.exists():
            place.parent.mkdir(parents=True)
            photos.rename(place)
        lines = [f"{place / path},{label}" for path, label in ROWS.items()]
        (tmp_path / "tables").mkdir(exist_ok=True)
        data = _load(_table(tmp_path / "tables" / "x.csv", "path,label", *lines))
        digests.append((data.train.digest, data.validation.digest, data.test.digest))
        assert _labelled(data) == ROWS
    assert digests[0] == digests[1]


def test_a_table_and_folders_of_splits_are_one_too_many(photos: Path) -> None:
    places = Places(labels=str(photos / "x.csv"), test_dir=str(photos))
    with pytest.raises(ValueError, match="`labels` or `test_dir`, got both"):
        load_data(DataSettings("folder"), root=places)


def test_a_folder_without_classes_leads_to_its_table(photos: Path) -> None:
    lines = [f"{path},{label}" for path, label in ROWS.items()]
    _table(photos / "answers.csv", "file,label,probability,error", *(f"{x},0.9," for x in lines))
    _table(photos / "empty.csv", "file_name,label")
    with pytest.raises(ValueError, match=r"got 12 images without. .*: --labels FILE$"):
        _load_root(photos)
    _table(photos / "metadata.csv", "file_name,label", *lines)
    with pytest.raises(ValueError, match=r"says what they are: --labels \S*/photos/metadata\.csv$"):
        _load_root(photos)
    (photos / "metadata.csv").rename(photos.parent / "labels.csv")
    for root in (photos, photos.parent):
        with pytest.raises(ValueError, match=r"says what they are: --labels \S*/labels\.csv$"):
            _load_root(root)
    with pytest.raises(FileNotFoundError, match="is named by --labels"):
        _load_root(photos / "answers.csv")


def _load_root(root: Path) -> ImageData:
    return load_data(DataSettings("folder"), root=str(root))


@pytest.mark.parametrize("head", ["path,label", ""])
@pytest.mark.parametrize("said", [False, True])
def test_images_may_lie_in_one_folder_beside_the_table(
    photos: Path, write_image: Writer, head: str, said: bool
) -> None:
    lines = [f"{path},{label}" for path, label in ROWS.items()]
    file = _table(photos.parent / "labels.csv", *([head] if head else []), *lines)
    write_image(photos.parent / "others" / "0.png", (99, 0, 0))
    root = photos.parent if said else None
    data = _load(file, root)
    assert _labelled(data) == {f"photos/{path}": label for path, label in ROWS.items()}
    assert "the paths of labels.csv start from photos/" in data.remarks
    (photos / "3.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"12 of 12 are not there.* is in others/: paths"):
        _load(file, root)


def test_folders_of_which_each_has_all_images_are_a_question(
    photos: Path, write_image: Writer
) -> None:
    file = _table(photos.parent / "x.csv", "path,label", *(f"{p},{c}" for p, c in ROWS.items()))
    for path in ROWS:
        write_image(photos.parent / "large" / path, (9, 9, 9))
    with pytest.raises(FileNotFoundError, match="12 of 12 are not there"):
        _load(file)


def test_what_is_not_there_is_said_with_what_is_nearly_called_so(photos: Path) -> None:
    _table(photos / "labels.csv", "path,label")
    with pytest.raises(FileNotFoundError, match=r"There is no \S*label\.csv. Did you mean labels"):
        _load(photos / "label.csv")
    with pytest.raises(FileNotFoundError, match=r"There is no \S*photo\. Did you mean photos\?"):
        _load_root(photos.parent / "photo")
    with pytest.raises(FileNotFoundError, match=r"There is no \S*/none\.$"):
        _load_root(photos.parent / "none" / "of" / "these")


def test_a_folder_that_is_nearly_called_so_is_named(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos.parent)
    with pytest.raises(ValueError, match=r"There is no folder photo here. Did you mean photos\?"):
        DataSettings("photo")
