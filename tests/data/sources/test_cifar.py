from __future__ import annotations

import hashlib
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10, CIFAR100

from tfkd.data import DataSettings, load_data
from tfkd.data.images import MemoryImages
from tfkd.data.sources.cifar import load_cifar, load_cifar10, load_cifar100

FILES = (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch", "batches.meta")
NAMES = [f"class {n}" for n in range(10)]


def _write10(folder: Path) -> dict[str, tuple[np.ndarray, list[int]]]:
    """Twenty images in each of the official files."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    written = {}
    for name in FILES[:-1]:
        data = rng.integers(0, 256, (20, 3072), dtype=np.uint8)
        labels = [int(label) for label in rng.permutation(20) % 10]
        (folder / name).write_bytes(pickle.dumps({"labels": labels, "data": data}))
        written[name] = (data, labels)
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": NAMES}))
    return written


def _published(official: type[CIFAR10], folder: Path, archive: Path | None = None) -> type[CIFAR10]:
    """What would be published if the files of `folder` were."""

    def md5(path: Path) -> str:
        return hashlib.md5(path.read_bytes()).hexdigest()

    own = {
        "train_list": [[name, md5(folder / name)] for name, _ in official.train_list],
        "test_list": [[name, md5(folder / name)] for name, _ in official.test_list],
        "meta": {**official.meta, "md5": md5(folder / official.meta["filename"])},
        "tgz_md5": "" if archive is None else md5(archive),
    }
    return type("Published", (official,), own)


def _pixels(images: object) -> np.ndarray:
    assert isinstance(images, MemoryImages)
    return images.pixels.numpy()


@pytest.mark.parametrize("inner", [".", "cifar-10-batches-py", "cifar10/cifar-10-batches-py"])
def test_cifar10_pixels_and_labels(tmp_path: Path, inner: str) -> None:
    folder = tmp_path / "root" / inner
    written = _write10(folder)
    source = load_cifar("cifar10", _published(CIFAR10, folder), 10, str(tmp_path / "root"))
    assert source.classes == tuple(NAMES)
    assert (len(source.train), len(source.test)) == (100, 20)
    pixels = _pixels(source.train)
    for position in range(100):
        rows, labels = written[f"data_batch_{position // 20 + 1}"]
        row = rows[position % 20]
        assert int(source.train.labels[position]) == labels[position % 20]
        # 1024 red, then green, then blue values, each row by row.
        red, green, blue = (row[start : start + 1024].reshape(32, 32) for start in (0, 1024, 2048))
        assert np.array_equal(pixels[position], np.stack([red, green, blue]))
    rows, labels = written["test_batch"]
    assert np.array_equal(_pixels(source.test).reshape(20, 3072), rows)
    assert source.test.labels.tolist() == labels


def test_cifar100_takes_the_fine_labels(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (200, 3072), dtype=np.uint8)
    fine, coarse = [n % 100 for n in range(200)], [n % 20 for n in range(200)]
    for part in ("train", "test"):
        content = {"data": rows, "fine_labels": fine, "coarse_labels": coarse}
        (tmp_path / part).write_bytes(pickle.dumps(content))
    names = [f"{n}" for n in range(100)]
    (tmp_path / "meta").write_bytes(pickle.dumps({"fine_label_names": names}))
    source = load_cifar("cifar100", _published(CIFAR100, tmp_path), 100, str(tmp_path))
    assert source.classes == tuple(names)
    assert source.train.labels.tolist() == fine
    assert source.test.labels.tolist() == fine


def test_the_archive_is_read_after_its_checksum(tmp_path: Path) -> None:
    written = _write10(tmp_path / "cifar-10-batches-py")
    root = tmp_path / "root"
    root.mkdir()
    archive = root / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "cifar-10-batches-py", "cifar-10-batches-py")
    with pytest.raises(ValueError, match=r"cifar-10-python\.tar\.gz.*MD5.*c58f30108f718f92721af3b"):
        load_cifar10(str(root))
    published = _published(CIFAR10, tmp_path / "cifar-10-batches-py", archive)
    for place in (root, archive):
        source = load_cifar("cifar10", published, 10, str(place))
        assert source.test.labels.tolist() == written["test_batch"][1]
    assert list(root.iterdir()) == [archive]


def test_a_missing_set_says_where_it_looked_and_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFKD_DATA", str(tmp_path / "everyone"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with pytest.raises(FileNotFoundError) as caught:
        load_data(DataSettings("cifar100"))
    message = str(caught.value)
    for part in ("everyone/cifar100", "home/.cache/tfkd/cifar100", "cs.toronto.edu", "--data-root"):
        assert part in message


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    _write10(folder)
    published = _published(CIFAR10, folder)
    (folder / name).unlink()
    # Without these two it is not recognised as CIFAR at all.
    named = str(tmp_path) if name in ("test_batch", "batches.meta") else name
    with pytest.raises(FileNotFoundError, match=named):
        load_cifar("cifar10", published, 10, str(tmp_path))


class _Evil:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.mkdir, (self.mark,)


@pytest.mark.parametrize("name", FILES)
def test_a_malicious_file_is_not_opened(tmp_path: Path, name: str) -> None:
    _write10(tmp_path / "root")
    published = _published(CIFAR10, tmp_path / "root")
    evil = pickle.dumps(_Evil(tmp_path / "mark"))
    (tmp_path / "root" / name).write_bytes(evil)
    with pytest.raises(ValueError, match=f"{name} .*MD5"):
        load_cifar("cifar10", published, 10, str(tmp_path / "root"))
    assert not (tmp_path / "mark").exists()
    pickle.loads(evil)  # it would have
    assert (tmp_path / "mark").exists()


def test_files_that_are_not_the_published_ones_are_refused_with_what_remains(
    tmp_path: Path,
) -> None:
    _write10(tmp_path / "root")
    with pytest.raises(ValueError, match=r"data_batch_1 .*c99cafc152244.*train/<class>"):
        load_cifar10(str(tmp_path / "root"))


def _write_images(root: Path, write_image: Callable[..., Path], classes: int) -> np.ndarray:
    """Two training images and a test image of each class, without loss."""
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, 256, (classes, 3, 32, 32, 3), dtype=np.uint8)
    for label in range(classes):
        for number, part in enumerate(("train", "train", "test")):
            write_image(root / part / f"c{label:03d}" / f"{number}.png", pixels[label, number])
    return pixels.transpose(0, 1, 4, 2, 3)


@pytest.mark.parametrize(("load", "count"), [(load_cifar10, 10), (load_cifar100, 100)])
def test_images_by_class_are_read(
    tmp_path: Path, write_image: Callable[..., Path], load: Callable[..., object], count: int
) -> None:
    pixels = _write_images(tmp_path, write_image, count)
    source = load(str(tmp_path))
    assert source.classes == tuple(f"c{n:03d}" for n in range(count))  # type: ignore[attr-defined]
    train, test = source.train, source.test  # type: ignore[attr-defined]
    assert train.labels.tolist() == [n // 2 for n in range(2 * count)]
    assert test.labels.tolist() == list(range(count))
    assert np.array_equal(_pixels(train), pixels[:, :2].reshape(-1, 3, 32, 32))
    assert np.array_equal(_pixels(test), pixels[:, 2])


def test_tfkd_data_is_looked_in(
    tmp_path: Path, write_image: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _write_images(tmp_path / "cifar10", write_image, 10)
    monkeypatch.setenv("TFKD_DATA", str(tmp_path))
    assert len(load_data(DataSettings("cifar10", validation_fraction=0.0)).test) == 10


def test_wrong_images_are_named(tmp_path: Path, write_image: Callable[..., Path]) -> None:
    _write_images(tmp_path, write_image, 10)
    with pytest.raises(ValueError, match=r"each of 100 classes in .*train, got 10"):
        load_cifar100(str(tmp_path))
    write_image(tmp_path / "test" / "c003" / "2.png", 0, size=31)
    with pytest.raises(ValueError, match=r"32 × 32 pixels at .*c003/2\.png"):
        load_cifar10(str(tmp_path))
    (tmp_path / "test" / "c003" / "2.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"c003/2\.png"):
        load_cifar10(str(tmp_path))
    (tmp_path / "test" / "c003" / "2.png").unlink()
    with pytest.raises(ValueError, match=r"'c003' in .*test"):
        load_cifar10(str(tmp_path))


def test_default_augmentation_and_normalisation(
    tmp_path: Path, write_image: Callable[..., Path]
) -> None:
    _write_images(tmp_path, write_image, 10)
    source = load_cifar10(str(tmp_path))
    augmentation = source.augmentation
    assert (augmentation.crop_padding, augmentation.flip, augmentation.rotation) == (4, True, 15.0)
    assert source.image_size == 32
    assert torch.tensor(source.mean).tolist() == pytest.approx(
        [0.50708, 0.48655, 0.44092], abs=1e-5
    )
    assert torch.tensor(source.std).tolist() == pytest.approx([0.26733, 0.25644, 0.27615], abs=1e-5)
