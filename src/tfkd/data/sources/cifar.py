"""CIFAR-10 and CIFAR-100: the published files, read by torchvision, or images by class."""

from __future__ import annotations

import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torchvision.datasets import CIFAR10, CIFAR100
from torchvision.datasets.utils import check_integrity

from tfkd.data.augmentation import Augmentation
from tfkd.data.image_files import subfolders
from tfkd.data.images import MemoryImages
from tfkd.data.sources.imagenet import files_by_class
from tfkd.data.sources.in_memory import in_memory
from tfkd.data.sources.source import Source, locate

# Of the CIFAR-100 training pixels. The released code of the paper (arXiv 1909.11723) normalises
# CIFAR-10 with the same numbers, and augments both alike.
_MEAN = (0.5070751592371323, 0.48654887331495095, 0.4409178433670343)
_STD = (0.2673342858792401, 0.2564384629170883, 0.27615047132568404)
_AUGMENTATION = Augmentation(crop_padding=4, flip=True, rotation=15.0)
_SIZE = 32


def load_cifar10(root: str | None = None) -> Source:
    """Return CIFAR-10: 50 000 + 10 000 images of 32 × 32, ten classes.

    Args:
        root: the folder cifar-10-batches-py, or the one that holds it or cifar-10-python.tar.gz,
            or a folder of images, train/<class>/ and test/<class>/; None: the usual places.

    Raises:
        FileNotFoundError: if it is nowhere, or a file of it is missing.
        ValueError: for a file that is not the published one, an image that is damaged or of
            another size, or another number of classes.

    Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
    """
    return load_cifar("cifar10", CIFAR10, 10, root)


def load_cifar100(root: str | None = None) -> Source:
    """Return CIFAR-100: 50 000 + 10 000 images of 32 × 32, a hundred (fine) classes.

    Args:
        root: the folder cifar-100-python, or the one that holds it or cifar-100-python.tar.gz,
            or a folder of images, train/<class>/ and test/<class>/; None: the usual places.

    Raises:
        FileNotFoundError: if it is nowhere, or a file of it is missing.
        ValueError: for a file that is not the published one, an image that is damaged or of
            another size, or another number of classes.

    Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
    """
    return load_cifar("cifar100", CIFAR100, 100, root)


def load_cifar(name: str, published: type[CIFAR10], num_classes: int, root: str | None) -> Source:
    """Return one of the two.

    The published files are pickles, which run what they name. torchvision opens none of which the
    MD5 checksum is not the published one. Any other copy is read as images.

    Args:
        name: by which the data set is looked for.
        published: the names of its files and their checksums.
        num_classes: 10 or 100.
        root: where to look; None: the usual places.

    Raises:
        FileNotFoundError: as `load_cifar10`.
        ValueError: as `load_cifar10`.
    """

    def find(place: Path) -> Path | None:
        for folder in (place / published.base_folder, place):
            names = (published.test_list[0][0], published.meta["filename"])
            if all((folder / name).is_file() for name in names):
                return folder
        for archive in (place / published.filename, place):
            if archive.name == published.filename and archive.is_file():
                return archive
        images = (place / "train").is_dir() and (place / "test").is_dir()
        return place if images else None

    obtain = f"Put {published.url} there, as it is or unpacked."
    place = locate(name, root, find, obtain=obtain)
    if place.is_file():
        classes, train, test = _from_archive(place, published)
    elif (place / "train").is_dir():
        classes, train, test = _from_images(place, num_classes)
    else:
        classes, train, test = _from_folder(place, published)
    return Source(
        classes=classes,
        train=train,
        test=test,
        mean=_MEAN,
        std=_STD,
        image_size=_SIZE,
        augmentation=_AUGMENTATION,
    )


_Read = tuple[tuple[str, ...], MemoryImages, MemoryImages]


def _from_folder(folder: Path, published: type[CIFAR10]) -> _Read:
    # torchvision checks the files of both parts whenever it reads one: here each of its own.
    train_only: dict[str, Any] = {"base_folder": ".", "test_list": []}
    test_only: dict[str, Any] = {"base_folder": ".", "train_list": []}
    try:
        train = type("Train", (published,), train_only)(folder, train=True)
        test = type("Test", (published,), test_only)(folder, train=False)
    except RuntimeError:  # it says only that there is something
        _name_what_is_wrong(folder, published)
        raise
    return tuple(train.classes), _images(train), _images(test)


def _images(part: CIFAR10) -> MemoryImages:
    pixels = torch.from_numpy(part.data).permute(0, 3, 1, 2)
    return MemoryImages(pixels, torch.tensor(part.targets, dtype=torch.int64))


def _name_what_is_wrong(folder: Path, published: type[CIFAR10]) -> None:
    meta = (published.meta["filename"], published.meta["md5"])
    for name, md5 in (*published.train_list, *published.test_list, meta):
        path = folder / name
        if not path.is_file():
            raise FileNotFoundError(f"Expected the file {path}, as in {published.filename}.")
        if not check_integrity(path, md5):
            raise ValueError(
                f"Expected {path} to be the published file, with the MD5 checksum {md5}. Any other "
                "could run whatever it names, and is not opened: give images instead, in "
                "train/<class>/ and test/<class>/."
            )


def _from_archive(archive: Path, published: type[CIFAR10]) -> _Read:
    if not check_integrity(archive, published.tgz_md5):
        raise ValueError(
            f"Expected {archive} to have the MD5 checksum {published.tgz_md5}: the download is "
            "incomplete or another file."
        )
    # Not beside the archive: that folder may be read-only, and several runs may start at once.
    with TemporaryDirectory() as folder, tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
        return _from_folder(Path(folder) / published.base_folder, published)


def _from_images(folder: Path, num_classes: int) -> _Read:
    classes = subfolders(folder / "train")
    if len(classes) != num_classes:
        raise ValueError(
            f"Expected a folder for each of {num_classes} classes in {folder / 'train'}, "
            f"got {len(classes)}."
        )
    train, test = (
        in_memory(files_by_class(folder, part, classes), _SIZE) for part in ("train", "test")
    )
    return tuple(classes), train, test
