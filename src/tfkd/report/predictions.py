"""What the figures need of a run's test logits, reduced to a few small arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]

BINS = 15
COVERAGES = 100
TEMPERATURES = (1.0, 2.0, 5.0, 10.0, 20.0, 40.0)
MOST_RANKS = 20
SAMPLES_AT_ONCE = 8192
WORTH_THREADS = 1_000_000
"""Fewer logits than this are reduced by one thread: to wake others takes longer than the work."""


class Bins(NamedTuple):
    """Samples by confidence, in the `BINS` bins of the ECE.

    Attributes:
        images: how many there are in each.
        confidence: sum of their confidences.
        correct: how many of them are right.
    """

    images: Array
    confidence: Array
    correct: Array


@dataclass(frozen=True)
class Predictions:
    """A run on its test split.

    Attributes:
        bins: by confidence.
        calibrated: the same after the run's temperature; None where it has none.
        risk: error rate among the most confident share, at the coverages 1/100, 2/100 … 1.
        class_accuracy: share of each class that is recognised; nan for a class without samples.
        flattened: by temperature τ, the mean over samples of softmax(logits/τ), sorted from the
            likeliest class on, at most `MOST_RANKS` of them; empty unless asked for.
    """

    bins: Bins
    calibrated: Bins | None
    risk: Array
    class_accuracy: Array
    flattened: dict[float, Array]


def reduce_logits(
    logits: Tensor,
    labels: Tensor,
    *,
    temperatures: Sequence[float] = (),
    temperature: float | None = None,
) -> Predictions:
    """Reduce logits to what the figures need.

    Args:
        logits: `(N, K)`.
        labels: `(N,)`, class indices.
        temperatures: at which to flatten the logits.
        temperature: with which the run is calibrated.

    Example:
        >>> logits = torch.tensor([[0.75, 0.25], [0.75, 0.25]]).log()
        >>> found = reduce_logits(logits, torch.tensor([0, 1]))
        >>> [round(float(each[11]), 6) for each in found.bins], found.class_accuracy.tolist()
        ([2.0, 1.5, 1.0], [1.0, 0.0])
    """
    num_classes = logits.shape[1]
    kept = min(MOST_RANKS, num_classes)
    confidences, calibrated, flattened = [], [], {key: np.zeros(kept) for key in temperatures}
    with _threads_for(logits):
        for part in torch.split(logits, SAMPLES_AT_ONCE):
            wide = part.double()
            # As in `tfkd.metrics`: the same logits in another order are the same confidence.
            ordered = part.sort(dim=1, descending=True).values.double()
            confidences.append(ordered.softmax(dim=1)[:, 0])
            if temperature is not None:
                calibrated.append((ordered / temperature).softmax(dim=1)[:, 0])
            for each in flattened:
                ranked = (wide / each).softmax(dim=1).sort(dim=1, descending=True).values
                flattened[each] += ranked[:, :MOST_RANKS].sum(dim=0).numpy()
        confidence: Array = torch.cat(confidences).numpy()
        right = (logits.argmax(dim=1) == labels).double().numpy()
    own = labels.numpy()
    seen = np.bincount(own, minlength=num_classes)
    hit = np.bincount(own, right, minlength=num_classes)
    with np.errstate(invalid="ignore"):
        class_accuracy = hit / seen
    return Predictions(
        bins=_bins(confidence, right),
        calibrated=_bins(torch.cat(calibrated).numpy(), right) if calibrated else None,
        risk=_risk(confidence, right),
        class_accuracy=class_accuracy,
        flattened={key: total / len(own) for key, total in flattened.items()},
    )


def _bins(confidence: Array, right: Array) -> Bins:
    # The edges i/B, each rounded once, belong to the bin below, as in `tfkd.metrics`.
    bins = np.searchsorted(np.arange(1, BINS) / BINS, confidence)
    return Bins(
        np.bincount(bins, minlength=BINS).astype(np.float64),
        np.bincount(bins, confidence, minlength=BINS).astype(np.float64),
        np.bincount(bins, right, minlength=BINS).astype(np.float64),
    )


@contextmanager
def _threads_for(logits: Tensor) -> Iterator[None]:
    threads = torch.get_num_threads()
    if logits.numel() >= WORTH_THREADS or threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _risk(confidence: Array, right: Array) -> Array:
    """Error rate among the most confident share, at `COVERAGES` shares.

    Samples of equal confidence stand in random order, and the risk is the expectation over it:
    within such a block the errors grow evenly.
    """
    order = np.argsort(-confidence, kind="stable")
    ranked, errors = confidence[order], np.cumsum(1.0 - right[order])
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    covered = len(ranked) * np.arange(1, COVERAGES + 1) / COVERAGES
    known_at, known = np.append(0.0, ends + 1.0), np.append(0.0, errors[ends])
    risk: Array = np.interp(covered, known_at, known) / covered
    return risk
