"""From the name of a data set to its splits."""

from __future__ import annotations

import dataclasses
from collections import Counter

import torch

from tfkd._counted import a_few, number_of
from tfkd.data.augmentation import named
from tfkd.data.image_data import ImageData
from tfkd.data.images import ImageFiles, Images, MemoryImages
from tfkd.data.kept import source_of
from tfkd.data.label_form import LabelForm
from tfkd.data.places import Places
from tfkd.data.preparation import USUAL_CROP, usual_crop_fraction
from tfkd.data.settings import FOLDER, NAMES, DataSettings
from tfkd.data.sources.source import Source
from tfkd.data.splits import Split, fold_of, split_training
from tfkd.references import call_own


def load_data(
    settings: DataSettings, *, seed: int = 0, root: str | Places | None = None
) -> ImageData:
    """Return a data set, split and ready to be trained on.

    A validation split that the data set has is taken; otherwise it comes from the training data.
    The official test data (for Tiny-ImageNet and ImageNet the labelled validation images, whose
    test labels are not public) are the test split, unchanged. With `folds`, the training data are
    divided into them, with what was taken out of them for testing, and the seed says which fold is
    tested.

    Args:
        settings: which data set, and how to split it.
        seed: of the validation split, the folds, and the choice of `train_size` images.
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


def load_source(settings: DataSettings, *, root: str | Places | None = None) -> Source:
    """Return a data set as distributed, its images at the size that is asked for.

    Args:
        settings: which data set.
        root: where it lies; None: the usual places.

    Raises:
        FileNotFoundError: if the data set is not there; says where it was looked for.
        ValueError: for a damaged data set.
    """
    source = source_of(settings.name, Places.of(root), _read, settings.label_form)
    if source.train.several_labels and not settings.several_labels:
        raise TypeError(
            f"Expected labels of shape (N,) and dtype int64 from {settings.name}, got (N, K): "
            "several labels an image are for a table, with `label_separator` or `label_columns`."
        )
    size = settings.image_size or source.image_size
    in_memory = isinstance(source.train, MemoryImages) and isinstance(source.test, MemoryImages)
    if in_memory:
        for name in ("fit", "crop_fraction"):
            if getattr(settings, name) is not None:
                raise ValueError(
                    f"Expected no `{name}` for {settings.name}, whose images are all of one size, "
                    f"got {getattr(settings, name)}."
                )
    mode = settings.interpolation or "bilinear"

    def resized(images: Images) -> Images:
        return images.resized(size, mode) if isinstance(images, MemoryImages) else images

    return dataclasses.replace(
        source,
        train=resized(source.train),
        test=resized(source.test),
        validation=None if source.validation is None else resized(source.validation),
        whole=None if source.whole is None else resized(source.whole),
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
    source: Source,
    settings: DataSettings,
    *,
    seed: int,
    root: str | Places | None = None,
) -> ImageData:
    """Return what `load_data` does, of a source that is loaded.

    Args:
        source: of `load_source`.
        settings: how to split it.
        seed: of the validation split, the folds, and the choice of `train_size` images.
        root: where it was loaded from; a folder is called by its name.

    Raises:
        ValueError: for a split that leaves too little.
    """
    usual = DataSettings().validation_fraction
    if source.validation is not None and settings.validation_fraction != usual:
        raise ValueError(
            f"Expected no `validation_fraction` beside the validation split of the data, "
            f"{source.origins.get('validation', 'which it has')}, got "
            f"{settings.validation_fraction}."
        )
    official, test, among = _tested(source, settings.folds, seed)
    train, validation = split_training(
        official,
        validation_fraction=settings.validation_fraction if source.validation is None else 0.0,
        train_size=settings.train_size,
        split_seed=seed,
        among=among,
        # The known data sets are split as they have been since version 0.1.
        first_class_first=settings.name in NAMES,
    )
    if source.validation is not None:
        validation = Split(source.validation)
    crop_fraction = settings.crop_fraction
    if crop_fraction is None and isinstance(source.train, ImageFiles):
        crop_fraction = usual_crop_fraction(source.image_size)
    origins = _origins(source, settings, seed)
    own_remarks = source.remarks
    if settings.folds is not None and source.fold_remarks is not None:
        own_remarks = source.fold_remarks
    return ImageData(
        name=Places.of(root).name if settings.name == FOLDER else settings.name,
        classes=source.classes,
        channels=len(source.mean),
        image_size=source.image_size,
        mean=source.mean,
        std=source.std,
        train=train,
        validation=validation,
        test=test,
        augmentation=named(
            settings.augmentation, own=source.augmentation, image_size=source.image_size
        ),
        views=settings.views,
        sampler=settings.sampler,
        squash=settings.fit == "squash",
        crop_fraction=USUAL_CROP if crop_fraction is None else crop_fraction,
        interpolation=settings.interpolation or "bilinear",
        origins=origins,
        left_out=source.left_out,
        remarks=(*own_remarks, *_remarks(source, settings, train, validation)),
    )


def _tested(
    source: Source, folds: int | None, seed: int
) -> tuple[Images, Split, torch.Tensor | None]:
    """The images to train and validate on, the test split, and which of the former are left."""
    if folds is None:
        return source.train, Split(source.test), None
    official = source.whole or source.train
    counts = Counter([] if official.several_labels else official.labels.tolist())
    alone = [source.classes[label] for label, count in sorted(counts.items()) if count < 2]
    if alone:
        raise ValueError(
            f"Expected at least 2 images of each class for `folds`, got 1 of {a_few(alone)}."
        )
    if folds > len(official):
        raise ValueError(f"Expected at most {len(official)} `folds`, one an image, got {folds}.")
    tested = fold_of(official.strata, folds=folds, seed=seed)
    return official, Split(official, tested.nonzero().flatten()), (~tested).nonzero().flatten()


def _origins(source: Source, settings: DataSettings, seed: int) -> dict[str, str]:
    """In words, where each split comes from."""
    train = source.origins.get("train", "the official training images")
    origins = {"train": train, "validation": "none"}
    if source.validation is not None:
        origins["validation"] = source.origins.get("validation", "the official validation images")
    elif settings.validation_fraction > 0:
        share = f"{settings.validation_fraction * 100:.4g} %"
        origins["validation"] = f"{share} of the training images, by the seed"
    origins["test"] = source.origins.get("test", "the official test images")
    if settings.folds is not None:
        fold = seed % settings.folds + 1
        origins["test"] = f"fold {fold} of {settings.folds} of {train}, by the seed"
    return origins


def _remarks(source: Source, settings: DataSettings, train: Split, validation: Split) -> list[str]:
    remarks = []
    if train.official.several_labels:
        remarks += _without_labels(source, train, validation)
    if settings.folds is not None and source.whole is None:
        origin = source.origins.get("test", "the official test images")
        are = "is" if len(source.test) == 1 else "are"
        remarks.append(
            f"{origin}: {number_of(len(source.test), 'image')} {are} left alone, as folds are "
            "tested"
        )
    if source.validation is None and len(validation) > 0 and not train.official.several_labels:
        counts = Counter(train.labels.tolist())
        validated = set(validation.labels.tolist())
        lacking = [
            f"{_shown(source.classes[label])} ({count})"
            for label, count in sorted(counts.items())
            if label not in validated
        ]
        if lacking:
            remarks.append(
                "too small for a validation image, with this many training images: "
                f"{a_few(lacking, quoted=False)}"
            )
    return remarks


def _without_labels(source: Source, train: Split, validation: Split) -> list[str]:
    """Which labels no image of a split has."""
    remarks = []
    for called, split in (("training", train), ("validation", validation)):
        counts = (split.labels == 1.0).sum(0).tolist()
        lacking = [name for name, count in zip(source.classes, counts, strict=True) if not count]
        if lacking and len(split):
            remarks.append(f"no {called} image has the label {a_few(lacking)}")
    return remarks


def _shown(name: str) -> str:
    return repr(name) if name.isspace() else name


def _read(name: str, places: Places, form: LabelForm | None) -> Source:
    if name == FOLDER:
        from tfkd.data.sources.folder import load_folder

        if not places.is_said:
            raise ValueError("Expected `root`, the path of the folder of images by class.")
        return load_folder(places, form)
    if places.of_a_folder:
        option = next(iter(places.of_a_folder))
        raise ValueError(f"Expected `{option}` for images of your own, got it for {name}.")
    root = places.root
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
    return call_own(name, Source, root)
