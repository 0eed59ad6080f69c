"""Whole trainings by the methods that remember, each a straight loop over a linear student.

Nothing here calls the library or torch: gradients are complex steps (see `later_methods`), state is
a NumPy array. `world` is the student's start, the samples and the order in which they are shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
World = dict[str, Any]


class Trained(NamedTuple):
    """The student in the end, and what its teacher remembers after each epoch."""

    weights: Array
    state: list[Array]


def batches(world: World, epoch: int) -> Iterator[slice]:
    """Slices of the order of an epoch."""
    size = world["batch_size"]
    for start in range(0, len(world["labels"]), size):
        yield slice(start, start + size)


class Loop:
    """The student and the world, with one step of gradient descent; orders come again and again."""

    def __init__(self, world: World, formulas: ModuleType, momentum: float = 0.0) -> None:
        self.world, self.formulas, self.momentum = world, formulas, momentum
        self.velocity = np.zeros_like(world["weights"])
        self.weights = np.array(world["weights"])
        self.labels: list[int] = world["labels"]
        self.inputs, self.second = np.array(world["inputs"]), np.array(world["second_view"])
        self.epochs = len(world["order"])

    def shown(self, epoch: int) -> Iterator[list[int]]:
        for part in batches(self.world, epoch):
            yield self.world["order"][epoch % self.epochs][part]

    def probabilities(self, inputs: Array) -> list[list[float]]:
        return [self.formulas.probabilities(row) for row in (inputs @ self.weights.T).tolist()]

    def step(self, inputs: Array, losses: Callable[..., Any]) -> None:
        """A step along the gradient of the mean of the losses, `losses(z, row)`, of the rows."""

        def of_rows(rows: Any) -> list[complex]:
            return [losses(z, row) for row, z in enumerate(rows)]

        _, by_logits = self.formulas.mean_and_gradient(of_rows, inputs @ self.weights.T)
        self.velocity = self.momentum * self.velocity + by_logits.T @ inputs
        self.weights = self.weights - self.world["learning_rate"] * self.velocity


def ols(
    world: World,
    f: ModuleType,
    *,
    alpha: float,
    start: str = "uniform",
    scale: float = 1.0,
    freeze_at: float = 2.0,
    momentum: float = 0.0,
    epochs: int = 4,
) -> Trained:
    """Online label smoothing: the soft label of a class is the mean of what was right of it."""
    loop, states = Loop(world, f, momentum), []
    k = len(loop.weights)
    soft = np.zeros((k, k)) if start == "zeros" else np.full((k, k), 1.0 / k)
    for epoch in range(epochs):
        sums, counts = np.zeros((k, k)), np.zeros(k)
        for shown in loop.shown(epoch):
            inputs, y = loop.inputs[shown], [loop.labels[i] for i in shown]
            for p, label in zip(loop.probabilities(inputs), y, strict=True):
                if int(np.argmax(p)) == label:
                    sums[label] += p
                    counts[label] += 1
            loop.step(
                inputs, lambda z, i, y=y: scale * f.beside(z, y[i], alpha, soft[y[i]].tolist())
            )
        for c in range(k):
            if counts[c] == 0:
                soft[c] = 1.0 / k
            elif soft[c].max() < freeze_at:
                soft[c] = sums[c] / counts[c]
        states.append(soft.copy())
    return Trained(loop.weights, states)


def ps_kd(world: World, f: ModuleType, *, alpha: float) -> Trained:
    """PS-KD: a sample is taught by what the student said when it saw it last."""
    loop, states = Loop(world, f), []
    said = np.zeros((len(loop.labels), len(loop.weights)))
    for epoch in range(loop.epochs):
        now = alpha * (epoch + 1) / loop.epochs if epoch else 0.0
        for shown in loop.shown(epoch):
            inputs, y = loop.inputs[shown], [loop.labels[i] for i in shown]
            targets = said[shown].tolist()
            after = loop.probabilities(inputs)  # of the weights before the step
            loop.step(inputs, lambda z, i, y=y, q=targets, a=now: f.beside(z, y[i], a, q[i]))
            said[shown] = after
        states.append(said.copy())
    return Trained(loop.weights, states)


def cs_kd(world: World, f: ModuleType, *, added: float, temperature: float) -> Trained:
    """CS-KD: a sample is taught by what the student says of another one of its class."""
    loop = Loop(world, f)
    for epoch in range(loop.epochs):
        for part, shown in zip(batches(world, epoch), loop.shown(epoch), strict=True):
            y = [loop.labels[i] for i in shown]
            t = (loop.inputs[world["partners"][epoch][part]] @ loop.weights.T).tolist()
            loop.step(
                loop.inputs[shown],
                lambda z, i, y=y, t=t: f.kd(z, y[i], t[i], 1.0, added, temperature),
            )
    return Trained(loop.weights, [])


def dlb(world: World, f: ModuleType, *, added: float, temperature: float) -> Trained:
    """DLB: the batch before, in its second view, is taught by what was said of its first."""
    loop = Loop(world, f)
    before: list[int] = []
    said: list[list[float]] = []
    for epoch in range(loop.epochs):
        for shown in loop.shown(epoch):
            y = [loop.labels[i] for i in [*before, *shown]]
            nobody = [[0.0] * len(loop.weights)] * len(shown)
            # Half of the rows are taught, and the teacher's term is a mean over those alone.
            weights = [2.0 * added] * len(said) + [0.0] * len(shown)
            inputs = np.concatenate([loop.second[before], loop.inputs[shown]])
            next_said = (loop.inputs[shown] @ loop.weights.T).tolist()
            loop.step(
                inputs,
                lambda z, i, y=y, t=said + nobody, w=weights: f.kd(
                    z, y[i], t[i], 1.0, w[i], temperature
                ),
            )
            before, said = list(shown), next_said
    return Trained(loop.weights, [])


def mean_teacher(
    world: World, f: ModuleType, *, added: float, ramp_up: int, decay: float, start: str
) -> Trained:
    """Mean teacher: the moving average of the weights teaches, at τ = 1."""
    loop, steps = Loop(world, f), 0
    average = np.array(world["weights" if start == "the student" else "other_weights"])
    for epoch in range(loop.epochs):
        weight = added * math.exp(-5.0 * (1.0 - min(epoch / ramp_up, 1.0)) ** 2)
        for shown in loop.shown(epoch):
            y, t = [loop.labels[i] for i in shown], (loop.inputs[shown] @ average.T).tolist()
            loop.step(
                loop.inputs[shown],
                lambda z, i, y=y, t=t, w=weight: f.kd(z, y[i], t[i], 1.0, w, 1.0),
            )
            steps += 1
            kept = min(1.0 - 1.0 / (steps + 1), decay)
            average = kept * average + (1.0 - kept) * loop.weights
    return Trained(loop.weights, [average])


def dkd(
    world: World,
    f: ModuleType,
    *,
    target: float,
    non_target: float,
    temperature: float,
    warm_up: int,
) -> Trained:
    """Decoupled KD: its term grows over the first epochs, which count from 1."""
    loop, teacher = Loop(world, f), np.array(world["other_weights"])
    for epoch in range(loop.epochs):
        w = min((epoch + 1) / warm_up, 1.0)
        for shown in loop.shown(epoch):
            y, t = [loop.labels[i] for i in shown], (loop.inputs[shown] @ teacher.T).tolist()
            loop.step(
                loop.inputs[shown],
                lambda z, i, y=y, t=t, w=w: (
                    f.cross_entropy(z, y[i])
                    + w * f.dkd(z, y[i], t[i], target, non_target, temperature)
                ),
            )
    return Trained(loop.weights, [])
