"""How well logits rank the images that have a label before those that have not."""

from __future__ import annotations

import torch
from torch import Tensor

from tfkd.metrics.multi_label.annotated import Annotated, mean_of, required


def mean_average_precision(logits: Tensor, labels: Tensor) -> float:
    """Mean over the classes of the average precision of each (mAP, macro).

        AP = Σ_n (R_n − R_{n−1}) · P_n

    over the thresholds that the logits make, images of equal logits together, without
    interpolation. Classes without an image that has the label do not count.

    Args:
        logits: `(N, K)`, floating point.
        labels: `(N, K)`, 1, 0, or -100 where nobody has said.

    Returns:
        A number in (0, 1].

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, another label, no label that is 1, or logits with NaN.

    Example:
        >>> logits = torch.tensor([[3.0, 0.0], [2.0, 1.0], [1.0, 2.0]])
        >>> round(mean_average_precision(logits, torch.tensor([[1, 0], [0, 0], [1, 1]])), 4)
        0.9167

    Source: as `sklearn.metrics.average_precision_score`.
    """
    found = mean_of(average_precisions_of(Annotated(logits, labels)))
    return required(found, "`labels` of which one at least is 1 for a mean average precision")


def average_precision_by_class(logits: Tensor, labels: Tensor) -> list[float | None]:
    """Return the average precision of each class; None of one without an image that has it.

    Args and errors are as of `mean_average_precision`, but there need be no label that is 1.

    Example:
        >>> average_precision_by_class(torch.tensor([[1.0, 0.0]]), torch.tensor([[1, 0]]))
        [1.0, None]
    """
    return average_precisions_of(Annotated(logits, labels))


def auroc(logits: Tensor, labels: Tensor) -> float:
    """Mean over the classes of the area under the ROC curve of each (macro).

    It is the probability that an image with the label has the larger logit than one without, of
    equal ones one half. Classes that all images have, or none, do not count.

    Args:
        logits: `(N, K)`, floating point.
        labels: `(N, K)`, 1, 0, or -100 where nobody has said.

    Returns:
        A number in [0, 1]; 0.5 is what guessing gets.

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, another label, no class with labels of both kinds, or logits
            with NaN.

    Example:
        >>> logits = torch.tensor([[3.0, 0.0], [2.0, 0.0], [1.0, 0.0]])
        >>> auroc(logits, torch.tensor([[1, 0], [0, 1], [1, 0]]))
        0.5

    Source: as `sklearn.metrics.roc_auc_score`.
    """
    found = mean_of(aurocs_of(Annotated(logits, labels)))
    return required(found, "a class with labels of 0 and of 1 in `labels`")


def auroc_by_class(logits: Tensor, labels: Tensor) -> list[float | None]:
    """Return the area under the ROC curve of each class; None without labels of both kinds.

    Args and errors are as of `auroc`, but for that.

    Example:
        >>> auroc_by_class(torch.tensor([[1.0, 0.0], [0.0, 0.0]]), torch.tensor([[1, 0], [0, 0]]))
        [1.0, None]
    """
    return aurocs_of(Annotated(logits, labels))


def average_precisions_of(batch: Annotated) -> list[float | None]:
    """Return them of checked labels."""
    return [_average_precision(*batch.column(label)) for label in range(batch.num_classes)]


def aurocs_of(batch: Annotated) -> list[float | None]:
    """Return them of checked labels."""
    return [_auroc(*batch.column(label)) for label in range(batch.num_classes)]


def _average_precision(logits: Tensor, positive: Tensor) -> float | None:
    if not bool(positive.any()):
        return None
    _, place, counts = torch.unique(logits.neg(), return_inverse=True, return_counts=True)
    hits = torch.zeros_like(counts).index_add_(0, place, positive.to(counts.dtype))
    precision = hits.cumsum(0).double() / counts.cumsum(0)
    return float((hits * precision).sum() / hits.sum())


def _auroc(logits: Tensor, positive: Tensor) -> float | None:
    _, place, counts = torch.unique(logits, return_inverse=True, return_counts=True)
    hits = torch.zeros_like(counts).index_add_(0, place, positive.to(counts.dtype))
    misses = counts - hits
    pairs = int(hits.sum()) * int(misses.sum())
    if pairs == 0:
        return None
    below = misses.cumsum(0) - misses
    return float((hits * (2 * below + misses)).sum()) / (2 * pairs)
