"""What the seeds of a study allow one to say: mean and sd, and differences paired by seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tfkd._checks import check_fraction, check_positive
from tfkd.study.statistics.sign_flip import RESAMPLES, sign_flip_p, smallest_p

LEAST_FOR_INTERVAL = 3
"""Seeds: the interval of two is 12.7 standard errors to each side, and tells nothing."""


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
class Paired:
    """A metric of one arm minus that of another, seed by seed.

    Attributes:
        seeds: that both have.
        values: `(n,)`, the differences.
        tolerance: sums of them closer than this are the same, but for the rounding of the metrics.
    """

    seeds: tuple[int, ...]
    values: NDArray[np.float64]
    tolerance: float


@dataclass(frozen=True)
class PairedDifference:
    """A method minus its baseline, seed by seed.

    Attributes:
        n: number of seeds.
        mean: mean difference.
        sd: standard deviation of the differences, over n − 1; nan for one seed.
        low: lower end of Student's t interval of the mean; nan for one seed or two.
        high: upper end of it.
        p_value: two-sided, of the sign-flip test.
        smallest_p: the smallest p-value that so many seeds can give, whatever the data.
    """

    n: int
    mean: float
    sd: float
    low: float
    high: float
    p_value: float
    smallest_p: float

    @property
    def has_interval(self) -> bool:
        """Whether there are seeds enough for one."""
        return not math.isnan(self.low)


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


def pair(
    values: Sequence[float], baseline: Sequence[float], *, seeds: Sequence[int] | None = None
) -> Paired:
    """Take a baseline from a method, seed by seed.

    Args:
        values: a metric of the method, one finite number for each seed.
        baseline: the metric of the baseline, of the same seeds in the same order.
        seeds: which these are. Default: 0, 1, 2 …

    Raises:
        TypeError: if they are not numbers.
        ValueError: if the lengths differ, or there is no value or one that is not finite.
    """
    method, reference = _check_values("values", values), _check_values("baseline", baseline)
    if len(method) != len(reference):
        raise ValueError(
            f"Expected `baseline` of the {len(method)} seeds of `values`, got {len(reference)}."
        )
    named = tuple(range(len(method)) if seeds is None else seeds)
    if len(set(named)) != len(method):
        raise ValueError(f"Expected `seeds` of the {len(method)} `values`, got {named}.")
    tolerance = 1e-14 * float(np.abs(method).sum() + np.abs(reference).sum())
    differences = method - reference
    if np.ptp(differences) <= tolerance:
        differences[:] = differences.mean()
    return Paired(named, differences, tolerance)


def describe(
    paired: Paired, *, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> PairedDifference:
    """Return the mean difference, its interval and its p-value; see `paired_difference`.

    Args:
        paired: of `pair`.
        confidence: of the interval, above 0 and below 1.
        resamples: of the sign flips, where they are sampled.
        seed: of this sampling.
    """
    if not 0.0 < check_fraction("confidence", confidence) < 1.0:
        raise ValueError(f"Expected `confidence` above 0 and below 1, got {confidence}.")
    check_positive("resamples", resamples)
    n, mean, sd = len(paired.values), float(paired.values.mean()), _sd(paired.values)
    half = math.nan
    if n >= LEAST_FOR_INTERVAL:
        half = float(special.stdtrit(n - 1, (1.0 + confidence) / 2.0)) * sd / math.sqrt(n)
    return PairedDifference(
        n=n,
        mean=mean,
        sd=sd,
        low=mean - half,
        high=mean + half,
        p_value=sign_flip_p(
            paired.values, tolerance=paired.tolerance, resamples=resamples, seed=seed
        ),
        smallest_p=smallest_p(n, resamples),
    )


def paired_difference(
    values: Sequence[float],
    baseline: Sequence[float],
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> PairedDifference:
    """Compare a method with its baseline, seed by seed.

    The interval is Student's t, mean ± t · sd / √n with n − 1 degrees of freedom. At 95 % it covers
    95 % of normal differences whatever their number; of strongly skewed ones 88 to 91 % with 3 to
    10 seeds. With two seeds there is none. The p-value is of the sign-flip test: if method and
    baseline were exchangeable, each difference would have either sign with equal chance. With up
    to 14 seeds all 2ⁿ flips are counted, else `resamples` random ones and the observed one.

    Args:
        values: a metric of the method, one finite number for each seed.
        baseline: the metric of the baseline, of the same seeds in the same order.
        confidence: of the interval, above 0 and below 1.
        resamples: of the sign flips, where they are sampled.
        seed: of this sampling; it has nothing to do with the seeds of the runs.

    Returns:
        The mean difference, its interval and p-value, and the smallest p of so many seeds.

    Raises:
        TypeError: if they are not numbers.
        ValueError: if the lengths differ, there is no value or one that is not finite, or an
            option is out of its range.

    Example:
        >>> result = paired_difference([0.72, 0.74, 0.73, 0.75], [0.71, 0.71, 0.72, 0.71])
        >>> round(result.mean, 4), round(result.sd, 4), result.p_value, result.smallest_p
        (0.0225, 0.015, 0.125, 0.125)
        >>> round(result.low, 4), round(result.high, 4)
        (-0.0014, 0.0464)

    Source: Student, "The Probable Error of a Mean", Biometrika 6, 1908; Fisher, "The Design of
    Experiments", 1935, section 21.
    """
    paired = pair(values, baseline)
    return describe(paired, confidence=confidence, resamples=resamples, seed=seed)


def _sd(array: NDArray[np.float64]) -> float:
    return float(array.std(ddof=1)) if len(array) > 1 else math.nan


def _check_values(name: str, values: Sequence[float]) -> NDArray[np.float64]:
    array = np.asarray(values)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"Expected `{name}` to be numbers, got {array.dtype}.")
    if array.ndim != 1 or len(array) == 0 or not np.isfinite(array).all():
        raise ValueError(f"Expected `{name}` to be finite numbers, one per seed, got {values}.")
    return array.astype(np.float64)
