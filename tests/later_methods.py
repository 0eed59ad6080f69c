"""The losses that came after the Tf-KD paper, of one sample, in Python's complex numbers.

Each is its published formula, written out class by class; nothing here calls the library or torch.
A logit is a complex number, so that derivatives come exact from a complex step: f(z + ih) has
h·f'(z) as its imaginary part, without cancellation. What a method holds constant (teachers, ranks,
the exponent of FLSD-53) is a plain float and takes no step.

z are the logits of one sample, y is its class, t are a teacher's logits.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Logits = Sequence[complex]
Floats = Sequence[float]
Loss = Callable[[Logits, int], complex]

STEP = 1e-30


def mean_and_gradient(losses: Callable[[Sequence[Logits]], list[complex]], z: Array):
    """The mean of the losses of all samples, and its gradient by the logits, each of them stepped.

    Args:
        losses: of the whole batch, since in some methods the samples see one another.
        z: `(N, K)`.
    """
    rows = [[complex(value) for value in row] for row in z.tolist()]
    value = sum(losses(rows)) / len(rows)
    gradient = np.zeros(z.shape)
    for i, k in np.ndindex(*z.shape):
        rows[i][k] += STEP * 1j
        gradient[i, k] = sum(losses(rows)).imag / STEP / len(rows)
        rows[i][k] = complex(z[i, k])
    return value.real, gradient


# The pieces of which the losses are made.


def largest(z: Logits) -> complex:
    return max(z, key=lambda v: v.real)


def log_softmax(z: Logits) -> list[complex]:
    top = largest(z).real
    total = sum(cmath.exp(v - top) for v in z)
    return [v - top - cmath.log(total) for v in z]


def softmax(z: Logits) -> list[complex]:
    return [cmath.exp(v) for v in log_softmax(z)]


def probabilities(z: Floats, temperature: float = 1.0) -> list[float]:
    """Of a teacher: constants."""
    top = max(z)
    e = [math.exp((v - top) / temperature) for v in z]
    return [v / sum(e) for v in e]


def cross(a: Floats, z: Logits) -> complex:
    """H(a, softmax z)."""
    return -sum(p * log_p for p, log_p in zip(a, log_softmax(z), strict=True) if p > 0.0)


def entropy(a: Floats) -> float:
    return -sum(p * math.log(p) for p in a if p > 0.0)


def divergence(a: Floats, z: Logits) -> complex:
    """KL(a ‖ softmax z)."""
    return cross(a, z) - entropy(a)


def others(values: Sequence, y: int) -> list:
    """Those of the wrong classes."""
    return [value for k, value in enumerate(values) if k != y]


def over(z: Sequence, temperature: float) -> list:
    return [v / temperature for v in z]


def standardised(z: Sequence) -> list:
    """(z − mean) / (1e-7 + sd), sd with K − 1."""
    mean = sum(z) / len(z)
    variance = sum((v - mean) ** 2 for v in z) / (len(z) - 1)
    return [(v - mean) / (1e-7 + cmath.sqrt(variance)) for v in z]


def real(z: Logits) -> list[float]:
    return [v.real for v in z]


# Penalties: no teacher.


def cross_entropy(z: Logits, y: int) -> complex:
    return -log_softmax(z)[y]


def label_smoothing(z: Logits, y: int, epsilon: float) -> complex:
    """Torch's: ε is spread over all K classes."""
    k = len(z)
    return cross([epsilon / k + (1.0 - epsilon) * (c == y) for c in range(k)], z)


def max_sup(z: Logits, y: int, weight: float) -> complex:
    return cross_entropy(z, y) + weight * (largest(z) - sum(z) / len(z))


def margin_label_smoothing(z: Logits, y: int, weight: float, margin: float) -> complex:
    """The mean over N·K: per sample one K-th of the sum."""
    beyond = [largest(z) - v - margin for v in z]
    return cross_entropy(z, y) + weight / len(z) * sum(v for v in beyond if v.real > 0.0)


