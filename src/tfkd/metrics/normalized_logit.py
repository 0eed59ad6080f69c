"""How sure a network is by the size of its largest logit beside the others, for any loss."""

from __future__ import annotations

import torch
from torch import Tensor

from tfkd._checks import check_at_least_0
from tfkd.metrics.batch import Labelled, check_logits, check_usable, count_unusable
from tfkd.metrics.risk_coverage import aurc_of, expected_errors

NORMS = tuple(range(10))
"""That are tried; 0 is no norm, the largest logit over the mean."""


SMALLEST_NORM = 0.05
"""Below it norms of many numbers pass the end of float64, and every row would have 0."""


def normalized_max_logit(logits: Tensor, norm: float) -> Tensor:
    """Return the largest logit over the mean of all, divided by the p-norm of what is over it.

        confidence = max_k (z_k − z̄) / ‖z − z̄‖_p

    Networks that were trained with label smoothing are sure of what they are wrong about: smoothing
    keeps the largest logit small where the network is right, and less so where it is wrong. To
    divide by the norm takes that back. It ranks answers; it is no probability.

    Args:
        logits: `(N, K)`, floating point. A logit of -inf is a masked class, which is left out.
        norm: p, at least 0.05; or 0, which divides by nothing.

    Returns:
        `(N,)` float64; 0 where all logits of a row are equal. The same logits in another order have
        the same.

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, a `norm` out of its range, or logits with NaN, +inf or a row
            of nothing but -inf.

    Example:
        Both rows have the same largest probability, 0.8; the second is the less torn.

        >>> logits = torch.tensor([[0.8, 0.199, 0.001], [0.8, 0.1, 0.1]]).log()
        >>> [round(value, 3) for value in normalized_max_logit(logits, 2).tolist()]
        [0.54, 0.816]

    Source: Cattelan and Silva, "How to Fix a Broken Confidence Estimator", UAI 2024, arXiv
    2305.15508 (MaxLogit-pNorm); why it mends label smoothing: Xia, Laurent, Franchi and Bouganis,
    "Towards Understanding Why Label Smoothing Degrades Selective Classification and How to Fix
    It", ICLR 2025, arXiv 2403.14715.
    """
    check_logits("logits", logits)
    p = check_at_least_0("norm", norm)
    if 0.0 < p < SMALLEST_NORM:
        raise ValueError(f"Expected `norm` 0 or at least {SMALLEST_NORM:g}, got {norm}.")
    check_usable("logits", logits, float(count_unusable(logits)))
    if logits.device.type == "mps":  # has no float64
        logits = logits.cpu()
    # Sums in the order of size, so that the names of the classes change no bit of them.
    ranked = logits.detach().double().sort(dim=1, descending=True).values
    open_ = ranked.isfinite()
    ranked = torch.where(open_, ranked - ranked[:, :1], 0.0)
    over = torch.where(open_, ranked - (ranked.sum(1) / open_.sum(1))[:, None], 0.0)
    if p == 0.0:
        return over[:, 0].contiguous()
    largest = over.abs().amax(dim=1).clamp_min(torch.finfo(torch.float64).tiny)
    over = over / largest[:, None]  # no power overflows
    length = over.abs().pow(p).sum(1).pow(1.0 / p)
    return torch.where(length > 0.0, over[:, 0] / length, 0.0)


def choose_norm(logits: Tensor, labels: Tensor) -> int | None:
    """Return the p of `normalized_max_logit` with the lowest AURC, or None for the probability.

    Args:
        logits: `(N, K)`, floating point, of a validation split.
        labels: `(N,)`, class indices in [0, K).

    Returns:
        p from 0 to 9; None where none has a lower AURC than the largest probability.

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, a label outside of [0, K), or logits with NaN, +inf or a
            row of nothing but -inf.

    Example:
        >>> logits = torch.tensor([[0.81, 0.189, 0.001], [0.8, 0.1, 0.1]]).log()
        >>> choose_norm(logits, torch.tensor([1, 0]))
        1

    Source: as of `normalized_max_logit`; the same norms and fallback as their code.
    """
    batch = Labelled(logits, labels)
    batch.read()
    confidences = [batch.confidence, *(normalized_max_logit(logits, norm) for norm in NORMS)]
    areas = [float(aurc_of(expected_errors(batch.correct, one))) for one in confidences]
    best = min(range(len(areas)), key=areas.__getitem__)
    return None if best == 0 else NORMS[best - 1]
