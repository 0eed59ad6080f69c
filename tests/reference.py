"""The loss and its gradient in float64 NumPy loops, and the table of all teachers.

Nothing here calls the library's loss: the reference is the equation, written out sample by sample
and class by class. A new teacher is a new row of `TEACHERS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import tfkd

Array = NDArray[np.float64]


def softmax(z: Array) -> Array:
    """Probabilities of one row of logits; a logit of plus infinity takes all the mass."""
    if np.isposinf(z).any():
        return np.isposinf(z) / np.isposinf(z).sum()
    e = np.array([math.exp(v - z.max()) for v in z])
    return e / e.sum()


def log_softmax(z: Array) -> Array:
    """Log-probabilities of one row of logits."""
    total = sum(math.exp(v - z.max()) for v in z)
    return np.array([v - z.max() - math.log(total) for v in z])


def times_log(p: float, log_p: float) -> float:
    """p · log p', 0 where p is 0, even where the logarithm is infinite."""
    return 0.0 if p == 0.0 else p * log_p


def standardized(z: Array) -> Array:
    """One row of logits, less its mean, over its standard deviation of K - 1."""
    if np.isposinf(z).any():  # the limit of a gap that grows
        return np.where(np.isposinf(z), math.sqrt(len(z)), 0.0)
    there = z[np.isfinite(z)]
    mean = sum(there) / len(there)
    sd = math.sqrt(sum((v - mean) ** 2 for v in there) / max(len(there) - 1, 1))
    return np.array([(v - mean) / (1e-7 + sd) for v in z])


def through_standardizing(z: Array, slope: Array) -> Array:
    """What a gradient by standardised logits is by the logits of a row."""
    there = np.isfinite(z)
    n, mean = int(there.sum()), z[there].sum() / max(there.sum(), 1)
    off = np.where(there, z - mean, 0.0)
    sd = math.sqrt((off**2).sum() / max(n - 1, 1))
    result = np.zeros(len(z))
    for j in np.flatnonzero(there):
        for i in np.flatnonzero(there):
            change = (float(i == j) - 1.0 / n) / (1e-7 + sd)
            if sd > 0.0:
                change -= off[i] * off[j] / ((n - 1) * sd * (1e-7 + sd) ** 2)
            result[j] += slope[i] * change
    return result


def in_two_parts(
    t: Array, log_p: Array, true: int, weights: tuple[float, float]
) -> tuple[float, Array]:
    """target * kl(t_y || p_y) + non_target * KL(t^ || p^), and the gradient by the logits of p."""
    others = [k for k in range(len(t)) if k != true]
    p = np.exp(log_p)
    wrong_t, wrong_p = sum(t[k] for k in others), sum(p[k] for k in others)

    def part(of_t: float, of_p: float) -> float:
        return times_log(of_t, math.log(of_t or 1.0) - (math.log(of_p) if of_p else -math.inf))

    among_t = np.array([t[k] / wrong_t if k != true and wrong_t else 0.0 for k in range(len(t))])
    among_p = np.array([p[k] / wrong_p if k != true and wrong_p else 0.0 for k in range(len(t))])
    target = part(t[true], p[true]) + part(wrong_t, wrong_p)
    among = sum(part(among_t[k], among_p[k]) for k in others)
    slope = np.zeros(len(t))
    for k in range(len(t)):
        of_binary = 1.0 if k == true else -among_p[k]
        slope[k] = weights[0] * (p[true] - t[true]) * of_binary
        if k != true and wrong_t:
            slope[k] += weights[1] * (among_p[k] - among_t[k])
    return sum(w * v if w else 0.0 for w, v in zip(weights, (target, among), strict=True)), slope


def gap_rows(gap: float, num_classes: int) -> Array:
    """Row c: the logits of a teacher of this gap whose true class is c."""
    rows = np.zeros((num_classes, num_classes))
    for c in range(num_classes):
        rows[c, c] = gap
    return rows


@dataclass(frozen=True)
class Answer:
    """What the reference gives: the loss, its gradient and the divisor of the mean."""

    loss: Array
    grad: Array
    divisor: float


