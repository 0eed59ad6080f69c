from __future__ import annotations

import dataclasses
import hashlib
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tfkd.data import DataSettings, ImageData, load_data
from tfkd.data.sources import cifar as cifar_module

Pickler = Callable[[dict[bytes, object]], bytes]


def _write10(folder: Path, pickler: Pickler) -> dict[str, tuple[np.ndarray, list[int]]]:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    written = {}
    for name in [f"data_batch_{n}" for n in range(1, 6)] + ["test_batch"]:
        data = rng.integers(0, 256, (20, 3072), dtype=np.uint8)
        labels = [int(label) for label in rng.permutation(20) % 10]
        (folder / name).write_bytes(
            pickler({b"batch_label": b"x", b"labels": labels, b"data": data})
        )
        written[name] = (data, labels)
    names = [f"class {n}".encode() for n in range(10)]
    (folder / "batches.meta").write_bytes(pickler({b"label_names": names, b"num_vis": 3072}))
    return written


def _load(root: Path, name: str = "cifar10") -> ImageData:
    return load_data(DataSettings(name, validation_fraction=0.0), root=str(root))


@pytest.mark.parametrize("inner", [".", "cifar-10-batches-py", "cifar10/cifar-10-batches-py"])
def test_cifar10_pixels_and_labels(tmp_path: Path, python2_pickle: Pickler, inner: str) -> None:
    written = _write10(
        tmp_path / "root" / inner if inner != "." else tmp_path / "root", python2_pickle
    )
    data = _load(tmp_path / "root")
    assert data.classes == tuple(f"class {n}" for n in range(10))
    assert (len(data.train), len(data.validation), len(data.test)) == (100, 0, 20)
    pixels = data.train.official.pixels  # type: ignore[attr-defined]
    for position in range(100):
        rows, labels = written[f"data_batch_{position // 20 + 1}"]
        row = rows[position % 20]
        assert int(data.train.labels[position]) == labels[position % 20]
        # 1024 red, then green, then blue values, each row by row.
        red, green, blue = (row[start : start + 1024].reshape(32, 32) for start in (0, 1024, 2048))
        assert np.array_equal(pixels[position].numpy(), np.stack([red, green, blue]))
    assert data.test.labels.tolist() == written["test_batch"][1]


def test_cifar100_takes_the_fine_labels(tmp_path: Path, python2_pickle: Pickler) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (200, 3072), dtype=np.uint8)
    fine, coarse = [n % 100 for n in range(200)], [n % 20 for n in range(200)]
    content = python2_pickle({b"data": rows, b"fine_labels": fine, b"coarse_labels": coarse})
    for part in ("train", "test"):
        (tmp_path / part).write_bytes(content)
    names = [f"{n}".encode() for n in range(100)]
    (tmp_path / "meta").write_bytes(python2_pickle({b"fine_label_names": names}))
    data = _load(tmp_path, "cifar100")
    assert data.num_classes == 100
    assert data.train.labels.tolist() == fine
    assert data.test.labels.tolist() == fine


def test_the_archive_is_read_after_its_checksum(
    tmp_path: Path, python2_pickle: Pickler, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = _write10(tmp_path / "cifar-10-batches-py", python2_pickle)
    root = tmp_path / "root"
    root.mkdir()
    archive = root / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "cifar-10-batches-py", "cifar-10-batches-py")
    with pytest.raises(ValueError, match="MD5"):
        _load(root)
    md5 = hashlib.md5(archive.read_bytes()).hexdigest()
    edition = dataclasses.replace(cifar_module._CIFAR10, md5=md5)
    monkeypatch.setattr(cifar_module, "_CIFAR10", edition)
    assert _load(root).test.labels.tolist() == written["test_batch"][1]


def test_a_missing_set_says_where_it_looked_and_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFKD_DATA", str(tmp_path / "everyone"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with pytest.raises(FileNotFoundError) as caught:
        load_data(DataSettings("cifar100"))
    message = str(caught.value)
    for part in ("everyone/cifar100", "home/.cache/tfkd/cifar100", "cs.toronto.edu", "--data-root"):
        assert part in message


def test_tfkd_data_is_looked_in(
    tmp_path: Path, python2_pickle: Pickler, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write10(tmp_path / "cifar10" / "cifar-10-batches-py", python2_pickle)
    monkeypatch.setenv("TFKD_DATA", str(tmp_path))
    assert len(load_data(DataSettings("cifar10")).test) == 20


def test_a_missing_batch_is_named(tmp_path: Path, python2_pickle: Pickler) -> None:
    _write10(tmp_path / "root", python2_pickle)
    (tmp_path / "root" / "data_batch_3").unlink()
    with pytest.raises(FileNotFoundError, match="data_batch_3"):
        _load(tmp_path / "root")


@pytest.mark.parametrize(
    "content",
    [
        {b"labels": [0, 10], b"data": np.zeros((2, 3072), np.uint8)},
        {b"labels": [0, -1], b"data": np.zeros((2, 3072), np.uint8)},
        {b"labels": [0], b"data": np.zeros((2, 3072), np.uint8)},
        {b"labels": [0, 1], b"data": np.zeros((2, 3071), np.uint8)},
        {b"labels": [0, 1]},
    ],
    ids=["label too large", "label negative", "labels too few", "pixels too few", "no pixels"],
)
def test_wrong_shapes_and_labels_are_refused(
    tmp_path: Path, python2_pickle: Pickler, content: dict[bytes, object]
) -> None:
    _write10(tmp_path / "root", python2_pickle)
    (tmp_path / "root" / "data_batch_2").write_bytes(python2_pickle(content))
    with pytest.raises(ValueError, match="data_batch_2"):
        _load(tmp_path / "root")


def test_a_malicious_batch_is_refused_unread(tmp_path: Path, python2_pickle: Pickler) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.mkdir, (tmp_path / "mark",)

    _write10(tmp_path / "root", python2_pickle)
    (tmp_path / "root" / "test_batch").write_bytes(pickle.dumps({b"data": Evil()}, protocol=2))
    with pytest.raises(ValueError, match=r"test_batch.*refused"):
        _load(tmp_path / "root")
    assert not (tmp_path / "mark").exists()


def test_default_augmentation_and_normalisation(tmp_path: Path, python2_pickle: Pickler) -> None:
    _write10(tmp_path / "root", python2_pickle)
    data = _load(tmp_path / "root")
    augmentation = data.augmentation
    assert (augmentation.crop_padding, augmentation.flip, augmentation.rotation) == (4, True, 15.0)
    assert torch.tensor(data.mean).tolist() == pytest.approx([0.50708, 0.48655, 0.44092], abs=1e-5)
    assert torch.tensor(data.std).tolist() == pytest.approx([0.26733, 0.25644, 0.27615], abs=1e-5)


@pytest.mark.parametrize("label", [10, -1, True, 1.0, None])
def test_labels_out_of_range_are_named(
    tmp_path: Path, python2_pickle: Pickler, label: object
) -> None:
    _write10(tmp_path / "c", python2_pickle)
    content = pickle.dumps(
        {b"data": np.zeros((2, 3072), np.uint8), b"labels": [0, label]}, protocol=2
    )
    (tmp_path / "c" / "data_batch_3").write_bytes(content)
    with pytest.raises(ValueError, match=r"labels from 0 to 9 .*data_batch_3"):
        _load(tmp_path / "c")
