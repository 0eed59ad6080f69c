"""All metrics of one pass."""

from __future__ import annotations

from torch import Tensor

from tfkd._checks import check_integer
from tfkd.metrics.batch import Labelled
from tfkd.metrics.binned_ece import binned_ece_of
from tfkd.metrics.brier import brier_of
from tfkd.metrics.likelihood import nll_of
from tfkd.metrics.risk_coverage import augrc_of, aurc_of, expected_errors
from tfkd.metrics.smooth_ece import smooth_ece_of


def all_metrics(logits: Tensor, labels: Tensor, *, num_bins: int = 15) -> dict[str, float]:
    """The seven metrics of labelled samples, from one pass over the logits.

    Args:
        logits: `(N, K)`, floating point.
        labels: `(N,)`, class indices in [0, K).
        num_bins: bins of the expected calibration error, at least 1.

    Returns:
        `accuracy`, `nll`, `ece`, `brier`, `aurc`, `augrc` and `smooth_ece`, equal to those of the
        single functions.

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, a label outside of [0, K), `num_bins` below 1, or logits
            with NaN, +inf or a row of nothing but -inf.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[0.9, 0.1], [0.6, 0.4]]).log()
        >>> values = all_metrics(logits, torch.tensor([0, 1]))
        >>> for name, value in values.items():
        ...     print(f"{name:<10} {value:.4f}")
        accuracy   0.5000
        nll        0.5108
        ece        0.3500
        brier      0.3700
        aurc       0.2500
        augrc      0.2500
        smooth_ece 0.2500
    """
    check_integer("num_bins", num_bins, minimum=1)
    batch = Labelled(logits, labels)
    errors = expected_errors(batch.correct, batch.confidence)
    found = {
        "accuracy": batch.correct.double().mean(),
        "nll": nll_of(batch),
        "ece": binned_ece_of(batch.confidence, batch.gap, num_bins),
        "brier": brier_of(batch),
        "aurc": aurc_of(errors),
        "augrc": augrc_of(errors),
        "smooth_ece": smooth_ece_of(batch.confidence, batch.gap),
    }
    return dict(zip(found, batch.read(*found.values()), strict=True))
