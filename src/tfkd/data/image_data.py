"""A data set that is split and ready to be trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tfkd.data.augmentation import Augmentation
from tfkd.data.image_files import LeftOut
from tfkd.data.images import MemoryImages
from tfkd.data.settings import Interpolation
from tfkd.data.splits import Split


@dataclass(frozen=True)
class ImageData:
    """A data set with its splits.

    Args:
        name: what people call the data set.
        classes: names, in the order of the labels.
        channels: 1 for grey, 3 for RGB.
        image_size: height and width in pixels, as the network sees them.
        mean: per channel, of pixels in [0, 1]; what images are normalised with.
        std: per channel.
        train: for training.
        validation: held out of the official training data; may be empty.
        test: the official test data.
        augmentation: of training images.
        views: augmented views of each training image that take turns, epoch by epoch; None: a new
            one every epoch.
        origins: in words, where each split comes from.
        left_out: files that lie with the data set but are no part of it.
        remarks: what else a person should know before training on it.
        sampler: whether an epoch of training shows every image once, or of every class as many.
        squash: whether image files are resized without regard to their shape.
        crop_fraction: share of the resized side of an image file that is cut out.
        interpolation: with which image files, and resized images in memory, are resized.
    """

    name: str
    classes: tuple[str, ...]
    channels: int
    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    train: Split
    validation: Split
    test: Split
    augmentation: Augmentation
    views: int | None = None
    origins: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    remarks: tuple[str, ...] = ()
    sampler: Literal["shuffled", "balanced"] = "shuffled"
    squash: bool = False
    crop_fraction: float = 0.875
    interpolation: Interpolation = "bilinear"

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.classes)

    @property
    def several_labels(self) -> bool:
        """Whether an image may have several labels, so that its labels are (K,)."""
        return self.train.official.several_labels

    @property
    def fit(self) -> Literal["square", "centre-crop", "squash"]:
        """How an image comes to the size that the network sees."""
        if isinstance(self.train.official, MemoryImages):
            return "square"
        return "squash" if self.squash else "centre-crop"
