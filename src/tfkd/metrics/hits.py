"""How often the label is among the likeliest classes, and how often two networks agree."""

from __future__ import annotations

import torch
from torch import Tensor

from tfkd._checks import check_integer
from tfkd.metrics.batch import Labelled, check_logits, check_usable, count_unusable


def accuracy(logits: Tensor, labels: Tensor, *, top_k: int = 1) -> float:
    """Fraction of samples whose label is among the `top_k` largest logits.

    Args:
        logits: `(N, K)`, floating point.
        labels: `(N,)`, class indices in [0, K).
        top_k: how many classes may be named, from 1 to K.

    Returns:
        A fraction in [0, 1].

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, a label outside of [0, K), `top_k` outside of [1, K], or
            logits with NaN, +inf or a row of nothing but -inf.

    Example:
        >>> logits = torch.tensor([[2.0, 1.0, 0.0], [2.0, 1.0, 0.0]])
        >>> accuracy(logits, torch.tensor([0, 1]))
        0.5
        >>> accuracy(logits, torch.tensor([0, 1]), top_k=2)
        1.0
    """
    check_integer("top_k", top_k, minimum=1)
    batch = Labelled(logits, labels)
    if top_k > logits.shape[1]:
        raise ValueError(f"Expected `top_k` in [1, {logits.shape[1]}], got {top_k}.")
    return batch.read((batch.rank < top_k).double().mean())[0]


def agreement(logits: Tensor, other: Tensor) -> float:
    """Fraction of samples to which two networks give the same class.

    Args:
        logits: `(N, K)`, floating point, for instance the student's.
        other: `(N, K)`, floating point, for instance the teacher's.

    Returns:
        A fraction in [0, 1].

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape or device, or logits with NaN, +inf or a row of nothing but
            -inf.

    Example:
        >>> student = torch.tensor([[2.0, 1.0], [0.0, 1.0]])
        >>> teacher = torch.tensor([[9.0, 1.0], [5.0, 1.0]])
        >>> agreement(student, teacher)
        0.5
    """
    check_logits("logits", logits)
    check_logits("other", other)
    if other.shape != logits.shape or other.device != logits.device:
        raise ValueError(
            f"Expected `other` of shape {tuple(logits.shape)} on {logits.device}, "
            f"got {tuple(other.shape)} on {other.device}."
        )
    same = logits.argmax(dim=1) == other.argmax(dim=1)
    counts = [same.sum(), count_unusable(logits), count_unusable(other)]
    num_same, unusable, other_unusable = torch.stack(counts).tolist()
    check_usable("logits", logits, unusable)
    check_usable("other", other, other_unusable)
    return float(num_same / logits.shape[0])
