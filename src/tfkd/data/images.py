"""The images of an official split: held in memory, or left on disk until they are needed."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor


class Images(ABC):
    """All samples of an official split.

    Args:
        labels: (N,) int64, class of each sample.
    """

    def __init__(self, labels: Tensor) -> None:
        if labels.dtype != torch.int64 or labels.ndim != 1:
            raise TypeError(
                f"Expected `labels` of shape (N,) and dtype int64, got {tuple(labels.shape)} "
                f"of {labels.dtype}."
            )
        self.labels = labels

    def __len__(self) -> int:
        return len(self.labels)

    @abstractmethod
    def digest(self) -> bytes:
        """Return a SHA-256 digest of the labels and of what identifies the images."""


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

    def digest(self) -> bytes:
        """Return a SHA-256 digest of the labels, the shape and every byte of the images."""
        total = hashlib.sha256(str(tuple(self.pixels.shape)).encode())
        total.update(self.labels.numpy().tobytes())
        total.update(self.pixels.numpy().data)
        return total.digest()

    def resized(self, size: int) -> MemoryImages:
        """Return the images resized to (size, size): bilinear, antialiased."""
        if self.pixels.shape[-2:] == (size, size):
            return self
        from torchvision.transforms.v2 import functional

        untyped: Any = functional
        # By parts: resizing works in float32, four times the bytes of the whole data set.
        parts = [
            untyped.resize(part, [size, size], antialias=True)
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

    def digest(self) -> bytes:
        """Return a SHA-256 digest of the labels, the relative paths and the sizes in bytes."""
        total = hashlib.sha256(self.labels.numpy().tobytes())
        for path in self.paths:
            size = (self.root / path).stat().st_size
            total.update(f"{path}\0{size}\n".encode("utf-8", "surrogateescape"))
        return total.digest()
