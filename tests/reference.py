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
    alpha: float,
    temperature: float = 1.0,
    scale: float = 1.0,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Answer:
    """Loss and gradient, the latter as (1-α)(p·Σq_k·w_k - w·q) + α·τ·(p_τ - t_τ)·Σq_k·w_k.

    The teacher is `dense` logits of the shape of z, or logits `by_class` (K, K), one row for each
    true class; probability labels then mix the softened rows.
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
            t = softmax(teacher_rows[at] / tau)
        else:
            assert by_class is not None
            t = sum(q[c] * softmax(by_class[c] / tau) for c in range(num_classes))
        sample_weight = sum(q[k] * w[k] for k in range(num_classes))
        log_p, log_p_tau = log_softmax(rows[at]), log_softmax(rows[at] / tau)
        for k in range(num_classes):
            loss[at] -= times_log((1 - alpha) * w[k] * q[k], log_p[k])
            if alpha > 0:
                divergence = times_log(t[k], math.log(t[k] or 1.0) - log_p_tau[k])
                loss[at] += alpha * tau**2 * times_log(sample_weight, divergence)
            grad[at][k] = (1 - alpha) * (math.exp(log_p[k]) * sample_weight - w[k] * q[k])
            grad[at][k] += alpha * tau * sample_weight * (math.exp(log_p_tau[k]) - t[k])
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
