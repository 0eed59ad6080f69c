"""How far the probability of each class lies from how often an image is of it."""

from __future__ import annotations

import torch
from torch import Tensor

from tfkd._checks import check_integer
from tfkd.metrics.batch import Labelled
from tfkd.metrics.binned_ece import edges


def classwise_calibration_error(logits: Tensor, labels: Tensor, *, num_bins: int = 15) -> float:
    """Class-wise ECE: the calibration error of the probability of each class, mean over classes.

        1/K Σ_k Σ_b n_kb/N · |share of class k_kb − mean probability of class k_kb|

    Bin b of class k holds the samples to which its probability is in (b/B, (b+1)/B], be it the
    largest or not. With many classes most probabilities are near 0 and right, and the mean is small
    for that: compare it between networks on the same classes alone.

    Args:
        logits: `(N, K)`, floating point.
        labels: `(N,)`, class indices in [0, K).
        num_bins: B, at least 1.

    Returns:
        A number in [0, 1]; 0 is calibrated.

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, a label outside of [0, K), `num_bins` below 1, or logits
            with NaN, +inf or a row of nothing but -inf.

    Example:
        >>> logits = torch.tensor([[0.8, 0.2], [0.8, 0.2]]).log()
        >>> round(classwise_calibration_error(logits, torch.tensor([0, 1])), 6)
        0.3

    Source: Kull, Perello Nieto, Kängsepp, Silva Filho, Song and Flach, "Beyond Temperature
    Scaling", NeurIPS 2019, arXiv 1910.12656, equation 2.
    """
    errors = calibration_error_by_class(logits, labels, num_bins=num_bins)
    return sum(errors) / len(errors)


def calibration_error_by_class(
    logits: Tensor, labels: Tensor, *, num_bins: int = 15
) -> list[float]:
    """Return the calibration error of the probability of each class, as class-wise ECE means them.

    Args:
        logits: `(N, K)`, floating point.
        labels: `(N,)`, class indices in [0, K).
        num_bins: of each class, at least 1.

    Returns:
        K numbers in [0, 1], in the order of the classes.

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, a label outside of [0, K), `num_bins` below 1, or logits
            with NaN, +inf or a row of nothing but -inf.

    Example:
        >>> logits = torch.tensor([[0.7, 0.3, 0.0], [0.7, 0.3, 0.0]]).log()
        >>> errors = calibration_error_by_class(logits, torch.tensor([0, 0]))
        >>> [round(error, 4) for error in errors]
        [0.3, 0.3, 0.0]
    """
    check_integer("num_bins", num_bins, minimum=1)
    batch = Labelled(logits, labels)
    borders = edges(num_bins, batch.probs)
    classes = torch.arange(batch.probs.shape[1], device=batch.probs.device)
    gaps = (classes == batch.labels).double() - batch.probs
    index = torch.bucketize(batch.probs, borders)
    sums = [torch.where(index == one, gaps, 0.0).sum(dim=0).abs() for one in range(num_bins)]
    errors = torch.stack(sums).sum(dim=0) / len(gaps)
    return batch.read(*errors)
