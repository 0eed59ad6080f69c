"""Any folder of images by class."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

from tfkd._checks import is_writable
from tfkd.data.image_files import check_images, image_paths, subfolders
from tfkd.data.images import ImageFiles
from tfkd.data.sources.imagenet import (
    IMAGENET_AUGMENTATION,
    IMAGENET_MEAN,
    IMAGENET_STD,
    files_by_class,
)
from tfkd.data.sources.source import Source


def load_folder(folder: Path) -> Source:
    """Return the image files of `folder/<class>`, or of `folder/train` and `folder/test` by class.

    In the first case a fifth of each class, at least one image, is for testing: those whose
    relative paths have the smallest SHA-256 digests, whatever the seed. In the second case
    `folder/val` is taken where there is no `folder/test`. The classes are the names of the
    folders, sorted; they may be in any script. Every file is opened once, without decoding it: what
    is no image is found now, what is damaged further inside when it is decoded.

    Args:
        folder: where they lie.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: for fewer than two classes, a class without enough images or missing from the
            test part, a name of a class that is not UTF-8 or has control characters, or files that
            are no images, naming them.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"Expected a folder of images by class at {folder}.")
    names = subfolders(folder)
    test_part = next((part for part in ("test", "val") if part in names), None)
    if "train" in names and subfolders(folder / "train"):
        if test_part is None:
            raise ValueError(f"Expected {folder / 'test'} or {folder / 'val'} beside train.")
        classes = subfolders(folder / "train")
        _check_classes(folder / "train", classes)
        train = files_by_class(folder, "train", classes)
        test = files_by_class(folder, test_part, classes)
    else:
        classes = names
        _check_classes(folder, classes)
        train, test = _divided(folder, classes)
    check_images(folder, [*train.paths, *test.paths])
    return Source(
        classes=tuple(classes),
        train=train,
        test=test,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        image_size=224,
        augmentation=IMAGENET_AUGMENTATION,
    )


def _check_classes(folder: Path, classes: list[str]) -> None:
    if len(classes) < 2:
        found = f"only {classes[0]!r}" if classes else "none"
        raise ValueError(
            f"Expected a sub-folder for each of at least 2 classes in {folder}: {found}."
        )
    for name in classes:
        if not is_writable(name):
            raise ValueError(
                "Expected names of classes in UTF-8 without control characters, got the folder "
                f"{name!a} in {folder}."
            )


def _divided(folder: Path, classes: list[str]) -> tuple[ImageFiles, ImageFiles]:
    parts: tuple[list[tuple[str, int]], list[tuple[str, int]]] = ([], [])
    for label, name in enumerate(classes):
        paths = image_paths(folder, name)
        if len(paths) < 2:
            raise ValueError(
                f"Expected at least 2 images of the class {name!r} in {folder}, got {len(paths)}."
            )
        chosen = set(sorted(paths, key=_digest)[: max(1, round(len(paths) / 5))])
        for path in paths:
            parts[path in chosen].append((path, label))
    train, test = (
        ImageFiles(
            folder,
            [path for path, _ in part],
            torch.tensor([label for _, label in part], dtype=torch.int64),
        )
        for part in parts
    )
    return train, test


def _digest(path: str) -> bytes:
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()
