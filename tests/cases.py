"""Generated cases of the loss, and how far floating point lets a right answer be off.

A seed makes the numbers and the settings; what Hypothesis shrinks are the sizes.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

import tfkd

Array = NDArray[np.float64]

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
LOGITS = ("ordinary", "huge", "spread", "equal", "one far ahead", "close", "tiny")
LAYOUTS = ("contiguous", "transposed", "sliced", "offset", "channels last")
GAPS = (0.0, 0.5, 6.8, 50.0, 800.0, math.inf)
TEMPERATURES = (1.0, 0.05, 0.5, 4.0, 20.0, 1000.0)
ALPHAS = (0.3, 0.0, 1.0)
SCALES = (1.0, 0.0595, 3.0)
REDUCTIONS = ("mean", "sum", "none")
SLACK = 2.0  # of a bound that is one of first order


@dataclass(frozen=True)
class Case:
    """Arguments of the loss, and the public way by which it is asked."""

    logits: Tensor
    labels: Tensor
    teacher: Tensor | float
    options: dict[str, Any]
    way: str
    confidence: float | None = None  # of the virtual teacher whose gap `teacher` is

    @property
    def class_dim(self) -> int:
        """Where the classes are."""
        return 0 if self.logits.dim() == 1 else 1

    @property
    def num_classes(self) -> int:
        """K."""
        return self.logits.shape[self.class_dim]

    @property
    def soft(self) -> bool:
        """Whether the labels are probabilities."""
        return self.labels.shape == self.logits.shape

    def leaf(self) -> Tensor:
        """The student's logits, to be differentiated by."""
        return self.logits.detach().requires_grad_()

    def loss(self, logits: Tensor, **changed: Any) -> Tensor:
        """The loss of these logits, with some arguments changed."""
        labels = changed.pop("labels", self.labels)
        teacher = changed.pop("teacher", self.teacher)
        options = {**self.options, **changed}
        if self.way == "function":
            return tfkd.distillation_loss(logits, labels, teacher, **options)
        criterion, inputs = self._criterion(teacher, options)
        return criterion(logits, labels, inputs)

    def _criterion(
        self, teacher: Tensor | float, options: dict[str, Any]
    ) -> tuple[nn.Module, Tensor | None]:
        """The criterion with this teacher; a network teacher is handed its own logits."""
        if isinstance(teacher, Tensor):
            if self.way == "method":
                return tfkd.knowledge_distillation(nn.Identity(), **options), teacher
            return tfkd.DistillationLoss(tfkd.NetworkTeacher(nn.Identity()), **options), teacher
        if self.confidence is None:
            return tfkd.DistillationLoss(tfkd.UniformTeacher(), **options), None
        if self.way == "method":
            return tfkd.tf_kd_reg(confidence=self.confidence, **options), None
        return tfkd.DistillationLoss(tfkd.VirtualTeacher(self.confidence), **options), None

    def replace(self, **changed: Any) -> Case:
        """The case with other fields."""
        return dataclasses.replace(self, **changed)


def laid_out(x: Tensor, layout: str) -> Tensor:
    """The same numbers with other strides, beside numbers that would be noticed."""
    beside = math.nan if x.is_floating_point() else -(2**40)
    if layout == "transposed":
        return x.transpose(0, -1).contiguous().transpose(0, -1)
    if layout == "sliced":
        return torch.stack([x, torch.full_like(x, beside)], dim=-1)[..., 0]
    if layout == "offset":
        return torch.cat([x.new_full((1,), beside), x.flatten()])[1:].view(x.shape)
    if layout == "channels last" and x.dim() == 4:
        return x.contiguous(memory_format=torch.channels_last)
    return x


