"""What the seeds of a study allow one to say: mean and sd, and differences paired by seed."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tfkd._checks import check_fraction, check_number, check_positive
from tfkd.study.statistics.power import detectable_difference
from tfkd.study.statistics.sign_flip import numbers_at_once, sign_flip_p, smallest_p


@dataclass(frozen=True)
class Summary:
    """Values of a metric, one for each seed.

    Attributes:
        n: number of seeds.
        mean: their mean.
        sd: their standard deviation, over n − 1; nan for one seed.
    """

    n: int
    mean: float
    sd: float


@dataclass(frozen=True)
class PairedDifference:
    """A method minus its baseline, seed by seed.

    Attributes:
        n: number of seeds.
        mean: mean difference.
        sd: standard deviation of the differences, over n − 1; nan for one seed.
        low: lower end of the bootstrap interval of the mean; nan for one seed.
        high: upper end of it.
        p_value: two-sided, of the sign-flip test.
        smallest_p: the smallest p-value that so many seeds can give, whatever the data.
        detectable: the true mean difference that a two-sided paired t-test at level 0.05 finds
            with a power of 0.8, if the differences have this n and sd; nan for one seed. The
            sign-flip test finds less, and with 5 seeds or fewer nothing at this level.
    """

    n: int
    mean: float
    sd: float
    low: float
    high: float
    p_value: float
    smallest_p: float
    detectable: float


def summarise(values: Sequence[float]) -> Summary:
    """Mean and standard deviation over seeds.

    Args:
        values: one finite number for each seed.

    Returns:
        Their number, mean and standard deviation (over n − 1; nan for one seed).

    Raises:
        TypeError: if they are not numbers.
        ValueError: if there is none, or one that is not finite.

    Example:
        >>> summarise([70.5, 71.0, 71.5])
        Summary(n=3, mean=71.0, sd=0.5)
    """
    array = _check_values("values", values)
    return Summary(len(array), float(array.mean()), _sd(array))


def paired_difference(
    values: Sequence[float],
    baseline: Sequence[float],
    *,
    confidence: float = 0.95,
    resamples: int = 9999,
    seed: int = 0,
) -> PairedDifference:
    """Compare a method with its baseline, seed by seed.

    The interval is the bias-corrected and accelerated (BCa) bootstrap of the mean difference. With
    few seeds it is too short: at 95 % it covers 50, 73, 84 and 91 % with 2, 3, 5 and 10 seeds of
    normal differences. The p-value is of the sign-flip test: if
    method and baseline were exchangeable, each difference would have either sign with equal
    chance. With up to 14 seeds all 2ⁿ flips are counted, else `resamples` random ones and the
    observed one.

    Args:
        values: a metric of the method, one finite number for each seed.
        baseline: the metric of the baseline, of the same seeds in the same order.
        confidence: of the interval, above 0 and below 1.
        resamples: of the bootstrap, and of the sign flips where they are sampled.
        seed: of the resampling; it has nothing to do with the seeds of the runs.

    Returns:
        The mean difference, its interval and p-value, and what so many seeds could have shown.

    Raises:
        TypeError: if they are not numbers.
        ValueError: if the lengths differ, there is no value or one that is not finite, or an
            option is out of its range.

    Example:
        >>> result = paired_difference([0.72, 0.74, 0.73, 0.75], [0.71, 0.71, 0.72, 0.71])
        >>> round(result.mean, 4), round(result.sd, 4), result.p_value, result.smallest_p
        (0.0225, 0.015, 0.125, 0.125)
        >>> round(result.low, 4), round(result.high, 4), round(result.detectable, 4)
        (0.01, 0.035, 0.0319)

    Source: Efron, "Better Bootstrap Confidence Intervals", JASA 82, 1987; Fisher, "The Design of
    Experiments", 1935, section 21.
    """
    method, reference = _check_values("values", values), _check_values("baseline", baseline)
    if len(method) != len(reference):
        raise ValueError(
            f"Expected `baseline` of the {len(method)} seeds of `values`, got {len(reference)}."
        )
    if not 0.0 < check_fraction("confidence", confidence) < 1.0:
        raise ValueError(f"Expected `confidence` above 0 and below 1, got {confidence}.")
    check_positive("resamples", resamples)
    # Rounding of the metrics themselves: sums of differences closer than this are the same.
    tolerance = 1e-14 * float(np.abs(method).sum() + np.abs(reference).sum())
    differences = method - reference
    if np.ptp(differences) <= tolerance:
        differences[:] = differences.mean()
    n, sd = len(differences), _sd(differences)
    generator = np.random.default_rng(seed)
    low, high = _interval(differences, confidence, resamples, generator)
    return PairedDifference(
        n=n,
        mean=float(differences.mean()),
        sd=sd,
        low=low,
        high=high,
        p_value=sign_flip_p(
            differences, tolerance=tolerance, resamples=resamples, generator=generator
        ),
        smallest_p=smallest_p(n, resamples),
        detectable=detectable_difference(n, sd),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust the p-values of one family of comparisons by Holm's method.

    Args:
        p_values: numbers in [0, 1]; nan stands for a comparison that was not made.

    Returns:
        The adjusted p-values, in the order given; nan stays nan and does not count.

    Raises:
        TypeError: if they are not numbers.
        ValueError: if one is outside of [0, 1].

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]

    Source: Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal
    of Statistics 6, 1979.
    """
    adjusted = [check_number("p_values", p) for p in p_values]
    made = sorted((p, i) for i, p in enumerate(adjusted) if not math.isnan(p))
    largest = 0.0
    for rank, (p, index) in enumerate(made):
        check_fraction("p_values", p)
        largest = max(largest, (len(made) - rank) * p)
        adjusted[index] = min(largest, 1.0)
    return adjusted


def _interval(
    differences: NDArray[np.float64],
    confidence: float,
    resamples: int,
    generator: np.random.Generator,
) -> tuple[float, float]:
    """Ends of the BCa interval of the mean; nan where the resamples give none."""
    if len(differences) == 1:
        return math.nan, math.nan
    if np.ptp(differences) == 0.0:  # BCa would divide by the spread
        return float(differences[0]), float(differences[0])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)  # type: ignore[attr-defined]
        found = stats.bootstrap(  # type: ignore[attr-defined]
            (differences,),
            np.mean,
            confidence_level=confidence,
            n_resamples=resamples,
            batch=numbers_at_once(len(differences)),
            method="BCa",
            random_state=generator,  # `rng` from scipy 1.15 on
        ).confidence_interval
    return float(found.low), float(found.high)


def _sd(array: NDArray[np.float64]) -> float:
    return float(array.std(ddof=1)) if len(array) > 1 else math.nan


def _check_values(name: str, values: Sequence[float]) -> NDArray[np.float64]:
    array = np.asarray(values)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"Expected `{name}` to be numbers, got {array.dtype}.")
    if array.ndim != 1 or len(array) == 0 or not np.isfinite(array).all():
        raise ValueError(f"Expected `{name}` to be finite numbers, one per seed, got {values}.")
    return array.astype(np.float64)
