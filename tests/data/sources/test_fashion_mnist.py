from __future__ import annotations

import gzip
import resource
import struct
from pathlib import Path

import numpy as np
import pytest

from tfkd.data import DataSettings, ImageData, load_data

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def _idx(array: np.ndarray) -> bytes:
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def _write(folder: Path, *, compressed: bool) -> dict[str, np.ndarray]:
    folder.mkdir()
    rng = np.random.default_rng(0)
    written = {}
    for part, count in (("train", 30), ("t10k", 10)):
        arrays = {
            f"{part}-images-idx3-ubyte": rng.integers(0, 256, (count, 28, 28)),
            f"{part}-labels-idx1-ubyte": np.arange(count) % 10,
        }
        for name, array in arrays.items():
            path = folder / (f"{name}.gz" if compressed else name)
            path.write_bytes(gzip.compress(_idx(array), mtime=0) if compressed else _idx(array))
            written[name] = array
    return written


def _load(root: Path) -> ImageData:
    return load_data(DataSettings("fashion-mnist", validation_fraction=0.0), root=str(root))


@pytest.mark.parametrize("compressed", [True, False])
def test_pixels_and_labels(tmp_path: Path, compressed: bool) -> None:
    written = _write(tmp_path / "f", compressed=compressed)
    data = _load(tmp_path / "f")
    assert (data.channels, data.image_size, data.num_classes) == (1, 28, 10)
    for split, part in ((data.train, "train"), (data.test, "t10k")):
        pixels = split.official.pixels[:, 0].numpy()  # type: ignore[attr-defined]
        assert np.array_equal(pixels, written[f"{part}-images-idx3-ubyte"])
        assert np.array_equal(split.labels.numpy(), written[f"{part}-labels-idx1-ubyte"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train-labels-idx1-ubyte", _idx(np.zeros(30))[:-1], "MNIST's format"),
        ("train-labels-idx1-ubyte", _idx(np.zeros(30)) + b"x", "MNIST's format"),
        ("train-labels-idx1-ubyte", _idx(np.zeros(29)), "Expected 30 labels"),
        ("train-labels-idx1-ubyte", _idx(np.full(30, 10)), "labels from 0 to 9"),
        ("train-labels-idx1-ubyte", b"\0\0\x09\x01" + _idx(np.zeros(30))[4:], "MNIST's format"),
        ("train-labels-idx1-ubyte", b"\0\0\x08\x01\xff\xff\xff\xff", "MNIST's format"),
        ("train-labels-idx1-ubyte", b"", "MNIST's format"),
        ("t10k-images-idx3-ubyte", _idx(np.zeros((10, 28, 27))), "28 × 28"),
        ("t10k-images-idx3-ubyte", _idx(np.zeros((10, 28))), "MNIST's format"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    _write(tmp_path / "f", compressed=False)
    (tmp_path / "f" / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        _load(tmp_path / "f")
    assert str(tmp_path / "f" / name) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    _write(tmp_path / "f", compressed=True)
    (tmp_path / "f" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match="t10k-labels-idx1-ubyte"):
        _load(tmp_path / "f")


_WHOLE = gzip.compress(_idx(np.zeros(30)), mtime=0)


@pytest.mark.parametrize(
    "content",
    [
        b"not gzip",
        gzip.compress(b"x" * 1000, mtime=0)[:-9],
        _WHOLE[:-9],
        _WHOLE[:12] + bytes([_WHOLE[12] ^ 0xFF]) + _WHOLE[13:],
        _WHOLE[:-8] + bytes(8),  # its checksum
    ],
    ids=["none", "cut short", "end missing", "damaged", "another checksum"],
)
def test_damaged_gzip_is_refused(tmp_path: Path, content: bytes) -> None:
    _write(tmp_path / "f", compressed=True)
    (tmp_path / "f" / "train-labels-idx1-ubyte.gz").write_bytes(content)
    with pytest.raises(ValueError, match=r"MNIST's format at .*train-labels-idx1-ubyte\.gz"):
        _load(tmp_path / "f")


def test_gzip_is_not_unpacked_without_end(tmp_path: Path) -> None:
    _write(tmp_path / "f", compressed=True)
    # Four GiB in four MB; gzip files may follow one another in one.
    bomb = gzip.compress(_idx(np.zeros(30))) + 64 * gzip.compress(bytes(1 << 26))
    (tmp_path / "f" / "train-labels-idx1-ubyte.gz").write_bytes(bomb)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match="train-labels-idx1-ubyte"):
        _load(tmp_path / "f")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000  # KiB


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="needs Debian's package dataset-fashion-mnist")
def test_the_real_data_set() -> None:
    data = load_data(DataSettings("fashion-mnist"))
    assert (len(data.train), len(data.validation), len(data.test)) == (54_000, 6_000, 10_000)
    for split, each in ((data.train, 5_400), (data.validation, 600), (data.test, 1_000)):
        assert np.bincount(split.labels.numpy()).tolist() == [each] * 10
    pixels = data.train.official.pixels.numpy()  # type: ignore[attr-defined]
    assert pixels.mean() / 255 == pytest.approx(data.mean[0], abs=1e-4)
    assert pixels.std() / 255 == pytest.approx(data.std[0], abs=1e-4)
