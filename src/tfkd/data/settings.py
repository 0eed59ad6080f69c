"""What is asked of a data set: which one, and how it is split."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from msgspec import Struct

from tfkd._checks import check_choice, check_integer, check_number, did_you_mean
from tfkd._field_types import check_types
from tfkd.references import is_reference

NAMES = ("digits", "fashion-mnist", "cifar10", "cifar100", "tiny-imagenet", "imagenet")
"""The known data sets."""

FOLDER = "folder"
"""The name of every folder of images by class; which one is said by where it lies."""


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
            in [0, 1). Default: 0.1.
        image_size: height and width in pixels. Default: the data set's own; 224 for imagenet and
            folders.
        augmentation: the data set's own, or none.
        views: augmented views of each training image, shown in turn: epoch e shows view e mod
            `views`. Default: a new one every epoch.
        folds: take the test images from all images, a fold of so many at a time, at least 2: seed s
            tests fold s mod `folds`, and so many seeds are a cross-validation. Default: none, the
            test images being the data set's own.

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
    augmentation: Literal["default", "none"] = "default"
    views: int | None = None
    folds: int | None = None

    def __post_init__(self) -> None:
        check_types(self)
        fraction = check_number("validation_fraction", self.validation_fraction)
        if not 0.0 <= fraction < 1.0:
            raise ValueError(f"Expected `validation_fraction` in [0, 1), got {fraction}.")
        for name in ("train_size", "image_size", "views"):
            value = getattr(self, name)
            if value is not None:
                check_integer(name, value, minimum=1)
        if self.folds is not None:
            check_integer("folds", self.folds, minimum=2)
        check_choice("augmentation", self.augmentation, ("default", "none"))
        if os.sep in self.name:
            raise ValueError(
                f"Expected `data` to be {FOLDER!r}, its path being said apart as `root`, got "
                f"{self.name!r}."
            )
        if self.name not in (*NAMES, FOLDER) and not is_reference(self.name):
            raise ValueError(
                f"Expected `data` to be one of {', '.join(NAMES)}, the path of a folder, or "
                f"module:function of your own, got {self.name!r}.{did_you_mean(self.name, NAMES)}"
            )


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
    is_path = any(mark in data for mark in (os.sep, os.altsep or os.sep)) or data.startswith(".")
    if root is None and not is_path and not data.startswith("~") and not folder.is_dir():
        return data, None  # `DataSettings` says what is known
    return FOLDER, str(folder.absolute())
