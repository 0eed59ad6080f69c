"""A family of claims tested together: step-down max-T by joint sign flips of the seeds.

Own code: scipy 1.17 has the test of one claim alone, statsmodels 0.14 corrections that know nothing
of how the claims go together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfkd.study.statistics.differences import Paired
from tfkd.study.statistics.sign_flip import RESAMPLES, flips, share_of_flips


def max_t(family: Sequence[Paired], *, resamples: int = RESAMPLES, seed: int = 0) -> list[float]:
    """Return the two-sided p-values of the claims of a family, corrected for one another.

    The statistic of a claim is T = |Σ d| / √(Σ d²) over its seeds, whose variance is 1 over all
    flips of their signs. Where claims have the same seeds it orders as Student's t does; a claim of
    few seeds, whose t has long tails, does not drown the others by it. A flip turns the sign of a
    *seed*, in all claims that have it: so the claims keep what they have in common, a baseline or
    the luck of a split. Claims without the seed are not moved by it. The claim with the largest T
    is held against the largest T of all claims at each flip, the next against the largest of the
    claims without it, and so on; no p is smaller than one before it.

    If the differences of the true null hypotheses are, seed by seed, as likely as with all signs
    turned, the chance that any of these is rejected at a level is at most the level, whatever the
    other claims are. A claim alone has the p of `sign_flip_p`. Flips are enumerated up to 14 seeds
    in the union of the claims, else sampled.

    Args:
        family: the differences of each claim.
        resamples: random flips, beside the observed one, for more than 14 seeds.
        seed: of these flips.

    Returns:
        One p-value for each claim, in their order.

    Example:
        >>> from tfkd.study.statistics.differences import pair
        >>> same = [3.0, 4.0, 3.0, 4.0, 3.0, 4.0]
        >>> other = [1.0, -2.0, 1.0, 3.0, -1.0, 2.0]
        >>> max_t([pair(same, [0.0] * 6), pair(other, [0.0] * 6)])
        [0.03125, 0.53125]

    Source: Westfall and Young, "Resampling-Based Multiple Testing", 1993; Romano and Wolf, "Exact
    and Approximate Stepdown Methods for Multiple Hypothesis Testing", JASA 100, 2005.
    """
    if not family:
        return []
    place = {name: row for row, name in enumerate(sorted(set().union(*(p.seeds for p in family))))}
    scores, tolerances = np.zeros((len(place), len(family))), np.zeros(len(family))
    for column, paired in enumerate(family):
        size = float(np.sqrt(np.square(paired.values).sum()))
        if np.abs(paired.values).sum() > paired.tolerance:  # else all is rounding
            scores[[place[name] for name in paired.seeds], column] = paired.values / size
            tolerances[column] = paired.tolerance / size
    observed = np.abs(scores.sum(0))
    order = np.argsort(-observed, kind="stable")
    ranked, least = scores[:, order], (observed - tolerances)[order]
    as_extreme = np.zeros(len(family), dtype=np.int64)
    for signs in flips(len(place), resamples=resamples, seed=seed):
        found = np.abs(signs @ ranked)
        largest = np.maximum.accumulate(found[:, ::-1], axis=1)[:, ::-1]
        as_extreme += (largest >= least).sum(0)
    adjusted, highest = [1.0] * len(family), 0.0
    for count, column in zip(as_extreme, order, strict=True):
        highest = max(highest, share_of_flips(int(count), len(place), resamples))
        adjusted[column] = highest
    return adjusted
