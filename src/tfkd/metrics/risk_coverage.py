"""How good the answers are that a network is sure of: risk and coverage."""

from __future__ import annotations

import torch
from torch import Tensor

from tfkd.metrics.batch import Labelled


def area_under_risk_coverage(
    logits: Tensor, labels: Tensor, *, confidence: Tensor | None = None
) -> float:
    """Area under the risk-coverage curve (AURC), by the largest probability or another confidence.

    The mean, over the coverages 1/N, 2/N … 1, of the error rate among the most confident samples.
    Samples of equal confidence, be it of another class, stand in random order, and the result is
    the expectation over it: with n₀ samples and e₀ errors above a block of m samples with e errors,
    the risk at n₀ + j samples is (e₀ + e·j/m)/(n₀ + j). So neither the order of the samples nor
    that of the classes is of account.

    Others draw the same curve and integrate it otherwise. torch-uncertainty (0.13) takes the
    trapezia from coverage 1/N to 1 and divides by 1 − 1/N: with the risks r_1 … r_N at the N
    coverages that is (N·AURC − (r_1 + r_N)/2)/(N − 1), by at most 1/N apart from this, and ties
    stand there as they happen to be sorted. fd-shifts, the code of AUGRC, takes them from coverage
    0, at the risk r_1, which is AURC + (r_1 − r_N)/(2N) where no confidences tie (it draws straight
    lines through ties, in place of the expectation), and tells a thousand times that. Excess AURC
    (e-AURC) is AURC minus that of the best order at this error rate e, about
    e + (1 − e)·log(1 − e).

    Args:
        logits: `(N, K)`, floating point.
        labels: `(N,)`, class indices in [0, K).
        confidence: `(N,)`, how sure the network is of each answer, of any scale; None: the largest
            probability.

    Returns:
        A number in [0, 1]; lower is better, and the error rate is what random confidence gives.

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, a label outside of [0, K), a `confidence` that is NaN, or
            logits with NaN, +inf or a row of nothing but -inf.

    Example:
        Three samples from sure to unsure, the last one wrong: (0 + 0 + 1/3)/3.

        >>> logits = torch.tensor([[3.0, 0.0], [2.0, 0.0], [1.0, 0.0]])
        >>> round(area_under_risk_coverage(logits, torch.tensor([0, 0, 1])), 6)
        0.111111

    Source: Geifman, Uziel and El-Yaniv, "Bias-Reduced Uncertainty Estimation for Deep Neural
    Classifiers", ICLR 2019, arXiv 1805.08206.
    """
    batch = Labelled(logits, labels)
    errors = expected_errors(batch.correct, _confidence(batch, confidence))
    return batch.read(aurc_of(errors))[0]


def area_under_generalized_risk_coverage(
    logits: Tensor, labels: Tensor, *, confidence: Tensor | None = None
) -> float:
    """Area under the generalised risk-coverage curve (AUGRC), by the largest probability or other.

    The mean, over the coverages 1/N, 2/N … 1, of the share of all samples that are both covered and
    wrong. Where AURC divides the errors among the n most confident by n, this divides them by N, so
    that an error weighs by how many samples are less sure than it, and by nothing else. Samples of
    equal confidence stand in random order, and the result is the expectation over it.

    Others integrate otherwise, as with AURC: torch-uncertainty (0.13) by trapezia from coverage
    1/N, which is (N·AUGRC − (g_1 + g_N)/2)/(N − 1) of the shares g_1 … g_N; fd-shifts by trapezia
    from coverage 0, which is g_N/(2N) less than this, with ties too, and a thousand times that.

    Args:
        logits: `(N, K)`, floating point.
        labels: `(N,)`, class indices in [0, K).
        confidence: `(N,)`, how sure the network is of each answer, of any scale; None: the largest
            probability.

    Returns:
        A number in [0, 1]; lower is better. Random confidence gives (1 + 1/N)/2 times the
        error rate.

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, a label outside of [0, K), a `confidence` that is NaN, or
            logits with NaN, +inf or a row of nothing but -inf.

    Example:
        Three samples from sure to unsure, the last one wrong: (0 + 0 + 1)/3/3.

        >>> logits = torch.tensor([[3.0, 0.0], [2.0, 0.0], [1.0, 0.0]])
        >>> value = area_under_generalized_risk_coverage(logits, torch.tensor([0, 0, 1]))
        >>> round(value, 6)
        0.111111

    Source: Traub et al., "Overcoming Common Flaws in the Evaluation of Selective Classification
    Systems", NeurIPS 2024, arXiv 2407.01032.
    """
    batch = Labelled(logits, labels)
    errors = expected_errors(batch.correct, _confidence(batch, confidence))
    return batch.read(augrc_of(errors))[0]


def expected_errors(correct: Tensor, confidence: Tensor) -> Tensor:
    """Return the errors among the 1, 2 … N most confident, in the mean over the orders of ties."""
    doubt, order = (-confidence).sort()
    errors = (~correct[order]).cumsum(0)
    errors = torch.cat([errors.new_zeros(1), errors])  # errors[n] among the n most confident
    above = torch.searchsorted(doubt, doubt)
    through = torch.searchsorted(doubt, doubt, right=True)
    covered = torch.arange(1, len(doubt) + 1, device=doubt.device)
    share = (covered - above).double() / (through - above)
    return errors[above] + (errors[through] - errors[above]) * share


def aurc_of(errors: Tensor) -> Tensor:
    """Return the AURC of expected errors, as a tensor."""
    covered = torch.arange(1, len(errors) + 1, device=errors.device)
    return (errors / covered).mean()


def augrc_of(errors: Tensor) -> Tensor:
    """Return the AUGRC of expected errors, as a tensor."""
    return (errors / len(errors)).mean()


def _confidence(batch: Labelled, given: Tensor | None) -> Tensor:
    """What samples are ranked by."""
    if given is None:
        return batch.confidence
    if not isinstance(given, Tensor) or not given.is_floating_point():
        got = given.dtype if isinstance(given, Tensor) else type(given).__name__
        raise TypeError(f"Expected `confidence` of a floating dtype, got {got}.")
    if given.shape != batch.labels.shape[:1]:
        raise ValueError(
            f"Expected `confidence` of shape ({len(batch.labels)},), got {tuple(given.shape)}."
        )
    if bool(given.isnan().any()):
        raise ValueError("Expected `confidence` without NaN, got some.")
    return given.detach().to(batch.labels.device).double()
