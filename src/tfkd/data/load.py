"""From the name of a data set to its splits."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tfkd.data.augmentation import named
from tfkd.data.image_data import ImageData
from tfkd.data.images import ImageFiles, Images, MemoryImages
from tfkd.data.preparation import USUAL_CROP, usual_crop_fraction
from tfkd.data.settings import FOLDER, DataSettings
from tfkd.data.sources.source import Source
from tfkd.data.splits import Split, split_training
from tfkd.references import call_own


def load_data(settings: DataSettings, *, seed: int = 0, root: str | None = None) -> ImageData:
    """Return a data set, split and ready to be trained on.

    The validation split is taken from the official training data; the official test data (for
    Tiny-ImageNet and ImageNet the labelled validation images, whose test labels are not public)
    are the test split, unchanged.

    Args:
        settings: which data set, and how to split it.
        seed: of the validation split, and of the choice of `train_size` images.
        root: where the data set lies; None: the usual places.

    Raises:
        FileNotFoundError: if the data set is not there; says where it was looked for.
        ValueError: for a damaged data set, or a split that leaves too little.

    Example:
        >>> data = load_data(DataSettings("digits"))
        >>> len(data.train), len(data.validation), len(data.test), data.num_classes
        (1081, 120, 596, 10)
    """
    return split_source(load_source(settings, root=root), settings, seed=seed, root=root)


def load_source(settings: DataSettings, *, root: str | None = None) -> Source:
    """Return a data set as distributed, its images at the size that is asked for.

    Args:
        settings: which data set.
        root: where it lies; None: the usual places.

    Raises:
        FileNotFoundError: if the data set is not there; says where it was looked for.
        ValueError: for a damaged data set.
    """
    source = _read(settings.name, root)
    size = settings.image_size or source.image_size
    train, test = source.train, source.test
    if isinstance(train, MemoryImages) and isinstance(test, MemoryImages):
        for name in ("fit", "crop_fraction"):
            if getattr(settings, name) is not None:
                raise ValueError(
                    f"Expected no `{name}` for {settings.name}, whose images are all of one size, "
                    f"got {getattr(settings, name)}."
                )
        mode = settings.interpolation or "bilinear"
        train, test = train.resized(size, mode), test.resized(size, mode)
    return dataclasses.replace(
        source,
        train=train,
        test=test,
        image_size=size,
        mean=_for_each_channel("mean", settings.mean, source.mean),
        std=_for_each_channel("std", settings.std, source.std),
    )


def _for_each_channel(
    name: str, asked: tuple[float, ...] | None, own: tuple[float, ...]
) -> tuple[float, ...]:
    if asked is None:
        return own
    if len(asked) not in (1, len(own)):
        raise ValueError(
            f"Expected `{name}` to be a number for each channel, of which there are {len(own)}, or "
            f"one for all, got {len(asked)}."
        )
    return asked if len(asked) == len(own) else asked * len(own)


def split_source(
    source: Source, settings: DataSettings, *, seed: int, root: str | None = None
) -> ImageData:
    """Return what `load_data` does, of a source that is loaded.

    Args:
        source: of `load_source`.
        settings: how to split it.
        seed: of the validation split, and of the choice of `train_size` images.
        root: where it was loaded from; a folder is called by its name.

    Raises:
        ValueError: for a split that leaves too little.
    """
    train, validation = split_training(
        source.train,
        validation_fraction=settings.validation_fraction,
        train_size=settings.train_size,
        split_seed=seed,
    )
    _check_classes_kept(source.train, train, source.classes)
    folder = settings.name == FOLDER and root is not None
    crop_fraction = settings.crop_fraction
    if crop_fraction is None and isinstance(source.train, ImageFiles):
        crop_fraction = usual_crop_fraction(source.image_size)
    return ImageData(
        name=Path(root or "").absolute().name if folder else settings.name,
        classes=source.classes,
        channels=len(source.mean),
        image_size=source.image_size,
        mean=source.mean,
        std=source.std,
        train=train,
        validation=validation,
        test=Split(source.test),
        augmentation=named(
            settings.augmentation, own=source.augmentation, image_size=source.image_size
        ),
        views=settings.views,
        sampler=settings.sampler,
        squash=settings.fit == "squash",
        crop_fraction=USUAL_CROP if crop_fraction is None else crop_fraction,
        interpolation=settings.interpolation or "bilinear",
    )


def _check_classes_kept(official: Images, train: Split, classes: tuple[str, ...]) -> None:
    lost = sorted(set(official.labels.tolist()) - set(train.labels.tolist()))
    if lost:
        raise ValueError(
            f"Expected training images of every class, but none of the class {classes[lost[0]]!r} "
            "is left for training: it has too few for this `validation_fraction` or `train_size`."
        )


def _read(name: str, root: str | None) -> Source:
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
    if name == FOLDER:
        from tfkd.data.sources.folder import load_folder

        if root is None:
            raise ValueError("Expected `root`, the path of the folder of images by class.")
        return load_folder(Path(root).expanduser())
    return call_own(name, Source, root)
