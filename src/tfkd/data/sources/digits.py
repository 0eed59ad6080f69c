"""The 8 × 8 handwritten digits that come with scikit-learn."""

from __future__ import annotations

import numpy as np
import torch

from tfkd.data.augmentation import Augmentation
from tfkd.data.images import MemoryImages
from tfkd.data.sources.source import Source


def load_digits() -> Source:
    """Return the 1797 digits of scikit-learn: 1201 for training, 596 for testing.

    They have no official split: of each class, in the order of the file, every third image (the
    third, the sixth, …) is for testing. The pixels 0 … 16 are scaled to 0 … 255.

    Example:
        >>> source = load_digits()
        >>> len(source.train), len(source.test)
        (1201, 596)

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998.
    """
    from sklearn.datasets import load_digits as read

    bunch = read()
    labels = bunch.target.astype(np.int64)
    pixels = np.rint(bunch.images * (255 / 16)).astype(np.uint8)[:, None]
    test = np.zeros(len(labels), dtype=bool)
    for label in range(10):
        test[np.flatnonzero(labels == label)[2::3]] = True

    def images(chosen: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> MemoryImages:
        return MemoryImages(torch.from_numpy(pixels[chosen]), torch.from_numpy(labels[chosen]))

    return Source(
        classes=tuple(str(digit) for digit in range(10)),
        train=images(~test),
        test=images(test),
        mean=(0.3048,),  # of all training pixels
        std=(0.3757,),
        image_size=8,
        augmentation=Augmentation(),
    )
