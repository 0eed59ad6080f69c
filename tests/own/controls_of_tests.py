"""Methods of one's own, for the tests of controls."""

from __future__ import annotations

import torch

import tfkd
from tfkd.loss.schedules import Linear


def growing(*, epochs: int) -> tfkd.DistillationLoss:
    """Label smoothing, and a loss scale, that grow over the epochs."""
    return tfkd.DistillationLoss(
        tfkd.UniformTeacher(),
        alpha=Linear(start=0.2, end=0.6, epochs=epochs),
        scale=Linear(start=1.0, end=3.0, epochs=epochs),
        samples_per_epoch="told",
    )


class Remembers(tfkd.Teacher):
    """Says of each sample how many it has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.tensor(0.0))

    def forward(self, batch: tfkd.Batch) -> torch.Tensor:
        """Return a gap for each sample."""
        return self.seen.expand(batch.labels.shape)

    def observe(self, batch: tfkd.Batch) -> None:
        """Count."""
        self.seen += len(batch.student_logits)


def remembering() -> tfkd.DistillationLoss:
    """Taught by what was seen."""
    return tfkd.DistillationLoss(Remembers(), alpha=0.5)


class Squared(tfkd.loss.Criterion):
    """A loss that is neither taught nor a penalty."""

    def forward(self, student_logits, labels, inputs=None, *, indices=None, view=None):
        """Return the mean square of the logits."""
        return student_logits.square().mean()


def squared() -> Squared:
    """The logits, squared."""
    return Squared()
