"""One claim of a study, and what may be said of it on accuracy and on every other metric."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tfkd.study.plan import of_folds
from tfkd.study.statistics.differences import PairedDifference
from tfkd.study.statistics.images import SeedsAndImages
from tfkd.study.statistics.power import spreads_found
from tfkd.study.summary import Row

Conclusion = Literal[
    "better, beyond its controls",
    "better, explained by a control",
    "better, not told from a control",
    "better",
    "no difference worth having",
    "not told apart",
    "too few seeds to tell",
    "worse",
    "no better than guessing",
]

Verdict = Literal["better", "worse", "not told apart", "too few seeds to tell"]
"""On one metric: which of the two arms is better, if that is told."""


@dataclass(frozen=True)
class Measured:
    """One metric of a claim.

    Attributes:
        difference: of the arm to the one that it is held against, paired by seed.
        adjusted_p: corrected by step-down max-T over the study's claims on this metric.
        verdict: better or worse where this p is at most 0.05 and the interval leaves out 0.
    """

    difference: PairedDifference
    adjusted_p: float
    verdict: Verdict


@dataclass(frozen=True)
class Claim:
    """What may be said of one claim: how an arm differs from another.

    Attributes:
        row: the arm.
        against: the other.
        metrics: by metric of `tfkd.study.summary.CLAIMED`, those that the runs have; accuracy
            always, and `calibrated_…` after one temperature.
        family: how many claims the study has.
        worthwhile: the smallest difference in accuracy worth having, in points.
        conclusion: on accuracy, one of `tfkd.study.conclusions.MEANING`.
        because: what the conclusion rests on; empty if on the difference alone.
        for_new_images: by metric, the difference with its interval for other test images too; empty
            where that is not known. The verdicts rest on the seeds alone: they are about these
            test images, as the test and the published comparisons are.
    """

    row: Row
    against: Row
    metrics: Mapping[str, Measured]
    family: int
    worthwhile: float
    conclusion: Conclusion
    because: str = ""
    for_new_images: Mapping[str, SeedsAndImages] = field(default_factory=dict)

    @property
    def difference(self) -> PairedDifference:
        """In accuracy, in points."""
        return self.metrics["accuracy"].difference

    @property
    def corrected_p(self) -> float:
        """Of the difference in accuracy, over all claims of the study."""
        return self.metrics["accuracy"].adjusted_p

    @property
    def told(self) -> bool:
        """Whether the difference in accuracy is told from chance, be it worth having or not."""
        return self.metrics["accuracy"].verdict in ("better", "worse")

    @property
    def to_baseline(self) -> bool:
        """Whether the arm is held against its baseline, plain cross-entropy."""
        return self.row.arm.baseline == self.against.arm.name

    @property
    def detectable(self) -> float:
        """The difference in accuracy that so many seeds find in four studies of five, in points.

        If the differences have the sd of these: of the tests over all claims of the study. Infinite
        with fewer than six seeds.
        """
        difference = self.difference
        found = spreads_found(difference.n, self.family)
        return found if difference.n == 1 or found == math.inf else found * difference.sd

    @property
    def undone(self) -> tuple[str, ...]:
        """Metrics that are better as they come, and of which one temperature leaves too little.

        Too little is at most half of the difference, with an interval that holds 0; or one to the
        other side. That a difference is not told after a temperature is not enough: it may be as
        large as before, and only scatter more.
        """
        return self._gone("better")

    @property
    def mended(self) -> tuple[str, ...]:
        """Metrics that are worse as they come, and of which one temperature leaves too little."""
        return self._gone("worse")

    @property
    def left_open(self) -> tuple[str, ...]:
        """Metrics whose difference is told, and after one temperature neither told nor gone."""
        told = ("better", "worse")
        return tuple(
            metric
            for metric, found in self.metrics.items()
            if found.verdict in told
            and (after := self.metrics.get(f"calibrated_{metric}")) is not None
            and after.verdict not in told
            and metric not in (*self.undone, *self.mended)
        )

    def _gone(self, verdict: Verdict) -> tuple[str, ...]:
        return tuple(
            metric
            for metric, found in self.metrics.items()
            if found.verdict == verdict
            and (after := self.metrics.get(f"calibrated_{metric}")) is not None
            and after.verdict != verdict
            and _is_little(found.difference, after.difference)
        )

    @property
    def holds_for_new_images(self) -> bool | None:
        """Whether the interval for new test images too leaves out 0; None if it is not known."""
        found = self.for_new_images.get("accuracy")
        return None if found is None or found.n < 3 else found.low > 0.0 or found.high < 0.0

    @property
    def folds(self) -> int | None:
        """Folds of the cross-validation that the runs are of; None if they are of seeds alone."""
        return self.row.arm.recipe.data.folds

    @property
    def name(self) -> str:
        """The conclusion, in words: of folds where the runs are of folds."""
        return of_folds(self.conclusion, self.folds)


def _is_little(before: PairedDifference, after: PairedDifference) -> bool:
    """Whether little is left of a difference: at most half, and perhaps nothing."""
    share = after.mean / before.mean
    return share < 0.0 or (share <= 0.5 and after.low <= 0.0 <= after.high)
