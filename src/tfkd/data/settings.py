"""What is asked of a data set: which one, and how it is split."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import force_setattr

from tfkd._checks import check_choice, check_integer, check_number, did_you_mean
from tfkd._field_types import check_types
from tfkd.data.augmentation import check_names
from tfkd.data.label_form import LabelForm, check_label_form
from tfkd.references import is_reference

NAMES = ("digits", "fashion-mnist", "cifar10", "cifar100", "tiny-imagenet", "imagenet")
"""The known data sets."""

MOST_PIXELS = 1 << 12
"""Height and width of images as a network sees them."""

FOLDER = "folder"
"""The name of every folder of images by class; which one is said by where it lies."""

PHOTOGRAPHS = ("imagenet", FOLDER)
"""Data whose images are of any size: a network says how it is shown them."""

PHOTOGRAPH_SIZE = 224
"""Height and width in pixels of these for a network that does not say it."""

LEAST_CROP, LARGEST_CROP = 0.1, 2.0
"""Shares of a side that a crop may be; of more than 1, what is missing is black."""

Interpolation: TypeAlias = Literal["bilinear", "bicubic"]


class DataSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Which images to train and test on. Where they lie is no part of it.

    The seed of a run chooses the validation split, and which training images are kept, in each
    class its share.

    Attributes:
        name: digits, fashion-mnist, cifar10, cifar100, tiny-imagenet or imagenet; the path of a
            folder of images by class, which is kept as `folder`; or module:function of your own.
            Default: digits.
        train_size: training images to keep beside the validation split. Default: all of them.
        validation_fraction: share of the official training images that is held out for validation,
            in [0, 1); not said where the data have a validation split. Default: 0.1.
        image_size: height and width in pixels, at most 4096. Default: the data set's own; for
            imagenet and folders that of the network.
        augmentation: how training images are changed: none, default (the data set's own), or with +
            between them crop-flip, resized-crop, flip, trivial-augment, rand-augment and
            random-erasing, also beside default. Default: default.
        views: augmented views of each training image, shown in turn: epoch e shows view e mod
            `views`. Default: a new one every epoch.
        sampler: images of an epoch: shuffled, every one once; or balanced, as many, of every class
            equally many. Default: shuffled.
        fit: of imagenet and folders, how a test image comes to its size: centre-crop, or squash,
            which resizes it without regard to its shape. Default: the network's own; centre-crop.
        crop_fraction: of imagenet and folders, share of a test image's resized side that is cut
            out, 0.1 to 2. Default: the network's own; 0.875.
        interpolation: with which images are resized: bilinear or bicubic. Default: the network's
            own; bilinear.
        mean: of the pixels in [0, 1], by channel or one for all, with which images are normalised.
            Default: for imagenet and folders the network's own; the data set's.
        std: likewise their standard deviation.
        folds: divide the training images into so many folds, the same shares of each class: seed
            s is tested on fold s modulo `folds` of the division drawn from s // `folds`, so that
            as many seeds are one cross-validation. Images that are given for testing are left
            alone. Default: the test split as it is.
        label_separator: of a table, what divides several labels of an image in its cell, as ; or |
            or a space; an empty cell is an image with none of them. Default: an image has one
            label.
        label_columns: of a table, columns that are a label each, with 1 for an image that has it
            and 0 for one that has not; empty, -1 or NaN: nobody knows. Default: an image has one
            label.

    Raises:
        TypeError: for a size that is no int.
        ValueError: for a value outside of its range.

    Example:
        >>> DataSettings("cifar100", validation_fraction=0.2).augmentation
        'default'
    """

    name: str = "digits"
    train_size: int | None = None
    validation_fraction: float = 0.1
    image_size: int | None = None
    augmentation: str = "default"
    views: int | None = None
    sampler: Literal["shuffled", "balanced"] = "shuffled"
    fit: Literal["centre-crop", "squash"] | None = None
    crop_fraction: float | None = None
    interpolation: Interpolation | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    folds: int | None = None
    # Left out where they are not said, so that what is written of one label stays as it was.
    label_separator: str | UnsetType | None = UNSET
    label_columns: tuple[str, ...] | UnsetType | None = UNSET

    def __post_init__(self) -> None:
        check_types(self)
        fraction = check_number("validation_fraction", self.validation_fraction)
        if not 0.0 <= fraction < 1.0:
            raise ValueError(f"Expected `validation_fraction` in [0, 1), got {fraction}.")
        for name in ("train_size", "image_size", "views"):
            value = getattr(self, name)
            if value is not None:
                check_integer(name, value, minimum=1)
        if self.image_size is not None and self.image_size > MOST_PIXELS:
            raise ValueError(
                f"Expected `image_size` from 1 to {MOST_PIXELS}, got {self.image_size}."
            )
        if self.folds is not None:
            check_integer("folds", self.folds, minimum=2)
        force_setattr(self, "augmentation", check_names(self.augmentation))
        check_choice("sampler", self.sampler, ("shuffled", "balanced"))
        if self.fit is not None:
            check_choice("fit", self.fit, ("centre-crop", "squash"))
        if self.interpolation is not None:
            check_choice("interpolation", self.interpolation, get_args(Interpolation))
        if self.crop_fraction is not None and not LEAST_CROP <= self.crop_fraction <= LARGEST_CROP:
            raise ValueError(
                f"Expected `crop_fraction` from {LEAST_CROP} to {LARGEST_CROP}, got "
                f"{self.crop_fraction}."
            )
        for name, least in (("mean", 0.0), ("std", 1e-6)):
            values = getattr(self, name)
            if values is not None and not (
                values and all(least <= value <= 1.0 for value in values)
            ):
                hint = (
                    " Of pixels from 0 to 255 it is divided by 255."
                    if max(values, default=0) > 1
                    else ""
                )
                raise ValueError(
                    f"Expected `{name}` of pixels in [0, 1], a number for each channel, got "
                    f"{list(values)}.{hint}"
                )
        self._check_several()
        if is_path(self.name):
            raise ValueError(
                f"Expected `data` to be {FOLDER!r}, its path being said apart as `root`, got "
                f"{self.name!r}."
            )
        if self.name not in (*NAMES, FOLDER) and not is_reference(self.name):
            raise ValueError(
                f"Expected `data` to be one of {', '.join(NAMES)}, the path of a folder, or "
                f"module:function of your own, got {self.name!r}."
                f"{did_you_mean(self.name, NAMES) or _no_such_folder(self.name)}"
            )

    @property
    def label_form(self) -> LabelForm | None:
        """How several labels of an image are said; None: an image has one."""
        separator, columns = self.label_separator or None, self.label_columns or ()
        return LabelForm(separator, columns) if separator or columns else None

    @property
    def several_labels(self) -> bool:
        """Whether an image may have several labels."""
        return self.label_form is not None

    def _check_several(self) -> None:
        said = {}
        for name in ("label_separator", "label_columns"):
            if getattr(self, name) is None:
                force_setattr(self, name, UNSET)
            said[name] = None if getattr(self, name) is UNSET else getattr(self, name)
        check_label_form(*said.values())
        option = next((name for name, value in said.items() if value is not None), None)
        if option is None:
            return
        if self.name != FOLDER:
            raise ValueError(
                f"Expected no `{option}` for {self.name}: it is for a table of your own images, "
                f"`labels`, got {said[option]!r}."
            )
        if self.sampler != "shuffled":
            raise ValueError(
                f"Expected the `sampler` shuffled with `{option}`, got {self.sampler}: an image "
                "that has several labels is of no single class."
            )


