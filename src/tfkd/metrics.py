"""How good a classifier's logits are: accuracy, NLL, ECE, Brier, AURC, AUGRC; agreement of two.

Every function takes logits `(N, K)`, in any floating dtype, and answers with one Python float.
Probabilities are float64 on the logits' device (Apple's MPS, which has no float64, hands over to
the CPU), and the device is waited for once, when the float is read. A logit of -inf is a masked
class.

Where logits are equal, the class of the lower index is ranked first, as `torch.argmax` does it.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor


def accuracy(logits: Tensor, labels: Tensor, *, top_k: int = 1) -> float:
    """Fraction of samples whose label is among the `top_k` largest logits.

    Args:
        logits: `(N, K)`, floating point.
        labels: `(N,)`, class indices in [0, K).
        top_k: how many classes may be named, from 1 to K.

    Returns:
        A fraction in [0, 1].

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, a label outside of [0, K), `top_k` outside of [1, K], or
            logits with NaN, +inf or a row of nothing but -inf.

    Example:
        >>> logits = torch.tensor([[2.0, 1.0, 0.0], [2.0, 1.0, 0.0]])
        >>> accuracy(logits, torch.tensor([0, 1]))
        0.5
        >>> accuracy(logits, torch.tensor([0, 1]), top_k=2)
        1.0
    """
    _check_count("top_k", top_k)
    batch = _Batch(logits, labels)
    if top_k > logits.shape[1]:
        raise ValueError(f"Expected `top_k` in [1, {logits.shape[1]}], got {top_k}.")
    return batch.read((batch.rank < top_k).double().mean())[0]


def negative_log_likelihood(logits: Tensor, labels: Tensor) -> float:
    """Mean of -log p(label), in nats, without label smoothing.

    Args:
        logits: `(N, K)`, floating point.
        labels: `(N,)`, class indices in [0, K).

    Returns:
        The mean over the samples, at least 0; inf if the class of a label is masked.

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, a label outside of [0, K), or logits with NaN, +inf or a
            row of nothing but -inf.

    Example:
        >>> round(negative_log_likelihood(torch.zeros(1, 10), torch.tensor([3])), 6)
        2.302585
    """
    batch = _Batch(logits, labels)
    return batch.read(_nll(batch))[0]


def expected_calibration_error(logits: Tensor, labels: Tensor, *, num_bins: int = 15) -> float:
    """Expected calibration error (ECE) of the largest probability, in bins of equal width.

        ECE = Σ_b n_b/N · |accuracy_b − confidence_b|

    Bin b holds the confidences in (b/B, (b+1)/B]; confidence 0 would belong to the first.

    Args:
        logits: `(N, K)`, floating point.
        labels: `(N,)`, class indices in [0, K).
        num_bins: B, at least 1.

    Returns:
        A number in [0, 1]; 0 is calibrated.

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, a label outside of [0, K), `num_bins` below 1, or logits
            with NaN, +inf or a row of nothing but -inf.

    Example:
        >>> logits = torch.tensor([[0.8, 0.2], [0.8, 0.2]]).log()
        >>> round(expected_calibration_error(logits, torch.tensor([0, 1])), 6)
        0.3

    Source: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML
    2017, arXiv 1706.04599, equation 3.
    """
    _check_count("num_bins", num_bins)
    batch = _Batch(logits, labels)
    return batch.read(_ece(batch, num_bins))[0]


def brier_score(logits: Tensor, labels: Tensor) -> float:
    """Multi-class Brier score: the mean over samples of Σ_k (p_k − 1[k = label])².

    Args:
        logits: `(N, K)`, floating point.
        labels: `(N,)`, class indices in [0, K).

    Returns:
        A number in [0, 2], twice the two-class score that looks at one class only.

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, a label outside of [0, K), or logits with NaN, +inf or a
            row of nothing but -inf.

    Example:
        >>> round(brier_score(torch.tensor([[0.8, 0.2]]).log(), torch.tensor([0])), 6)
        0.08

    Source: Brier, "Verification of Forecasts Expressed in Terms of Probability", Monthly Weather
    Review 78, 1950.
    """
    batch = _Batch(logits, labels)
    return batch.read(_brier(batch))[0]


def area_under_risk_coverage(logits: Tensor, labels: Tensor) -> float:
    """Area under the risk-coverage curve (AURC), with the largest probability as confidence.

    The mean, over the coverages 1/N, 2/N … 1, of the error rate among the most confident samples.
    Samples of equal confidence, be it of another class, stand in random order, and the result is
    the expectation over it: with n₀ samples and e₀ errors above a block of m samples with e errors,
    the risk at n₀ + j samples is (e₀ + e·j/m)/(n₀ + j). So neither the order of the samples nor
    that of the classes is of account.

    Args:
        logits: `(N, K)`, floating point.
        labels: `(N,)`, class indices in [0, K).

    Returns:
        A number in [0, 1]; lower is better, and the error rate is what random confidence gives.

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, a label outside of [0, K), or logits with NaN, +inf or a
            row of nothing but -inf.

    Example:
        Three samples from sure to unsure, the last one wrong: (0 + 0 + 1/3)/3.

        >>> logits = torch.tensor([[3.0, 0.0], [2.0, 0.0], [1.0, 0.0]])
        >>> round(area_under_risk_coverage(logits, torch.tensor([0, 0, 1])), 6)
        0.111111

    Source: Geifman, Uziel and El-Yaniv, "Bias-Reduced Uncertainty Estimation for Deep Neural
    Classifiers", ICLR 2019, arXiv 1805.08206.
    """
    batch = _Batch(logits, labels)
    return batch.read(_aurc(batch))[0]


def area_under_generalized_risk_coverage(logits: Tensor, labels: Tensor) -> float:
    """Area under the generalised risk-coverage curve (AUGRC), by the largest probability.

    The mean, over the coverages 1/N, 2/N … 1, of the share of all samples that are both covered and
    wrong. Where AURC divides the errors among the n most confident by n, this divides them by N, so
    that an error weighs by how many samples are less sure than it, and by nothing else. Samples of
    equal confidence stand in random order, and the result is the expectation over it.

    Args:
        logits: `(N, K)`, floating point.
        labels: `(N,)`, class indices in [0, K).

    Returns:
        A number in [0, 1]; lower is better. Random confidence gives half of the error rate.

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, a label outside of [0, K), or logits with NaN, +inf or a
            row of nothing but -inf.

    Example:
        Three samples from sure to unsure, the last one wrong: (0 + 0 + 1)/3/3.

        >>> logits = torch.tensor([[3.0, 0.0], [2.0, 0.0], [1.0, 0.0]])
        >>> value = area_under_generalized_risk_coverage(logits, torch.tensor([0, 0, 1]))
        >>> round(value, 6)
        0.111111

    Source: Traub et al., "Overcoming Common Flaws in the Evaluation of Selective Classification
    Systems", NeurIPS 2024, arXiv 2407.01032.
    """
    batch = _Batch(logits, labels)
    return batch.read(_augrc(batch))[0]


def agreement(logits: Tensor, other: Tensor) -> float:
    """Fraction of samples to which two networks give the same class.

    Args:
        logits: `(N, K)`, floating point, for instance the student's.
        other: `(N, K)`, floating point, for instance the teacher's.

    Returns:
        A fraction in [0, 1].

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape or device, or logits with NaN, +inf or a row of nothing but
            -inf.

    Example:
        >>> student = torch.tensor([[2.0, 1.0], [0.0, 1.0]])
        >>> teacher = torch.tensor([[9.0, 1.0], [5.0, 1.0]])
        >>> agreement(student, teacher)
        0.5
    """
    _check_logits("logits", logits)
    _check_logits("other", other)
    if other.shape != logits.shape or other.device != logits.device:
        raise ValueError(
            f"Expected `other` of shape {tuple(logits.shape)} on {logits.device}, "
            f"got {tuple(other.shape)} on {other.device}."
        )
    same = logits.argmax(dim=1) == other.argmax(dim=1)
    counts = [same.sum(), _num_unusable(logits), _num_unusable(other)]
    num_same, unusable, other_unusable = torch.stack(counts).tolist()
    _check_usable("logits", logits, unusable)
    _check_usable("other", other, other_unusable)
    return float(num_same / logits.shape[0])


def all_metrics(logits: Tensor, labels: Tensor, *, num_bins: int = 15) -> dict[str, float]:
    """The six metrics of labelled samples, from one pass over the logits.

    Args:
        logits: `(N, K)`, floating point.
        labels: `(N,)`, class indices in [0, K).
        num_bins: bins of the expected calibration error, at least 1.

    Returns:
        `accuracy`, `nll`, `ece`, `brier`, `aurc` and `augrc`, equal to those of the single
        functions.

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, a label outside of [0, K), `num_bins` below 1, or logits
            with NaN, +inf or a row of nothing but -inf.

    Example:
        >>> logits = torch.tensor([[0.9, 0.1], [0.6, 0.4]]).log()
        >>> values = all_metrics(logits, torch.tensor([0, 1]))
        >>> {name: round(value, 4) for name, value in values.items()}
        {'accuracy': 0.5, 'nll': 0.5108, 'ece': 0.35, 'brier': 0.37, 'aurc': 0.25, 'augrc': 0.25}
    """
    _check_count("num_bins", num_bins)
    batch = _Batch(logits, labels)
    values = batch.read(
        batch.correct.double().mean(),
        _nll(batch),
        _ece(batch, num_bins),
        _brier(batch),
        _aurc(batch),
        _augrc(batch),
    )
    return dict(zip(("accuracy", "nll", "ece", "brier", "aurc", "augrc"), values, strict=True))


def check_logits_and_labels(logits: Tensor, labels: Tensor) -> None:
    """Raise `TypeError` or `ValueError` unless they are logits `(N, K)` and labels of them."""
    batch = _Batch(logits, labels)
    batch.read()


class _Batch:
    """Checked logits and labels, and what several metrics share; nothing here waits for a GPU."""

    def __init__(self, logits: Tensor, labels: Tensor) -> None:
        _check_logits("logits", logits)
        _check_labels(labels, logits)
        if logits.device.type == "mps":  # has no float64
            logits, labels = logits.cpu(), labels.cpu()
        self.logits = logits.detach()
        labels = labels.long()
        self.label_range = torch.stack([labels.min(), labels.max()])
        # An index out of range would end the CUDA context, so it is clamped here; `read` reports.
        self.labels = labels.clamp(0, logits.shape[1] - 1)[:, None]

    @cached_property
    def rank(self) -> Tensor:
        """How many classes stand before the label, `(N,)`; ties go to the lower index."""
        own = self.logits.gather(1, self.labels)
        lower = torch.arange(self.logits.shape[1], device=own.device) < self.labels
        return ((self.logits > own) | ((self.logits == own) & lower)).sum(dim=1)

    @cached_property
    def correct(self) -> Tensor:
        """Whether the label has the largest logit, `(N,)`."""
        return self.rank == 0

    @cached_property
    def log_probs(self) -> Tensor:
        """Log-probabilities in float64, `(N, K)`."""
        return self.logits.double().log_softmax(dim=1)

    @cached_property
    def probs(self) -> Tensor:
        """Probabilities in float64, `(N, K)`; unlike `log_probs.exp()`, equal logits give 1/K."""
        return self.logits.double().softmax(dim=1)

    @cached_property
    def confidence(self) -> Tensor:
        """The largest probability, `(N,)`; rows of the same logits in any order have the same."""
        # A sum in another order is another float64, which would rank samples by their class.
        ranked = self.logits.sort(dim=1, descending=True).values
        return ranked.double().softmax(dim=1)[:, 0].contiguous()

    def read(self, *values: Tensor) -> list[float]:
        """Fetch the values and the verdict on the input together, the one wait for the device."""
        *floats, num_unusable, low, high = torch.stack(
            [*values, _num_unusable(self.logits).double(), *self.label_range.double()]
        ).tolist()
        _check_usable("logits", self.logits, num_unusable)
        num_classes = self.logits.shape[1]
        if low < 0 or high >= num_classes:
            wrong = int(low if low < 0 else high)
            raise ValueError(f"Expected `labels` in [0, {num_classes - 1}], got {wrong}.")
        return floats


def _nll(batch: _Batch) -> Tensor:
    return -batch.log_probs.gather(1, batch.labels).mean()


def _ece(batch: _Batch, num_bins: int) -> Tensor:
    gap = batch.correct.double() - batch.confidence
    bins = torch.arange(num_bins, device=gap.device)
    # Edges are i/B, each rounded once: B·confidence would put some exact edges into the next bin,
    # and so might a division by a Python number, which CUDA turns into a product.
    edges = bins[1:].double() / torch.full_like(bins[1:], num_bins, dtype=torch.float64)
    index = torch.bucketize(batch.confidence, edges)
    # A dense sum, since `bincount` waits for the device and adds in no fixed order there.
    sums = torch.where(index == bins[:, None], gap, 0.0).sum(dim=1)
    return sums.abs().sum() / len(gap)


def _brier(batch: _Batch) -> Tensor:
    classes = torch.arange(batch.probs.shape[1], device=batch.probs.device)
    return (batch.probs - (classes == batch.labels).double()).square().sum(dim=1).mean()


def _aurc(batch: _Batch) -> Tensor:
    errors = _expected_errors(batch)
    covered = torch.arange(1, len(errors) + 1, device=errors.device)
    return (errors / covered).mean()


def _augrc(batch: _Batch) -> Tensor:
    errors = _expected_errors(batch)
    return (errors / len(errors)).mean()


def _expected_errors(batch: _Batch) -> Tensor:
    """Errors among the 1, 2 … N most confident samples, in the mean over the orders of ties."""
    doubt, order = (-batch.confidence).sort()
    errors = (~batch.correct[order]).cumsum(0)
    errors = torch.cat([errors.new_zeros(1), errors])  # errors[n] among the n most confident
    above = torch.searchsorted(doubt, doubt)
    through = torch.searchsorted(doubt, doubt, right=True)
    covered = torch.arange(1, len(doubt) + 1, device=doubt.device)
    share = (covered - above).double() / (through - above)
    return errors[above] + (errors[through] - errors[above]) * share


def _num_unusable(logits: Tensor) -> Tensor:
    """Rows that no softmax has: `amax` hands on NaN and +inf, and is -inf if all are masked."""
    return (~logits.detach().amax(dim=1).isfinite()).sum()


def _check_usable(name: str, logits: Tensor, num_unusable: float) -> None:
    if num_unusable:
        raise ValueError(
            f"Expected `{name}` without NaN or +inf and with a finite value in every row, "
            f"got otherwise in {int(num_unusable)} of {logits.shape[0]} rows."
        )


def _check_logits(name: str, logits: Tensor) -> None:
    if not isinstance(logits, Tensor):
        raise TypeError(f"Expected `{name}` to be a tensor, got {type(logits).__name__}.")
    if not logits.is_floating_point():
        raise TypeError(f"Expected `{name}` of a floating dtype, got {logits.dtype}.")
    if logits.ndim != 2 or logits.shape[0] < 1 or logits.shape[1] < 2:
        raise ValueError(
            f"Expected `{name}` of shape (N, K), N at least 1 and K at least 2, "
            f"got {tuple(logits.shape)}."
        )


def _check_labels(labels: Tensor, logits: Tensor) -> None:
    if not isinstance(labels, Tensor):
        raise TypeError(f"Expected `labels` to be a tensor, got {type(labels).__name__}.")
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"Expected `labels` of an integer dtype, got {labels.dtype}.")
    if labels.shape != logits.shape[:1] or labels.device != logits.device:
        raise ValueError(
            f"Expected `labels` of shape {tuple(logits.shape[:1])} on {logits.device}, "
            f"got {tuple(labels.shape)} on {labels.device}."
        )


def _check_count(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"Expected `{name}` to be an int, got {type(value).__name__}.")
    if value < 1:
        raise ValueError(f"Expected `{name}` of at least 1, got {value}.")
