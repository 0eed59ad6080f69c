from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from tfkd.data import DataSettings, ImageData, load_data

Writer = Callable[..., Path]


@pytest.fixture
def root(tmp_path: Path, write_image: Writer) -> Path:
    for wnid in ("n02", "n01"):
        for number in range(2):
            write_image(tmp_path / "train" / wnid / f"{wnid}_{number}.JPEG", (number, 0, 0))
    return tmp_path


def _load(root: Path) -> ImageData:
    return load_data(DataSettings("imagenet", validation_fraction=0.0), root=str(root))


def _mat(**variables: np.ndarray) -> bytes:
    file = io.BytesIO()
    savemat(file, variables)
    return file.getvalue()


def _paths(data: ImageData) -> list[str]:
    return data.test.official.paths  # type: ignore[attr-defined,no-any-return]


def test_validation_by_class(root: Path, write_image: Writer) -> None:
    write_image(root / "val" / "n01" / "ILSVRC2012_val_00000002.JPEG", 0)
    write_image(root / "val" / "n02" / "ILSVRC2012_val_00000001.JPEG", 0)
    data = _load(root)
    assert data.classes == ("n01", "n02")
    assert data.train.labels.tolist() == [0, 0, 1, 1]
    assert dict(zip(_paths(data), data.test.labels.tolist(), strict=True)) == {
        "val/n01/ILSVRC2012_val_00000002.JPEG": 0,
        "val/n02/ILSVRC2012_val_00000001.JPEG": 1,
    }
    assert (data.image_size, data.channels) == (224, 3)


@pytest.fixture
def flat(root: Path, write_image: Writer) -> Path:
    devkit = root / "ILSVRC2012_devkit_t12" / "data"
    devkit.mkdir(parents=True)
    # Numbers that are not in the order of the ids; 1001 is an inner node, as in the real file.
    fields = [("ILSVRC2012_ID", "f8"), ("WNID", "O"), ("words", "O"), ("num_children", "f8")]
    rows = [(1, "n02", "two", 0), (2, "n01", "one", 0), (1001, "n00", "thing", 2)]
    savemat(devkit / "meta.mat", {"synsets": np.array(rows, dtype=fields)[:, None]})
    (devkit / "ILSVRC2012_validation_ground_truth.txt").write_text("2\n1\n1\n")
    for number in range(1, 4):
        write_image(root / "val" / f"ILSVRC2012_val_{number:08d}.JPEG", 0)
    return root


def test_flat_validation_with_the_development_kit(flat: Path) -> None:
    data = _load(flat)
    assert data.test.labels.tolist() == [0, 1, 1]
    assert _paths(data) == [f"val/ILSVRC2012_val_{n:08d}.JPEG" for n in (1, 2, 3)]


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int64, np.float64])
def test_numbers_of_any_type_are_read(flat: Path, compressed: bool, kind: type[np.generic]) -> None:
    rows = [(kind(1), "n01"), (kind(2), "n02"), (kind(100), "n00")]
    synsets = np.array(rows, dtype=[("ILSVRC2012_ID", "O"), ("WNID", "O")])[:, None]
    meta = flat / "ILSVRC2012_devkit_t12" / "data" / "meta.mat"
    savemat(meta, {"other": np.eye(3), "synsets": synsets}, do_compression=compressed)
    assert _load(flat).test.labels.tolist() == [1, 0, 0]


def test_what_is_missing_is_named(flat: Path) -> None:
    (flat / "val" / "ILSVRC2012_val_00000002.JPEG").unlink()
    with pytest.raises(FileNotFoundError, match="ILSVRC2012_val_00000002"):
        _load(flat)
    (flat / "ILSVRC2012_devkit_t12" / "data" / "meta.mat").unlink()
    with pytest.raises(FileNotFoundError, match=r"meta\.mat"):
        _load(flat)


def test_a_number_of_no_training_class_is_refused(flat: Path) -> None:
    truth = flat / "ILSVRC2012_devkit_t12" / "data" / "ILSVRC2012_validation_ground_truth.txt"
    truth.write_text("2\n1001\n1\n")
    with pytest.raises(ValueError, match="line 2"):
        _load(flat)


def test_a_validation_class_without_training_images_is_refused(
    root: Path, write_image: Writer
) -> None:
    for wnid in ("n01", "n02", "n77"):
        write_image(root / "val" / wnid / "a.JPEG", 0)
    with pytest.raises(ValueError, match="n77"):
        _load(root)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("ILSVRC2012_validation_ground_truth.txt", b"2\n1\n1002\n"),
        ("ILSVRC2012_validation_ground_truth.txt", b"2\nx\n1\n"),
        ("ILSVRC2012_validation_ground_truth.txt", b"\xff"),
        ("meta.mat", b"no matlab file"),
        ("meta.mat", b""),
        ("meta.mat", _mat(others=np.eye(3))),
        ("meta.mat", _mat(synsets=np.eye(3))),
        ("meta.mat", _mat(synsets=np.array([(1, "x"), (2, "y")], [("WNID", "O"), ("b", "O")]))),
        ("meta.mat", _mat(synsets=np.eye(300))[:5000]),
    ],
)
def test_a_damaged_development_kit_is_named(flat: Path, name: str, content: bytes) -> None:
    (flat / "ILSVRC2012_devkit_t12" / "data" / name).write_bytes(content)
    with pytest.raises(ValueError, match=name.replace(".", r"\.")):
        _load(flat)
