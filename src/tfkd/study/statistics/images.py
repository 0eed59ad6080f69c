"""How far a difference is off for two reasons: so few seeds, and so few test images."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tfkd._checks import check_fraction
from tfkd.study.statistics.differences import LEAST_FOR_INTERVAL


@dataclass(frozen=True)
class SeedsAndImages:
    """A mean difference, and what it is off by for new seeds and new test images.

    Attributes:
        n: number of seeds.
        images: of the test split.
        mean: mean difference.
        by_seeds: standard error for new seeds on these images; nan for one seed.
        by_images: what new images add to it, squared to squared; nan for one seed.
        variance: of the mean for new seeds and new images, estimated without bias; it may be a
            little below 0 where there is next to none.
        low: lower end of the interval for new seeds and new images; nan for one seed or two.
        high: upper end of it.
    """

    n: int
    images: int
    mean: float
    by_seeds: float
    by_images: float
    variance: float
    low: float
    high: float


def seeds_and_images(
    differences: NDArray[np.floating], *, confidence: float = 0.95
) -> SeedsAndImages:
    """Return a mean over seeds and images, with its interval for new ones of both.

    d = μ + seed + image + both, each part of its own variance A, B, E. Over n seeds and N images
    the mean has the variance A/n + B/N + E/(nN) = v_seeds + v_images − v_both: that of the means of
    the seeds over n is A/n + E/(nN), that of the means of the images over N is B/N + E/(nN), that
    of what is left over nN is E/(nN). The interval is Student's t with the degrees of freedom of
    Satterthwaite, and takes B as 0 where it is estimated below: it is no narrower for that.

    Args:
        differences: `(n, N)`, of each seed on each image the method minus its baseline, such as
            `(its answer is right) − (theirs is)`.
        confidence: of the interval, above 0 and below 1.

    Raises:
        ValueError: if they are not of at least one seed and two images, or not finite.

    Example:
        >>> found = seeds_and_images(np.array([[1.0, 0, 0, 1], [1, 0, 1, 1], [1, 0, 0, 0]]))
        >>> found.mean, round(found.by_seeds, 4), round(found.by_images, 4)
        (0.5, 0.1443, 0.1863)
        >>> round(found.low, 2), round(found.high, 2)
        (-0.22, 1.22)

    Source: Cornfield and Tukey, "Average Values of Mean Squares in Factorials", Annals of
    Mathematical Statistics 27, 1956; Satterthwaite, "An Approximate Distribution of Estimates of
    Variance Components", Biometrics Bulletin 2, 1946.
    """
    table = np.asarray(differences, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] < 1 or table.shape[1] < 2 or not np.isfinite(table).all():
        raise ValueError(
            "Expected `differences` to be finite numbers of some seeds on some images, got the "
            f"shape {table.shape}."
        )
    if not 0.0 < check_fraction("confidence", confidence) < 1.0:
        raise ValueError(f"Expected `confidence` above 0 and below 1, got {confidence}.")
    n, images = table.shape
    of_seeds, of_images, mean = table.mean(1), table.mean(0), float(table.mean())
    by_images = float(of_images.var(ddof=1)) / images
    if n == 1:
        nan = math.nan
        return SeedsAndImages(n, images, mean, nan, nan, nan, nan, nan)
    by_seeds = float(of_seeds.var(ddof=1)) / n
    rest = table - of_seeds[:, None] - of_images + mean
    both = float(np.square(rest).sum()) / ((n - 1) * (images - 1)) / (n * images)
    half = math.nan
    if n >= LEAST_FOR_INTERVAL:
        half = _half(by_seeds, by_images, both, n, images, confidence)
    return SeedsAndImages(
        n,
        images,
        mean,
        math.sqrt(by_seeds),
        math.sqrt(max(by_images - both, 0.0)),
        by_seeds + by_images - both,
        mean - half,
        mean + half,
    )


def _half(
    by_seeds: float, by_images: float, both: float, n: int, images: int, confidence: float
) -> float:
    """Half of the interval's length."""
    if by_images <= both:  # none of the variance is the images' own
        by_images = both = 0.0
    variance = by_seeds + by_images - both
    if variance <= 0.0:
        return 0.0
    spread = (
        by_seeds**2 / (n - 1) + by_images**2 / (images - 1) + both**2 / ((n - 1) * (images - 1))
    )
    return float(special.stdtrit(variance**2 / spread, (1.0 + confidence) / 2.0)) * math.sqrt(
        variance
    )