def numbers(kind: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Logits of one kind, in float64."""
    normal = torch.randn(shape, generator=generator, dtype=torch.float64)
    if kind == "huge":
        return 1e4 * normal.sign()
    if kind == "spread":
        return 2e4 * torch.rand(shape, generator=generator, dtype=torch.float64) - 1e4
    if kind == "equal":
        return torch.full(shape, 7.0, dtype=torch.float64)
    if kind == "one far ahead":
        # 90 and 110 lie on either side of where exp leaves float32; 800 of where it leaves float64.
        ahead = (20.0, 90.0, 110.0, 800.0, 1e4)[int(torch.randint(5, (), generator=generator))]
        rows = normal if len(shape) == 1 else normal.movedim(1, -1)
        rows = ahead * (rows == rows.max(-1, keepdim=True).values)
        return rows if len(shape) == 1 else rows.movedim(-1, 1)
    if kind == "close":
        return 1e3 + normal / 64
    return 1e-6 * normal if kind == "tiny" else 3.0 * normal


def some_masked(x: Tensor, masked: Tensor) -> Tensor:
    """Minus infinity where masked, but for the first class of all."""
    dim = 0 if x.dim() == 1 else 1
    first = torch.arange(x.shape[dim]).view(-1, *([1] * (x.dim() - 1 - dim))) == 0
    return torch.where(masked & ~first, -math.inf, x)


def soft_labels(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Probabilities in 64ths, which every dtype holds exactly, some of them 0 or 1."""
    dim = 0 if len(shape) == 1 else 1
    cuts = torch.randint(
        0, 65, (*shape[:dim], shape[dim] - 1, *shape[dim + 1 :]), generator=generator
    )
    ends = torch.full((*shape[:dim], 1, *shape[dim + 1 :]), 64)
    edges = torch.cat([0 * ends, cuts.sort(dim).values, ends], dim)
    return edges.diff(dim=dim).double() / 64


@st.composite
def cases(
    draw: Callable[..., Any],
    *,
    dtypes: tuple[torch.dtype, ...] = DTYPES,
    kinds: tuple[str, ...] = LOGITS,
    alphas: tuple[float, ...] = ALPHAS,
    masks: bool = True,
    soft: bool | None = None,
) -> Case:
    """Draw a case. `masks`: whether classes may be masked, by minus infinity."""
    # Choices are made by the seed too: Hypothesis itself makes them far from independently, and
    # among hundreds of its own cases many combinations of settings never come up.
    seed, n, k = draw(st.integers(0, 2**62)), draw(st.integers(1, 4)), draw(st.integers(2, 7))
    generator, chance = torch.Generator().manual_seed(seed), random.Random(seed)
    one_of = chance.choice

    def maybe(probability: float = 0.5) -> bool:
        return chance.random() < probability

    shape = one_of([(n, k), (k,), (n, k, 3), (n, k, 2, 2)])
    dim = 0 if len(shape) == 1 else 1
    dtype = one_of(dtypes)
    other = dtype if maybe() else torch.float32  # of probabilities and of the teacher
    logits = numbers(one_of(kinds), shape, generator)
    mask = torch.rand(shape, generator=generator) < 0.3
    if masks and maybe(0.25):
        logits = some_masked(logits, mask)

    teacher: Tensor | float
    confidence = None
    way = one_of(["function", "module", "method"])
    kind = one_of(["gap", "gap", *kinds, "the student", "certain"])
    if kind == "gap" and way == "function":
        teacher = one_of(GAPS) if maybe() else chance.uniform(0.0, 20.0)
    elif kind == "gap":
        a = confidence = one_of([None, 0.9, 0.99, 1 - 1e-6, 1.0])
        teacher = 0.0 if a is None else math.inf if a == 1.0 else math.log(a * (k - 1) / (1 - a))
    else:
        teacher = logits.clone() if kind == "the student" else numbers(kind, shape, generator)
        if kind == "certain" and masks:
            teacher = torch.where(teacher == teacher.amax(dim, keepdim=True), 0.0, -math.inf)
        elif masks and logits.isinf().any():
            # A teacher that believes in a masked class makes the loss infinite.
            teacher = some_masked(teacher, mask if maybe() else mask.flip(0))

    alpha = one_of(alphas) if maybe() or alphas == (0.0,) else chance.uniform(1e-3, 1.0)
    if alpha == 0.0:
        other = dtype  # as torch.nn.functional.cross_entropy has it
    weight = None
    if maybe():
        steps = torch.tensor([0.0, 0.5, 1.0, 2.0, 3.0], dtype=dtype)
        weight = steps[torch.randint(5, (k,), generator=generator)]
    ignore_index = -100
    if maybe() if soft is None else soft:
        labels = laid_out(soft_labels(shape, generator).to(other), one_of(LAYOUTS))
    else:
        labels = torch.randint(0, k, shape[:dim] + shape[dim + 1 :], generator=generator)
        ignore_index = one_of([-100, -1, 0, k - 1])
        ignored = torch.rand(labels.shape, generator=generator) < one_of([0.0, 0.3, 1.0])
        labels = torch.where(ignored, ignore_index, labels)
    temperature = one_of(TEMPERATURES)
    if maybe():
        temperature = math.exp(chance.uniform(math.log(0.05), math.log(1000.0)))
    return Case(
        laid_out(logits.to(dtype), one_of(LAYOUTS)),
        labels,
        laid_out(teacher.to(other), one_of(LAYOUTS)) if isinstance(teacher, Tensor) else teacher,
        {
            "alpha": alpha,
            "temperature": temperature,
            "scale": one_of(SCALES),
            "weight": weight,
            "ignore_index": ignore_index,
            "reduction": one_of(REDUCTIONS),
        },
        way,
        confidence,
    )


def for_all(examples: int, strategy: Any) -> Callable[[Callable[[Any], None]], None]:
    """Check what is decorated with this many generated cases, the same ones each time."""

    def run(check: Callable[[Any], None]) -> None:
        settings(
            max_examples=examples,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )(given(strategy)(check))()

    return run


def as_rows(x: Tensor) -> Array:
    """The numbers in float64, one row of classes for each position."""
    x = x.detach().double()
    return (x[None] if x.dim() == 1 else x.movedim(1, -1).flatten(0, -2)).numpy()


@dataclass(frozen=True)
class Tolerance:
    """What rounding may change.

    Attributes:
        loss: largest error of the loss at each position, in the shape of class indices.
        grad: largest error of the gradient of the reduced loss, in the shape of the logits.
        divisor: of the mean: the weight of the positions that count.
        eps: the precision that the loss is computed in.
        vanishing: positions that are infinite only by probabilities of the teacher that are too
            small for the dtype: there the loss may be infinite or not, but must be a number.
    """

    loss: Array
    grad: Array
    divisor: float
    eps: float
    vanishing: NDArray[np.bool_]

    def reduced(self, by_position: Array, reduction: str) -> Any:
        """The tolerance of the reduced loss: those of its parts, and of their sum."""
        if reduction == "none":
            return self.loss
        size = np.abs(by_position[np.isfinite(by_position)]).sum()
        total = self.loss.sum() + self.eps * (by_position.size + 1) * size
        return total if reduction == "sum" else total / self.divisor


def tolerance(case: Case, shift: float = 0.0) -> Tolerance:
    r"""Bound what rounding alone may change, to first order, times `SLACK`.

    With ε the precision and M the largest logit of a row, log softmax(z/τ) is off by at most
    δ = ε(2M/τ + log K + 2): z/τ is rounded, then the maximum and a logarithm are subtracted. With
    r_k = log t_k − log p_k, the divergence is off by δ_p + δ_t(1 + Σ t_k|r_k|) from its inputs and
    by ε(K + 2) of the absolute values of the terms it sums, its gradient by δ_p·p + δ_t·t and
    ε(K + 2) of p + t; the label term likewise. Gradients are rounded to the dtype of the logits.

    Args:
        case: the case.
        shift: how far the logits are shifted by a constant, which counts to M.
    """
    alpha, tau, scale = (case.options[name] for name in ("alpha", "temperature", "scale"))
    k = case.num_classes
    half = case.logits.dtype.itemsize < 4
    computed = torch.finfo(torch.float32 if half and alpha > 0.0 else case.logits.dtype)
    sums = computed.eps * (k + 2)

    def total(x: Array) -> Array:
        return x.sum(1, keepdims=True)

    def log_softmax(x: Array) -> Array:
        x = x - x.max(1, keepdims=True)
        return x - np.log(total(np.exp(x)))

    def error(x: Array, tau: float) -> Array:
        largest = np.where(np.isfinite(x), np.abs(x), 0.0).max(1, keepdims=True) + abs(shift)
        return computed.eps * (2.0 * largest / tau + math.log(k) + 2.0)

    z, q, w = as_rows(case.logits), _label_rows(case), np.ones(k)
    if case.options["weight"] is not None:
        w = case.options["weight"].double().numpy()
    position = total(q * w)
    if isinstance(case.teacher, Tensor):
        teacher = as_rows(case.teacher)
        t, error_t = np.exp(log_softmax(teacher / tau)), error(teacher, tau)
    else:
        others = math.exp(-case.teacher / tau)
        t, error_t = (others + (1.0 - others) * q) / (1.0 + (k - 1) * others), 4.0 * computed.eps
    masked = np.isneginf(z)
    # Where a logarithm is infinite, so is the loss, and nothing is tolerated: 0 is put there.
    log_p, log_p_tau = (np.where(masked, 0.0, log_softmax(x)) for x in (z, z / tau))
    p, p_tau = (np.where(masked, 0.0, np.exp(x)) for x in (log_p, log_p_tau))
    log_t = np.log(np.where(t > 0.0, t, 1.0))

    label = total(w * q * (error(z, 1.0) + sums * np.abs(log_p)))
    divergence = error(z, tau) + sums * total(t * (np.abs(log_t) + np.abs(log_p_tau)))
    divergence = divergence + error_t * (1.0 + total(t * np.abs(log_t - log_p_tau)))
    loss = (1.0 - alpha) * label + alpha * tau**2 * position * divergence
    grad_label = (error(z, 1.0) + sums) * p * position + sums * w * q
    grad_teacher = position * ((error(z, tau) + sums) * p_tau + (error_t + sums) * t)
    grad = (1.0 - alpha) * grad_label + alpha * tau * grad_teacher
    # Numbers too small for the dtype become 0.
    loss = SLACK * scale * (loss + k * computed.tiny * (1.0 + tau**2))
    grad = SLACK * scale * (grad + k * computed.tiny * (1.0 + tau))
    divisor = float(len(q)) if case.soft else float(position.sum())
    if case.options["reduction"] == "mean":
        scale, grad = (x / divisor if divisor else math.nan * x for x in (scale, grad))
    if half:
        info = torch.finfo(case.logits.dtype)
        exact = (1.0 - alpha) * (p * position - w * q) + alpha * tau * position * (p_tau - t)
        grad = grad + info.eps * (scale * np.abs(exact) + info.tiny)
    vanishing = masked & (t < computed.tiny) & (t > 0.0)
    certain = masked & ((t >= computed.tiny) | (q * (alpha < 1.0) > 0.0))
    positions = (
        case.labels.shape if not case.soft else case.labels.movedim(case.class_dim, -1).shape[:-1]
    )
    return Tolerance(
        loss.reshape(positions),
        unrowed(grad, case.logits.shape),
        divisor,
        computed.eps,
        (vanishing.any(1) & ~certain.any(1)).reshape(positions),
    )


def _label_rows(case: Case) -> Array:
    """Probabilities of the labels, none where the position is ignored."""
    if case.soft:
        return as_rows(case.labels)
    index = case.labels.flatten().numpy()
    valid = index != case.options["ignore_index"]
    one_hot: Array = np.eye(case.num_classes)[np.where(valid, index, 0)] * valid[:, None]
    return one_hot


def unrowed(rows: Array, shape: torch.Size) -> Array:
    """Rows of classes, one for each position, in the shape of the logits."""
    if len(shape) == 1:
        return rows[0]
    return np.moveaxis(rows.reshape(shape[0], *shape[2:], shape[1]), -1, 1)