def distillation(
    z: Array,
    labels: NDArray[Any],
    *,
    dense: Array | None = None,
    by_class: Array | None = None,
    gaps: Array | None = None,
    alpha: float,
    temperature: float = 1.0,
    scale: float = 1.0,
    share: Array | float = 1.0,
    label_share: Array | float = 1.0,
    decoupled: tuple[float, float] | None = None,
    standardize: bool = False,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Answer:
    """Loss and gradient, the latter as (1-α)(p·Σq_k·w_k - w·q) + α·τ·(p_τ - t_τ)·Σq_k·w_k.

    The teacher is `dense` logits of the shape of z, or logits `by_class` (K, K), one row for each
    true class; probability labels then mix the softened rows. Or `gaps`, one for each position,
    which stand for such rows.
    """
    class_axis = 0 if z.ndim == 1 else 1
    num_classes = z.shape[class_axis]
    rows = np.moveaxis(z, class_axis, -1)
    positions = rows.shape[:-1]
    soft = labels.shape == z.shape
    label_rows = np.moveaxis(labels, class_axis, -1) if soft else labels
    teacher_rows = None if dense is None else np.moveaxis(dense, class_axis, -1)
    w = np.ones(num_classes) if weight is None else weight
    tau = temperature

    shares, label_shares = (np.broadcast_to(x, positions) for x in (share, label_share))
    seen_as = standardized if standardize else lambda row: row

    loss = np.zeros(positions)
    grad = np.zeros(rows.shape)
    divisor = 0.0
    for at in np.ndindex(*positions):
        q = np.zeros(num_classes)
        if soft:
            q[:] = label_rows[at]
            divisor += 1.0
        else:
            if label_rows[at] == ignore_index:
                continue
            q[int(label_rows[at])] = 1.0
            divisor += w[int(label_rows[at])]
        if teacher_rows is not None:
            t = softmax(seen_as(teacher_rows[at]) / tau)
        else:
            rows_by_class = by_class if gaps is None else gap_rows(float(gaps[at]), num_classes)
            assert rows_by_class is not None
            each = [softmax(seen_as(rows_by_class[c]) / tau) for c in range(num_classes)]
            t = sum(q[c] * each[c] for c in range(num_classes))
        sample_weight = sum(q[k] * w[k] for k in range(num_classes))
        log_p, log_p_tau = log_softmax(rows[at]), log_softmax(seen_as(rows[at]) / tau)
        kept = (1 - alpha) * label_shares[at]
        taught = alpha * shares[at] * sample_weight
        for k in range(num_classes):
            loss[at] += times_log(kept * w[k] * q[k], -log_p[k])
            grad[at][k] = kept * (math.exp(log_p[k]) * sample_weight - w[k] * q[k])
        if taught == 0.0:
            continue
        if decoupled is None:
            divergence = sum(
                times_log(t[k], math.log(t[k] or 1.0) - log_p_tau[k]) for k in range(num_classes)
            )
            slope = np.exp(log_p_tau) - t
        else:
            divergence, slope = in_two_parts(t, log_p_tau, int(label_rows[at]), decoupled)
        loss[at] += taught * tau**2 * divergence
        grad[at] += (
            taught * tau * (through_standardizing(rows[at], slope) if standardize else slope)
        )
    loss, grad = scale * loss, scale * np.moveaxis(grad, -1, class_axis)
    if reduction == "none":
        return Answer(loss, grad, divisor)
    if reduction == "sum":
        return Answer(np.asarray(loss.sum()), grad, divisor)
    return Answer(np.asarray(loss.sum() / divisor), grad / divisor, divisor)


class Scores(nn.Module):
    """A small network for inputs (N, 3), (N, 3, d1, ...) or (3,): one matrix over dimension 1."""

    def __init__(self, num_classes: int, seed: int = 1) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.matrix = nn.Parameter(torch.randn(num_classes, 3, generator=generator).double())

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits, classes where the inputs have their features."""
        dim = 0 if inputs.dim() == 1 else 1
        rows = inputs.movedim(dim, -1).to(self.matrix.dtype)
        return (rows @ self.matrix.T).movedim(-1, dim)


@dataclass(frozen=True)
class Row:
    """One teacher: how to build it, and its logits written out independently of it."""

    name: str
    build: Callable[[int], tfkd.Teacher]
    by_class: Callable[[int], Array] | None = None
    network: Callable[[int], nn.Module] | None = None

    def logits(self, num_classes: int, inputs: Tensor) -> dict[str, Array]:
        """Return the keyword of `distillation` that says what this teacher answers."""
        if self.by_class is not None:
            return {"by_class": self.by_class(num_classes)}
        assert self.network is not None
        network = self.network(num_classes).double()
        with torch.no_grad():
            return {"dense": network(inputs.double()).numpy()}


def confident_rows(confidence: float) -> Callable[[int], Array]:
    """Logarithms of eq. 8, one row for each true class."""

    def rows(num_classes: int) -> Array:
        p = np.full((num_classes, num_classes), (1 - confidence) / (num_classes - 1))
        np.fill_diagonal(p, confidence)
        with np.errstate(divide="ignore"):
            return np.log(p)

    return rows


TEACHERS = [
    Row("uniform", lambda k: tfkd.UniformTeacher(), lambda k: np.zeros((k, k))),
    Row("virtual 0.99", lambda k: tfkd.VirtualTeacher(0.99), confident_rows(0.99)),
    Row("virtual 0.6", lambda k: tfkd.VirtualTeacher(confidence=0.6), confident_rows(0.6)),
    Row("virtual 1", lambda k: tfkd.VirtualTeacher(1.0), confident_rows(1.0)),
    Row("virtual 1/K", lambda k: tfkd.VirtualTeacher(1 / k), lambda k: np.zeros((k, k))),
    Row("network", lambda k: tfkd.NetworkTeacher(Scores(k)), network=Scores),
]
