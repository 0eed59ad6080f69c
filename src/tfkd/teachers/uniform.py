"""The teacher that knows nothing."""

from __future__ import annotations

from typing import final

from tfkd.teachers.base import Batch, Teacher


@final
class UniformTeacher(Teacher):
    """Gives every class the same probability 1/K, at any temperature.

    With it the loss is label smoothing (Szegedy et al., 2016, arXiv 1512.00567).

    Example:
        >>> import torch, tfkd
        >>> criterion = tfkd.DistillationLoss(tfkd.UniformTeacher(), alpha=0.1)
        >>> criterion(torch.tensor([[2.0, 0.0]]), torch.tensor([0])).item()  # doctest: +ELLIPSIS
        0.15761...
    """

    def forward(self, batch: Batch) -> float:
        """Return the gap 0."""
        return 0.0

    def gap(self, num_classes: int) -> float:
        """Return the gap 0."""
        return 0.0
