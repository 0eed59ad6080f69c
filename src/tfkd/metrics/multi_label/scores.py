"""How good the probabilities of labels are, label by label."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from tfkd._checks import check_integer
from tfkd.metrics.binned_ece import binned_ece_of
from tfkd.metrics.multi_label.annotated import Annotated


def negative_log_likelihood(logits: Tensor, labels: Tensor) -> float:
    """Mean over the known labels of −y·log p − (1 − y)·log(1 − p), p = sigmoid(z), in nats.

    Args:
        logits: `(N, K)`, floating point.
        labels: `(N, K)`, 1, 0, or -100 where nobody has said.

    Returns:
        A number of at least 0.

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, another label, none that is known, or logits with NaN.

    Example:
        >>> round(negative_log_likelihood(torch.zeros(1, 3), torch.tensor([[1, 0, -100]])), 6)
        0.693147
    """
    return nll_of(Annotated(logits, labels))


def brier_score(logits: Tensor, labels: Tensor) -> float:
    """Mean over the known labels of (p − y)², p = sigmoid(z).

    Args, result and errors are as of `negative_log_likelihood`, but it is at most 1.

    Example:
        >>> brier_score(torch.zeros(1, 3), torch.tensor([[1, 0, -100]]))
        0.25
    """
    return brier_of(Annotated(logits, labels))


def expected_calibration_error(logits: Tensor, labels: Tensor, *, num_bins: int = 15) -> float:
    """Expected calibration error of the probabilities of the known labels, in bins of equal width.

        ECE = Σ_b n_b/M · |share of labels that are 1_b − mean probability_b|

    Bin b holds the probabilities in (b/B, (b+1)/B]; 0 belongs to the first.

    Args:
        logits: `(N, K)`, floating point.
        labels: `(N, K)`, 1, 0, or -100 where nobody has said; M are known.
        num_bins: B, at least 1.

    Returns:
        A number in [0, 1]; 0 is calibrated.

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, another label, none that is known, `num_bins` below 1, or
            logits with NaN.

    Example:
        >>> expected_calibration_error(torch.zeros(4, 2), torch.tensor([[1, 1]] * 3 + [[0, 0]]))
        0.25
    """
    check_integer("num_bins", num_bins, minimum=1)
    return ece_of(Annotated(logits, labels), num_bins)


def nll_of(batch: Annotated) -> float:
    """Return it of checked labels."""
    logits, labels = _known(batch)
    # Of the right side's logit, so that a sure and right one, even an infinite one, costs nothing.
    return float(softplus(torch.where(labels == 1.0, -logits, logits)).mean())


def brier_of(batch: Annotated) -> float:
    """Return it of checked labels."""
    logits, labels = _known(batch)
    return float((logits.sigmoid() - labels).square().mean())


def ece_of(batch: Annotated, num_bins: int) -> float:
    """Return it of checked labels."""
    logits, labels = _known(batch)
    probs = logits.sigmoid()
    return float(binned_ece_of(probs, labels - probs, num_bins))


def _known(batch: Annotated) -> tuple[Tensor, Tensor]:
    return batch.logits[batch.known], batch.positive[batch.known].double()
