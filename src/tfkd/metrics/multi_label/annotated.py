"""Checked logits, and labels of which some may be missing."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

MISSING = -100
"""In place of a label that nobody has given, as `ignore_index` of torch's losses."""


def check_annotations(logits: Tensor, labels: Tensor) -> None:
    """Raise `TypeError` or `ValueError` unless they are logits `(N, K)` and labels of each."""
    Annotated(logits, labels)


class Annotated:
    """Checked logits and labels, on the CPU.

    Args:
        logits: `(N, K)`, floating point, without NaN.
        labels: `(N, K)`, 1, 0, or -100 where nobody has said; one of the first two at least.

    Attributes:
        logits: in float64.
        known: `(N, K)`, whether there is a label.
        positive: `(N, K)`, whether it is 1.
    """

    def __init__(self, logits: Tensor, labels: Tensor) -> None:
        _check_logits(logits)
        if not isinstance(labels, Tensor):
            raise TypeError(f"Expected `labels` to be a tensor, got {type(labels).__name__}.")
        if labels.is_complex():
            raise TypeError(f"Expected `labels` of real numbers, got {labels.dtype}.")
        if labels.shape != logits.shape:
            raise ValueError(
                f"Expected `labels` of shape {tuple(logits.shape)}, got {tuple(labels.shape)}."
            )
        self.logits = logits.detach().cpu().double()
        if bool(self.logits.isnan().any()):
            rows = int(self.logits.isnan().any(1).sum())
            raise ValueError(f"Expected `logits` without NaN, got it in {rows} rows.")
        given = labels.detach().cpu().double()
        self.positive, negative = given == 1, given == 0
        self.known = self.positive | negative
        strange = given[~self.known & (given != MISSING)]
        if len(strange):
            raise ValueError(
                f"Expected `labels` of 1, 0 or {MISSING} (not known), got {strange[0]:g}."
            )
        if not bool(self.known.any()):
            raise ValueError("Expected `labels` of which one at least is known, got none.")

    @property
    def num_classes(self) -> int:
        """K."""
        return self.logits.shape[1]

    @cached_property
    def taken(self) -> Tensor:
        """Whether the probability is above 0.5, `(N, K)`."""
        return self.logits > 0.0

    @cached_property
    def right(self) -> Tensor:
        """Whether what was taken is the label, where that is known, `(N, K)`."""
        return (self.taken == self.positive) & self.known

    def column(self, label: int) -> tuple[Tensor, Tensor]:
        """Return the logits of a class where its label is known, `(n,)`, and whether it is 1."""
        known = self.known[:, label]
        return self.logits[known, label], self.positive[known, label]


def _check_logits(logits: Tensor) -> None:
    if not isinstance(logits, Tensor):
        raise TypeError(f"Expected `logits` to be a tensor, got {type(logits).__name__}.")
    if not logits.is_floating_point():
        raise TypeError(f"Expected `logits` of a floating dtype, got {logits.dtype}.")
    if logits.ndim != 2 or not logits.numel():
        raise ValueError(
            f"Expected `logits` of shape (N, K), both at least 1, got {tuple(logits.shape)}."
        )


def mean_of(values: list[float | None]) -> float | None:
    """Return the mean of those that there are; None if there is none."""
    there = torch.tensor([value for value in values if value is not None], dtype=torch.float64)
    return float(there.mean()) if len(there) else None


def required(value: float | None, what: str) -> float:
    """Return a value; `ValueError` that names what the labels lack where there is none."""
    if value is None:
        raise ValueError(f"Expected {what}, got none.")
    return value
