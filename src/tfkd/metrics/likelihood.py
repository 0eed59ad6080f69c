"""How surprised a network is by the labels."""

from __future__ import annotations

from torch import Tensor

from tfkd.metrics.batch import Labelled


def negative_log_likelihood(logits: Tensor, labels: Tensor) -> float:
    """Mean of -log p(label), in nats, without label smoothing.

    Args:
        logits: `(N, K)`, floating point.
        labels: `(N,)`, class indices in [0, K).

    Returns:
        The mean over the samples, at least 0; inf if the class of a label is masked.

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, a label outside of [0, K), or logits with NaN, +inf or a
            row of nothing but -inf.

    Example:
        >>> import torch
        >>> round(negative_log_likelihood(torch.zeros(1, 10), torch.tensor([3])), 6)
        2.302585
    """
    batch = Labelled(logits, labels)
    return batch.read(nll_of(batch))[0]


def nll_of(batch: Labelled) -> Tensor:
    """Return it as a tensor."""
    return -batch.log_probs.gather(1, batch.labels).mean()
