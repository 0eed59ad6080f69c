"""What a format of exported networks must do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from torch import Tensor

from tfkd.train.trained.network import TrainedNetwork


class Format(ABC):
    """A format: how a network is written in it, and how it is asked from there."""

    file: str
    """The name of the file that holds the network."""

    def check(self) -> None:  # noqa: B027 - most formats need nothing
        """Raise `ModuleNotFoundError`, with the line that mends it, where a package is missing."""

    @abstractmethod
    def write(self, trained: TrainedNetwork, folder: Path) -> None:
        """Write the network's files into a folder.

        Raises:
            ValueError: for a network that the format cannot hold.
        """

    @abstractmethod
    def logits(self, trained: TrainedNetwork, folder: Path, images: Tensor) -> list[Tensor]:
        """Return the logits of what was written, from each way in which one may load it.

        Args:
            trained: that was written.
            folder: where.
            images: (N, C, size, size), prepared.
        """

    @abstractmethod
    def lines(self, trained: TrainedNetwork) -> str:
        """Return the lines of Python that load it, from `images` of NumPy to `logits`."""
