"""What a network says of some images, how sure it is, and which images they are."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tfkd.data import ImageData, Images, Split, make_loader
from tfkd.data.images import ImageFiles
from tfkd.report.text import visible

ROWS_AT_ONCE = 8192
BATCH = 64
SECONDS = 60.0
"""After so long a network is asked about no further image for a page."""


@dataclass(frozen=True)
class Answers:
    """What a network says of some images.

    Attributes:
        split: that they are of, as `test`.
        logits: `(N, K)`.
        labels: `(N,)` int64.
        images: of the official split; None if they are not at hand.
        indices: `(N,)`, which of them; None if they are not at hand.
    """

    split: str
    logits: Tensor
    labels: Tensor
    images: Images | None = None
    indices: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return self.logits.shape[1]

    @cached_property
    def own(self) -> NDArray[np.int64]:
        """The label of each image."""
        found: NDArray[np.int64] = self.labels.numpy()
        return found

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """The class that each image is taken for; of equal ones the first."""
        found: NDArray[np.int64] = self.logits.argmax(dim=1).numpy()
        return found

    @cached_property
    def _sure(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The largest probability of each image, and that of its label."""
        largest, of_label = [], []
        for first, probabilities in self.probabilities():
            labels = self.labels[first : first + len(probabilities), None]
            largest.append(probabilities.amax(dim=1))
            of_label.append(probabilities.gather(1, labels)[:, 0])
        return torch.cat(largest).numpy(), torch.cat(of_label).numpy()

    @property
    def confidence(self) -> NDArray[np.float64]:
        """The probability of the class that each image is taken for."""
        return self._sure[0]

    @property
    def of_label(self) -> NDArray[np.float64]:
        """The probability of each image's label."""
        return self._sure[1]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each image is taken for what its label says."""
        found: NDArray[np.bool_] = self.predicted == self.own
        return found

    def probabilities(self) -> Iterator[tuple[int, Tensor]]:
        """Yield parts of the probabilities `(n, K)` in float64, each with its first row."""
        for number, part in enumerate(torch.split(self.logits, ROWS_AT_ONCE)):
            yield ROWS_AT_ONCE * number, part.double().softmax(dim=1)

    def path(self, row: int) -> str:
        """Return where an image lies in its data set, or its place there."""
        place = row if self.indices is None else int(self.indices[row])
        if isinstance(self.images, ImageFiles):
            return visible(self.images.paths[place])
        return f"{self.split} image {place}"


@torch.no_grad()
def ask(
    network: nn.Module, data: ImageData, split: Split, name: str, *, seconds: float = SECONDS
) -> Answers:
    """Ask a network about the images of a split, in random order until the time is over.

    Args:
        network: in eval mode.
        data: that the split is of.
        split: whose images are shown as in a test, without augmentation.
        name: of the split.
        seconds: after which no further batch is asked about; the first always is.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = network.to(device).to(memory_format=torch.channels_last)
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(0))
    loader = make_loader(
        data,
        Split(split.official, split.indices[order]),
        batch_size=BATCH,
        train=False,
        device=device,
        channels_last=True,
    )
    end = time.monotonic() + seconds
    parts = []
    for batch in loader.batches(epoch=0):
        parts.append((network(batch.images).float(), batch.labels, batch.indices))
        if time.monotonic() >= end:
            break
    logits, labels, indices = (torch.cat(column).cpu() for column in zip(*parts, strict=True))
    order = indices.argsort()
    return Answers(name, logits[order], labels[order], split.official, indices[order])
