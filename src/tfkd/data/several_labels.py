"""Labels of images of which each may have several: 1, 0, or unknown."""

from __future__ import annotations

import torch
from torch import Tensor

from tfkd.metrics.multi_label import MISSING


def strata_of(labels: Tensor) -> Tensor:
    """Return for each image the rarest of its labels, by which splits are alike.

    A split that has its share of the images of every stratum has about its share of every label,
    and the rarest labels are divided first, as in iterative stratification (Sechidis et al., 2011).

    Args:
        labels: (N, K) float32, 1, 0 or -100.

    Returns:
        (N,) int64, from 0 to K; K for an image that has none of them. Of labels that are equally
        rare the first.

    Example:
        >>> strata_of(torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, -100.0], [0.0, 1.0], [1.0, 0.0]]))
        tensor([1, 0, 2, 1, 0])
    """
    present = labels == 1.0
    counts = present.sum(0)
    order = counts.argsort(stable=True)
    ranked = present[:, order]
    # The first of the ranked labels that is there; `max` of equal values is not said to be first.
    place = torch.where(ranked, torch.arange(labels.shape[1]), labels.shape[1]).amin(1)
    return torch.cat([order, torch.tensor([labels.shape[1]])])[place]


def check_several(labels: Tensor) -> None:
    """Raise `ValueError` unless every label is 1, 0 or -100."""
    strange = labels[(labels != 0.0) & (labels != 1.0) & (labels != MISSING)]
    if len(strange):
        raise ValueError(f"Expected `labels` of 1, 0 or {MISSING}, got {strange[0]:g}.")
