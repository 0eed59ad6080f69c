"""How far confidence lies from accuracy, in bins of confidence."""

from __future__ import annotations

import torch
from torch import Tensor

from tfkd._checks import check_integer
from tfkd.metrics.batch import Labelled


def expected_calibration_error(logits: Tensor, labels: Tensor, *, num_bins: int = 15) -> float:
    """Expected calibration error (ECE) of the largest probability, in bins of equal width.

        ECE = Σ_b n_b/N · |accuracy_b − confidence_b|

    Bin b holds the confidences in (b/B, (b+1)/B]; confidence 0 would belong to the first.

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
        >>> round(expected_calibration_error(logits, torch.tensor([0, 1])), 6)
        0.3

    Source: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML
    2017, arXiv 1706.04599, equation 3.
    """
    check_integer("num_bins", num_bins, minimum=1)
    batch = Labelled(logits, labels)
    return batch.read(binned_ece_of(batch.confidence, batch.gap, num_bins))[0]


def binned_ece_of(confidence: Tensor, gap: Tensor, num_bins: int) -> Tensor:
    """Return the error of residuals in bins, without waiting for the device.

    Args:
        confidence: `(N,)` float64, from 0 to 1.
        gap: `(..., N)` float64, right (1) or wrong (0) minus the confidence.
        num_bins: at least 1.

    Returns:
        `(...)`, of each row of residuals.
    """
    bins = torch.arange(num_bins, device=gap.device)
    index = torch.bucketize(confidence, edges(num_bins, confidence))
    # A dense sum, since `bincount` waits for the device and adds in no fixed order there.
    sums = torch.where(index == bins[:, None], gap[..., None, :], 0.0).sum(dim=-1)
    return sums.abs().sum(dim=-1) / gap.shape[-1]


def edges(num_bins: int, like: Tensor) -> Tensor:
    """Return the borders between bins of equal width, `(num_bins − 1,)` float64."""
    # Edges are i/B, each rounded once: B·confidence would put some exact edges into the next bin,
    # and so might a division by a Python number, which CUDA turns into a product.
    places = torch.arange(1, num_bins, device=like.device)
    return places.double() / torch.full_like(places, num_bins, dtype=torch.float64)
