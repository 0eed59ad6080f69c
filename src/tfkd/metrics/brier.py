"""How far probabilities lie from the truth."""

from __future__ import annotations

import torch
from torch import Tensor

from tfkd.metrics.batch import Labelled


def brier_score(logits: Tensor, labels: Tensor) -> float:
    """Multi-class Brier score: the mean over samples of Σ_k (p_k − 1[k = label])².

    Args:
        logits: `(N, K)`, floating point.
        labels: `(N,)`, class indices in [0, K).

    Returns:
        A number in [0, 2], twice the two-class score that looks at one class only.

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, a label outside of [0, K), or logits with NaN, +inf or a
            row of nothing but -inf.

    Example:
        >>> round(brier_score(torch.tensor([[0.8, 0.2]]).log(), torch.tensor([0])), 6)
        0.08

    Source: Brier, "Verification of Forecasts Expressed in Terms of Probability", Monthly Weather
    Review 78, 1950.
    """
    batch = Labelled(logits, labels)
    return batch.read(brier_of(batch))[0]


def brier_of(batch: Labelled) -> Tensor:
    """Return it as a tensor."""
    classes = torch.arange(batch.probs.shape[1], device=batch.probs.device)
    return (batch.probs - (classes == batch.labels).double()).square().sum(dim=1).mean()