def _no_such_folder(name: str) -> str:
    folders = [path.name for path in sorted(Path().iterdir()) if path.is_dir()]
    return f" There is no folder {name} here.{did_you_mean(name, folders)}"


def name_and_root(data: str, root: str | None = None) -> tuple[str, str | None]:
    """Return the name of a data set, and where it lies, of what a person calls it.

    Args:
        data: a known name, module:function, or the path of a folder.
        root: where the data set lies, if it is said; a path of a folder starts from here.

    Returns:
        A name as `DataSettings` takes it, and an absolute path; None: the usual places.

    Example:
        >>> name_and_root("digits")
        ('digits', None)
        >>> name_and_root("pets", root="/data")
        ('folder', '/data/pets')
    """
    absolute = None if root is None else str(Path(root).expanduser().absolute())
    if data in NAMES or is_reference(data) or (data == FOLDER and root is not None):
        return data, absolute
    folder = Path(absolute or "") / Path(data).expanduser()
    if root is None and not is_path(data) and not folder.is_dir():
        return data, None  # `DataSettings` says what is known
    return FOLDER, str(folder.absolute())


def is_path(data: str) -> bool:
    """Return whether what a person calls data can be nothing but a path.

    Example:
        >>> is_path("./pets"), is_path("~"), is_path("pets")
        (True, True, False)
    """
    separators = (os.sep, os.altsep or os.sep)
    return data.startswith((".", "~")) or any(mark in data for mark in separators)