def confidence_penalty(z: Logits, y: int, weight: float) -> complex:
    p, log_p = softmax(z), log_softmax(z)
    return cross_entropy(z, y) + weight * sum(a * b for a, b in zip(p, log_p, strict=True))


def focal(z: Logits, y: int, gamma: float) -> complex:
    p = softmax(z)[y]
    return -((1.0 - p) ** gamma) * cmath.log(p)


def flsd_53(z: Logits, y: int) -> complex:
    return focal(z, y, 5.0 if softmax(z)[y].real < 0.2 else 3.0)


def dual_focal(z: Logits, y: int, gamma: float) -> complex:
    p = softmax(z)
    below = [v for v in p if v.real < p[y].real]
    return -((1.0 - p[y] + (largest(below) if below else 0.0)) ** gamma) * cmath.log(p[y])


def logit_norm(z: Logits, y: int, temperature: float) -> complex:
    norm = cmath.sqrt(sum(v * v for v in z))
    return cross_entropy([v / ((norm + 1e-7) * temperature) for v in z], y)


# Soft targets beside the labels.


def beside(z: Logits, y: int, alpha: float, soft: Floats) -> complex:
    """(1 − α)·H(q, p) + α·H(soft, p): OLS, PS-KD, Beta smoothing, each with its soft targets."""
    return (1.0 - alpha) * cross_entropy(z, y) + alpha * cross(soft, z)


def beta_target(y: int, b: float, num_classes: int) -> list[float]:
    return [b if c == y else (1.0 - b) / (num_classes - 1) for c in range(num_classes)]


def beta_targets(confidences: Floats, drawn: Floats) -> list[float]:
    """The b of each sample: the more confident the average of the student, the larger."""
    order = sorted(range(len(confidences)), key=lambda i: confidences[i])
    result = [0.0] * len(confidences)
    for i, b in zip(order, sorted(drawn), strict=True):
        result[i] = b
    return result


# Teachers' logits t.


def kd(z: Logits, y: int, t: Floats, label: float, teacher: float, temperature: float) -> complex:
    """label·CE + teacher·T²·KL."""
    soft = divergence(probabilities(t, temperature), over(z, temperature))
    return label * cross_entropy(z, y) + teacher * temperature**2 * soft


def dkd(
    z: Logits, y: int, t: Floats, target: float, non_target: float, temperature: float
) -> complex:
    """Without the cross-entropy that goes with it."""
    p_t = probabilities(t, temperature)[y]
    p_s = softmax(over(z, temperature))[y]
    true = p_t * (math.log(p_t) - cmath.log(p_s))
    true += (1.0 - p_t) * (math.log(1.0 - p_t) - cmath.log(1.0 - p_s))
    wrong = divergence(probabilities(others(t, y), temperature), over(others(z, y), temperature))
    return temperature**2 * (target * true + non_target * wrong)


def nkd(z: Logits, y: int, t: Floats, gamma: float, temperature: float) -> complex:
    """Without the cross-entropy; the non-target part is a cross-entropy, not a divergence."""
    wrong = cross(probabilities(others(t, y), temperature), over(others(z, y), temperature))
    return probabilities(t)[y] * cross_entropy(z, y) + gamma * temperature**2 * wrong


def nkd_constant(y: int, t: Floats, gamma: float, temperature: float) -> float:
    """What makes a divergence of the non-target part."""
    return gamma * temperature**2 * entropy(probabilities(others(t, y), temperature))


def standardised_kd(z: Logits, t: Floats, temperature: float) -> complex:
    """T²·KL of standardised logits."""
    soft = probabilities(real(standardised(t)), temperature)
    return temperature**2 * divergence(soft, over(standardised(z), temperature))


def power_sum(t: Floats, power: float) -> float:
    return sum(p**power for p in probabilities(t))


def ttm(z: Logits, t: Floats, power: float, weighted: bool = False) -> complex:
    total = power_sum(t, power)
    soft = divergence([p**power / total for p in probabilities(t)], z)
    return total * soft if weighted else soft


