"""What is asked of a data set: which one, where it lies, and how it is split."""

from __future__ import annotations

from dataclasses import dataclass, field

from tfkd._checks import check_choice, check_integer, check_number
from tfkd._typed import ADDED_LATER


@dataclass(frozen=True)
class DataSettings:
    """Which images to train and test on.

    Args:
        name: digits, fashion-mnist, cifar10, cifar100, tiny-imagenet, imagenet, or the path of a
            folder of images by class.
        root: where the data set lies. None: `$TFKD_DATA/<name>`, then `~/.cache/tfkd/<name>`,
            then well-known places.
        train_size: training images kept after the validation split, stratified by class and chosen
            by `split_seed`. None: all of them.
        validation_fraction: share of the official training images held out for validation,
            stratified by class and chosen by `split_seed`, in [0, 1). At 0 the validation split is
            empty.
        image_size: height and width in pixels. None: the data set's own (224 for imagenet and
            folders). Data sets held in memory are resized once, when they are read.
        augmentation: "default" (the data set's own) or "none".
        views: augmented views of each training image that take turns, epoch by epoch: epoch e
            shows view e mod `views`. None: a new one every epoch. Without augmentation there is
            one view, whatever this says.
        split_seed: seed of the validation split and of the choice of `train_size` images.

    Raises:
        TypeError: for a size or seed that is no int.
        ValueError: for a value outside of its range.

    Example:
        >>> DataSettings("cifar100", validation_fraction=0.2).split_seed
        0
    """

    name: str = "digits"
    root: str | None = None
    train_size: int | None = None
    validation_fraction: float = 0.1
    image_size: int | None = None
    augmentation: str = "default"
    split_seed: int = 0
    views: int | None = field(default=None, metadata=ADDED_LATER)

    def __post_init__(self) -> None:
        fraction = check_number("validation_fraction", self.validation_fraction)
        if not 0.0 <= fraction < 1.0:
            raise ValueError(f"Expected `validation_fraction` in [0, 1), got {fraction}.")
        if self.train_size is not None:
            check_integer("train_size", self.train_size, minimum=1)
        if self.image_size is not None:
            check_integer("image_size", self.image_size, minimum=1)
        if self.views is not None:
            check_integer("views", self.views, minimum=1)
        check_integer("split_seed", self.split_seed, minimum=0)
        check_choice("augmentation", self.augmentation, ("default", "none"))
