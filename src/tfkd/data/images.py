"""The images of an official split: held in memory, or left on disk until they are needed."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, cast, final

import torch
from torch import Tensor

from tfkd.data.file_contents import content_digests
from tfkd.data.several_labels import check_several, strata_of


class Images(ABC):
    """All samples of an official split.

    Args:
        labels: (N,) int64, class of each sample; or where a sample may have several labels (N, K)
            float32, 1, 0 or, where nobody knows, -100.
    """

    def __init__(self, labels: Tensor) -> None:
        if (labels.dtype, labels.ndim) == (torch.float32, 2):
            check_several(labels)
        elif labels.dtype != torch.int64 or labels.ndim != 1:
            raise TypeError(
                f"Expected `labels` of shape (N,) and dtype int64, got {tuple(labels.shape)} "
                f"of {labels.dtype}."
            )
        self.labels = labels

    @property
    def several_labels(self) -> bool:
        """Whether a sample may have several labels."""
        return self.labels.ndim == 2

    @cached_property
    def strata(self) -> Tensor:
        """(N,) int64, of what the shares in splits are alike: classes, or the rarest labels."""
        return strata_of(self.labels) if self.several_labels else self.labels

    def __len__(self) -> int:
        return len(self.labels)

    def digest_of(self, indices: Tensor) -> str:
        """Return the SHA-256 of the place, label and content of some of the images.

        Args:
            indices: (n,) int64, which of them.
        """
        total = hashlib.sha256(indices.numpy().tobytes())
        total.update(self.labels[indices].numpy().tobytes())
        for part in self._contents(indices):
            total.update(part)
        return total.hexdigest()

    @abstractmethod
    def _contents(self, indices: Tensor) -> Iterator[bytes | memoryview]:
        """Yield what tells the content of these images from any other."""


@final
class MemoryImages(Images):
    """Images in memory.

    Args:
        pixels: (N, C, H, W) uint8.
        labels: (N,) int64.
    """

    def __init__(self, pixels: Tensor, labels: Tensor) -> None:
        super().__init__(labels)
        if pixels.dtype != torch.uint8:
            raise TypeError(f"Expected `pixels` of dtype uint8, got {pixels.dtype}.")
        if pixels.ndim != 4 or len(pixels) != len(labels):
            raise ValueError(
                f"Expected `pixels` of shape ({len(labels)}, C, H, W), got {tuple(pixels.shape)}."
            )
        self.pixels = pixels.contiguous()

    def _contents(self, indices: Tensor) -> Iterator[bytes | memoryview]:
        """Yield the shape of an image, and every byte of them."""
        yield str(tuple(self.pixels.shape[1:])).encode()
        for part in torch.split(indices, 4096):
            yield self.pixels[part].numpy().data

    def resized(self, size: int, interpolation: str = "bilinear") -> MemoryImages:
        """Return the images resized to (size, size), antialiased."""
        if self.pixels.shape[-2:] == (size, size):
            return self
        from torchvision.transforms import InterpolationMode
        from torchvision.transforms.v2 import functional

        untyped, mode = cast(Any, functional), InterpolationMode(interpolation)
        # By parts: resizing works in float32, four times the bytes of the whole data set.
        parts = [
            untyped.resize(part, [size, size], interpolation=mode, antialias=True)
            for part in torch.split(self.pixels, 1024)
        ]
        return MemoryImages(torch.cat(parts), self.labels)


@final
class ImageFiles(Images):
    """Image files on disk, decoded when a batch needs them.

    Args:
        root: the folder that the paths start from.
        paths: N paths relative to it, with forward slashes.
        labels: (N,) int64.
    """

    def __init__(self, root: Path, paths: list[str], labels: Tensor) -> None:
        super().__init__(labels)
        if len(paths) != len(labels):
            raise ValueError(f"Expected {len(labels)} `paths`, got {len(paths)}.")
        self.root = root
        self.paths = paths

    @cached_property
    def _digests(self) -> list[bytes]:
        return content_digests(self.root, self.paths)

    def _contents(self, indices: Tensor) -> Iterator[bytes | memoryview]:
        """Yield the SHA-256 of each file."""
        for index in indices.tolist():
            yield self._digests[index]
