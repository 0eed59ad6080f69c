"""From the name of a data set to its splits."""

from __future__ import annotations

import os
from pathlib import Path

from tfkd.data.augmentation import Augmentation
from tfkd.data.image_data import ImageData
from tfkd.data.images import Images, MemoryImages
from tfkd.data.settings import DataSettings
from tfkd.data.sources.source import Source
from tfkd.data.splits import Split, split_training

_NAMES = ("digits", "fashion-mnist", "cifar10", "cifar100", "tiny-imagenet", "imagenet")


def source_names() -> tuple[str, ...]:
    """Return the names of the known data sets; any other name is the path of a folder.

    Example:
        >>> source_names()
        ('digits', 'fashion-mnist', 'cifar10', 'cifar100', 'tiny-imagenet', 'imagenet')
    """
    return _NAMES


def load_data(settings: DataSettings) -> ImageData:
    """Return a data set, split and ready to be trained on.

    The validation split is taken from the official training data; the official test data (for
    Tiny-ImageNet and ImageNet the labelled validation images, whose test labels are not public)
    are the test split, unchanged.

    Args:
        settings: which data set, and how to split it.

    Raises:
        FileNotFoundError: if the data set is not there; says where it was looked for.
        ValueError: for an unknown name, a damaged data set, or a split that leaves too little.

    Example:
        >>> data = load_data(DataSettings("digits"))
        >>> len(data.train), len(data.validation), len(data.test), data.num_classes
        (1081, 120, 596, 10)
    """
    source = _read(settings)
    images, test = source.train, source.test
    size = settings.image_size or source.image_size
    if isinstance(images, MemoryImages) and isinstance(test, MemoryImages):
        images, test = images.resized(size), test.resized(size)
    train, validation = split_training(
        images,
        validation_fraction=settings.validation_fraction,
        train_size=settings.train_size,
        split_seed=settings.split_seed,
    )
    _check_classes_kept(images, train, source.classes)
    return ImageData(
        name=settings.name,
        classes=source.classes,
        channels=len(source.mean),
        image_size=size,
        mean=source.mean,
        std=source.std,
        train=train,
        validation=validation,
        test=Split(test),
        augmentation=source.augmentation if settings.augmentation == "default" else Augmentation(),
        views=settings.views,
    )


def _check_classes_kept(official: Images, train: Split, classes: tuple[str, ...]) -> None:
    lost = sorted(set(official.labels.tolist()) - set(train.labels.tolist()))
    if lost:
        raise ValueError(
            f"Expected training images of every class, but none of the class {classes[lost[0]]!r} "
            "is left for training: it has too few for this `validation_fraction` or `train_size`."
        )


def _read(settings: DataSettings) -> Source:
    name, root = settings.name, settings.root
    if name == "digits":
        from tfkd.data.sources.digits import load_digits

        return load_digits()
    if name == "fashion-mnist":
        from tfkd.data.sources.fashion_mnist import load_fashion_mnist

        return load_fashion_mnist(root)
    if name in ("cifar10", "cifar100"):
        from tfkd.data.sources.cifar import load_cifar10, load_cifar100

        return load_cifar10(root) if name == "cifar10" else load_cifar100(root)
    if name == "tiny-imagenet":
        from tfkd.data.sources.tiny_imagenet import load_tiny_imagenet

        return load_tiny_imagenet(root)
    if name == "imagenet":
        from tfkd.data.sources.imagenet import load_imagenet

        return load_imagenet(root)
    folder = Path(root or "").expanduser() / Path(name).expanduser()
    if folder.is_dir():
        from tfkd.data.sources.folder import load_folder

        return load_folder(folder)
    separators = (os.sep, os.altsep or os.sep)
    if any(separator in name for separator in separators) or name.startswith("."):
        raise FileNotFoundError(
            f"Expected a folder of images by class at {folder}: no such folder."
        )
    raise ValueError(
        f"Expected `name` to be one of {', '.join(_NAMES)} or the path of a folder, got {name!r}."
    )
