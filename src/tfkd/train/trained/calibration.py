"""What one temperature makes of a network's answers, and what they are worth by their size."""

from __future__ import annotations

from msgspec import Struct
from torch import Tensor

from tfkd.metrics import (
    all_metrics,
    area_under_generalized_risk_coverage,
    area_under_risk_coverage,
    calibration_band,
    calibration_error_by_class,
    choose_norm,
    normalized_max_logit,
)
from tfkd.runs import Metrics

DRAWS = 100
"""Of each band."""


class Band(Struct, frozen=True):
    """A smooth ECE, and what so many images can tell of it; fractions.

    Attributes:
        value: of these images.
        low: lower end of its 95 % interval, by the basic bootstrap.
        high: upper end of it.
        chance: what a calibrated network stays below in 95 of 100 cases.
    """

    value: float
    low: float
    high: float
    chance: float


class Calibration(Struct, frozen=True):
    """How far a network is as sure as it is right, as it comes and after one temperature.

    Attributes:
        temperature: of the run; None if it has none.
        why: it has none; empty if it has one.
        before: the smooth ECE as the logits come.
        by_class: calibration error of the probability of each class, as they come.
        metrics: of the logits divided by the temperature; None without one, and so what follows.
        after: their smooth ECE.
        by_class_after: of their probabilities.
        images: of the validation split, that the temperature was fitted on; 0 without one.
    """

    temperature: float | None
    why: str
    before: Band
    by_class: tuple[float, ...]
    metrics: Metrics | None = None
    after: Band | None = None
    by_class_after: tuple[float, ...] | None = None
    images: int = 0


class Selective(Struct, frozen=True):
    """What answers are worth where a network may abstain, by the size of its largest logit.

    Attributes:
        norm: p of `tfkd.metrics.normalized_max_logit`; None: no norm was better on validation
            images than the largest probability, by which this is then.
        chosen: whether it was chosen on validation images.
        aurc: area under the risk-coverage curve.
        augrc: area under the generalised one.
    """

    norm: float | None
    chosen: bool
    aurc: float
    augrc: float


def calibration_of(
    logits: Tensor,
    labels: Tensor,
    temperature: float | None,
    *,
    why: str = "",
    images: int = 0,
) -> Calibration:
    """Return how sure logits are beside how right, before and after a temperature.

    Args:
        logits: (N, K).
        labels: (N,).
        temperature: None if there is none.
        why: there is none.
        images: that it was fitted on.
    """
    before, by_class = _band(logits, labels), _by_class(logits, labels)
    if temperature is None:
        return Calibration(None, why, before, by_class)
    tempered = logits.double() / temperature
    return Calibration(
        temperature,
        "",
        before,
        by_class,
        Metrics(**all_metrics(tempered, labels)),
        _band(tempered, labels),
        _by_class(tempered, labels),
        images,
    )


def selective_of(
    logits: Tensor,
    labels: Tensor,
    *,
    norm: float | None,
    validation: tuple[Tensor, Tensor] | None = None,
) -> Selective:
    """Return what answers are worth by the size of their largest logit.

    Args:
        logits: (N, K).
        labels: (N,).
        norm: p; None: the best on the validation images.
        validation: logits and labels of those.
    """
    chosen = norm is None and validation is not None
    if norm is None and validation is not None:
        norm = choose_norm(*validation)
    confidence = None if norm is None else normalized_max_logit(logits, norm)
    return Selective(
        norm,
        chosen,
        area_under_risk_coverage(logits, labels, confidence=confidence),
        area_under_generalized_risk_coverage(logits, labels, confidence=confidence),
    )


def _band(logits: Tensor, labels: Tensor) -> Band:
    return Band(**calibration_band(logits, labels, draws=DRAWS)._asdict())


def _by_class(logits: Tensor, labels: Tensor) -> tuple[float, ...]:
    return tuple(calibration_error_by_class(logits, labels))