def ensemble(z: Logits, teachers: Sequence[Floats], temperature: float) -> complex:
    """T²·KL to the mean of the teachers' probabilities."""
    soft = [probabilities(t, temperature) for t in teachers]
    mean = [sum(column) / len(teachers) for column in zip(*soft, strict=True)]
    return temperature**2 * divergence(mean, over(z, temperature))


def top_two(t: Floats) -> list[float]:
    """One half each for the two largest; of equal ones the first."""
    best = sorted(range(len(t)), key=lambda c: -t[c])[:2]
    return [0.5 * (c in best) for c in range(len(t))]


# The student's own order of the classes.


def zipf_target(z: Floats, y: int) -> list[float]:
    """Of the wrong classes, ∝ 1/rank, ranks counted among all classes, the smallest if equal."""
    ranks = [1 + sum(other > v for other in z) for v in z]
    weights = [1.0 / rank for rank in others(ranks, y)]
    return [weight / sum(weights) for weight in weights]


def zipf(z: Logits, y: int) -> complex:
    """KL(v ‖ p̂), without the cross-entropy."""
    return divergence(zipf_target(real(z), y), others(z, y))


# The same by name.


def of_record(record: dict[str, Any], batch: dict[str, Any]) -> Loss:
    """The formula that a record of `vectors/official.json` names: of the logits of row i."""
    s = record["settings"]
    y, t = batch["y"], batch.get("t")
    k = len(batch["z"][0])
    drawn = record.get("drawn")
    b = drawn and beta_targets([probabilities(row)[c] for row, c in zip(t, y, strict=True)], drawn)
    return {
        "kd": lambda z, i: kd(z, y[i], t[i], **s),
        "cs_kd": lambda z, i: kd(z, y[i], t[i], 1.0, s["added"], s["temperature"]),
        "mean_teacher": lambda z, i: kd(z, y[i], t[i], 1.0, s["added"], 1.0),
        "dkd": lambda z, i: dkd(z, y[i], t[i], **s),
        "nkd": lambda z, i: nkd(z, y[i], t[i], **s),
        "standardised kd": lambda z, i: (
            s["label"] * cross_entropy(z, y[i])
            + s["teacher"] * standardised_kd(z, t[i], s["temperature"])
        ),
        "standardised dkd": lambda z, i: dkd(standardised(z), y[i], real(standardised(t[i])), **s),
        "ttm": lambda z, i: ttm(z, t[i], s["power"]),
        "wttm": lambda z, i: ttm(z, t[i], s["power"], weighted=True),
        "zipf": lambda z, i: zipf(z, y[i]),
        "max_sup": lambda z, i: max_sup(z, y[i], s["weight"]),
        "margin_label_smoothing": lambda z, i: margin_label_smoothing(z, y[i], **s),
        "confidence_penalty": lambda z, i: confidence_penalty(z, y[i], s["weight"]),
        "confidence penalty, divided by the classes": lambda z, i: confidence_penalty(
            z, y[i], s["weight"] / k
        ),
        "focal": lambda z, i: focal(z, y[i], s["gamma"]),
        "flsd_53": lambda z, i: flsd_53(z, y[i]),
        "dual_focal": lambda z, i: dual_focal(z, y[i], s["gamma"]),
        "logit_norm": lambda z, i: logit_norm(z, y[i], s["temperature"]),
        "instance-specific label smoothing": lambda z, i: beside(
            z, y[i], s["alpha"], probabilities(t[i], s["temperature"])
        ),
        "beta smoothing": lambda z, i: beside(z, y[i], s["alpha"], beta_target(y[i], b[i], k)),
        "ps_kd": lambda z, i: beside(z, y[i], s["alpha"], batch["by_sample"][i]),
        "ols": lambda z, i: beside(z, y[i], s["alpha"], batch["by_class"][y[i]]),
        "ols, fine-grained": lambda z, i: (
            s["scale"] * beside(z, y[i], s["alpha"], batch["by_class"][y[i]])
        ),
    }[record["method"]]
