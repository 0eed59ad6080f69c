"""Checked logits and labels, and what several metrics share of them."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor


def check_logits_and_labels(logits: Tensor, labels: Tensor) -> None:
    """Raise `TypeError` or `ValueError` unless they are logits `(N, K)` and labels of them."""
    Labelled(logits, labels).read()


class Labelled:
    """Checked logits and labels, and what several metrics share; nothing here waits for a GPU.

    Args:
        logits: `(N, K)`, floating point.
        labels: `(N,)`, class indices in [0, K).
    """

    def __init__(self, logits: Tensor, labels: Tensor) -> None:
        check_logits("logits", logits)
        _check_labels(labels, logits)
        if logits.device.type == "mps":  # has no float64
            logits, labels = logits.cpu(), labels.cpu()
        self.logits = logits.detach()
        labels = labels.long()
        self.label_range = torch.stack([labels.min(), labels.max()])
        # An index out of range would end the CUDA context, so it is clamped here; `read` reports.
        self.labels = labels.clamp(0, logits.shape[1] - 1)[:, None]

    @cached_property
    def rank(self) -> Tensor:
        """How many classes stand before the label, `(N,)`; ties go to the lower index."""
        own = self.logits.gather(1, self.labels)
        lower = torch.arange(self.logits.shape[1], device=own.device) < self.labels
        return ((self.logits > own) | ((self.logits == own) & lower)).sum(dim=1)

    @cached_property
    def correct(self) -> Tensor:
        """Whether the label has the largest logit, `(N,)`."""
        return self.rank == 0

    @cached_property
    def log_probs(self) -> Tensor:
        """Log-probabilities in float64, `(N, K)`."""
        return self.logits.double().log_softmax(dim=1)

    @cached_property
    def probs(self) -> Tensor:
        """Probabilities in float64, `(N, K)`; unlike `log_probs.exp()`, equal logits give 1/K."""
        return self.logits.double().softmax(dim=1)

    @cached_property
    def confidence(self) -> Tensor:
        """The largest probability, `(N,)`; rows of the same logits in any order have the same."""
        # A sum in another order is another float64, which would rank samples by their class.
        ranked = self.logits.sort(dim=1, descending=True).values
        return ranked.double().softmax(dim=1)[:, 0].contiguous()

    @cached_property
    def gap(self) -> Tensor:
        """Whether each sample is right, 0 or 1, minus its confidence, `(N,)`."""
        return self.correct.double() - self.confidence

    def read(self, *values: Tensor) -> list[float]:
        """Fetch the values and the verdict on the input together, the one wait for the device."""
        *floats, num_unusable, low, high = torch.stack(
            [*values, count_unusable(self.logits).double(), *self.label_range.double()]
        ).tolist()
        check_usable("logits", self.logits, num_unusable)
        num_classes = self.logits.shape[1]
        if low < 0 or high >= num_classes:
            wrong = int(low if low < 0 else high)
            raise ValueError(f"Expected `labels` in [0, {num_classes - 1}], got {wrong}.")
        return floats


def count_unusable(logits: Tensor) -> Tensor:
    """Rows that no softmax has: `amax` hands on NaN and +inf, and is -inf if all are masked."""
    return (~logits.detach().amax(dim=1).isfinite()).sum()


def check_usable(name: str, logits: Tensor, num_unusable: float) -> None:
    """Raise `ValueError` where there are rows that no softmax has."""
    if num_unusable:
        raise ValueError(
            f"Expected `{name}` without NaN or +inf and with a finite value in every row, "
            f"got otherwise in {int(num_unusable)} of {logits.shape[0]} rows."
        )


def check_logits(name: str, logits: Tensor) -> None:
    """Raise `TypeError` or `ValueError` unless they are a tensor `(N, K)` of floats."""
    if not isinstance(logits, Tensor):
        raise TypeError(f"Expected `{name}` to be a tensor, got {type(logits).__name__}.")
    if not logits.is_floating_point():
        raise TypeError(f"Expected `{name}` of a floating dtype, got {logits.dtype}.")
    if logits.ndim != 2 or logits.shape[0] < 1 or logits.shape[1] < 2:
        raise ValueError(
            f"Expected `{name}` of shape (N, K), N at least 1 and K at least 2, "
            f"got {tuple(logits.shape)}."
        )


def _check_labels(labels: Tensor, logits: Tensor) -> None:
    if not isinstance(labels, Tensor):
        raise TypeError(f"Expected `labels` to be a tensor, got {type(labels).__name__}.")
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"Expected `labels` of an integer dtype, got {labels.dtype}.")
    if labels.shape != logits.shape[:1] or labels.device != logits.device:
        raise ValueError(
            f"Expected `labels` of shape {tuple(logits.shape[:1])} on {logits.device}, "
            f"got {tuple(labels.shape)} on {labels.device}."
        )
