"""CIFAR-10 and CIFAR-100, read from their "python version"."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tfkd.data.augmentation import Augmentation
from tfkd.data.images import MemoryImages
from tfkd.data.sources.source import Source, locate
from tfkd.data.sources.unpickle import load_arrays


@dataclass(frozen=True)
class _Edition:
    name: str
    folder: str
    archive: str
    md5: str
    train: tuple[str, ...]
    test: str
    meta: str
    labels: bytes
    label_names: bytes
    num_classes: int


# Checksums: https://www.cs.toronto.edu/~kriz/cifar.html
_CIFAR10 = _Edition(
    name="cifar10",
    folder="cifar-10-batches-py",
    archive="cifar-10-python.tar.gz",
    md5="c58f30108f718f92721af3b95e74349a",
    train=tuple(f"data_batch_{number}" for number in range(1, 6)),
    test="test_batch",
    meta="batches.meta",
    labels=b"labels",
    label_names=b"label_names",
    num_classes=10,
)
_CIFAR100 = _Edition(
    name="cifar100",
    folder="cifar-100-python",
    archive="cifar-100-python.tar.gz",
    md5="eb9058c3a382ffc7106e4002c42a8d85",
    train=("train",),
    test="test",
    meta="meta",
    labels=b"fine_labels",
    label_names=b"fine_label_names",
    num_classes=100,
)

# Of the CIFAR-100 training pixels. The released code of the paper (arXiv 1909.11723) normalises
# CIFAR-10 with the same numbers, and augments both alike.
_MEAN = (0.5070751592371323, 0.48654887331495095, 0.4409178433670343)
_STD = (0.2673342858792401, 0.2564384629170883, 0.27615047132568404)
_AUGMENTATION = Augmentation(crop_padding=4, flip=True, rotation=15.0)


def load_cifar10(root: str | None = None) -> Source:
    """Return CIFAR-10: 50 000 + 10 000 images of 32 × 32, ten classes.

    Args:
        root: the folder cifar-10-batches-py, or the one that holds it or cifar-10-python.tar.gz;
            None: the usual places.

    Raises:
        FileNotFoundError: if it is nowhere, or a file of it is missing.
        ValueError: for a file that is damaged or not what it says it is.

    Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
    """
    return _load(_CIFAR10, root)


def load_cifar100(root: str | None = None) -> Source:
    """Return CIFAR-100: 50 000 + 10 000 images of 32 × 32, a hundred (fine) classes.

    Args:
        root: the folder cifar-100-python, or the one that holds it or cifar-100-python.tar.gz;
            None: the usual places.

    Raises:
        FileNotFoundError: if it is nowhere, or a file of it is missing.
        ValueError: for a file that is damaged or not what it says it is.

    Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
    """
    return _load(_CIFAR100, root)


def _load(edition: _Edition, root: str | None) -> Source:
    def find(place: Path) -> Path | None:
        options = [place / edition.folder, place, place / edition.archive]
        for option in options[:2]:
            if (option / edition.test).is_file() and (option / edition.meta).is_file():
                return option
        if options[2].is_file():
            return options[2]
        return place if place.name == edition.archive and place.is_file() else None

    obtain = f"Put https://www.cs.toronto.edu/~kriz/{edition.archive} there, as it is or unpacked."
    place = locate(edition.name, root, find, obtain=obtain)
    read = _from_folder(place) if place.is_dir() else _from_archive(place, edition)
    names = read(edition.meta).get(edition.label_names)
    if (
        not isinstance(names, list)
        or len(names) != edition.num_classes
        or not all(isinstance(name, (bytes, str)) for name in names)
    ):
        raise ValueError(f"Expected {edition.num_classes} class names in {place}/{edition.meta}.")
    parts = [_images(read(name), f"{place}/{name}", edition) for name in edition.train]
    train = MemoryImages(
        torch.cat([part.pixels for part in parts]), torch.cat([part.labels for part in parts])
    )
    return Source(
        classes=tuple(
            name.decode(errors="replace") if isinstance(name, bytes) else name for name in names
        ),
        train=train,
        test=_images(read(edition.test), f"{place}/{edition.test}", edition),
        mean=_MEAN,
        std=_STD,
        image_size=32,
        augmentation=_AUGMENTATION,
    )


def _from_folder(folder: Path) -> Callable[[str], dict[bytes, Any]]:
    def read(name: str) -> dict[bytes, Any]:
        path = folder / name
        if not path.is_file():
            raise FileNotFoundError(f"Expected the file {path}, as in the official archive.")
        return load_arrays(path.read_bytes(), str(path))

    return read


def _from_archive(archive: Path, edition: _Edition) -> Callable[[str], dict[bytes, Any]]:
    digest = hashlib.md5(usedforsecurity=False)  # the only checksum that was published
    with archive.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != edition.md5:
        raise ValueError(
            f"Expected {archive} to have the MD5 checksum {edition.md5}, got "
            f"{digest.hexdigest()}: the download is incomplete or another file."
        )
    wanted = {*edition.train, edition.test, edition.meta}
    with tarfile.open(archive, "r:gz") as tar:
        contents = {
            Path(member.name).name: member_file.read()
            for member in tar
            if Path(member.name).name in wanted and (member_file := tar.extractfile(member))
        }

    def read(name: str) -> dict[bytes, Any]:
        return load_arrays(contents[name], f"{archive}/{name}")

    return read


def _images(found: dict[bytes, Any], origin: str, edition: _Edition) -> MemoryImages:
    data, labels = found.get(b"data"), found.get(edition.labels)
    if not isinstance(data, np.ndarray) or data.shape[1:] != (3 * 32 * 32,) or not len(data):
        raise ValueError(f"Expected an array (n, 3072) of bytes called `data` in {origin}.")
    if (
        not isinstance(labels, list)
        or len(labels) != len(data)
        or not all(type(label) is int and 0 <= label < edition.num_classes for label in labels)
    ):
        raise ValueError(
            f"Expected {len(data)} labels from 0 to {edition.num_classes - 1} called "
            f"`{edition.labels.decode()}` in {origin}."
        )
    pixels: NDArray[np.uint8] = data.reshape(-1, 3, 32, 32).copy()
    return MemoryImages(torch.from_numpy(pixels), torch.tensor(labels, dtype=torch.int64))
