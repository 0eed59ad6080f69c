"""What the best of n trials is expected to be: how much searching is worth."""

from __future__ import annotations

import math
from collections.abc import Sequence


def expected_best(values: Sequence[float], *, maximise: bool = False) -> list[float]:
    """Return the expected best value after 1, 2, ... trials, as many as there are values.

    With v the values from the best to the worst, of which there are N, the best of n that are drawn
    with replacement is expected to be

        Σ_i v_i · [ ((N − i + 1) / N)^n − ((N − i) / N)^n ]

    which is exact for the empirical distribution (Dodge et al., 2019, Show Your Work: Improved
    Reporting of Experimental Results, arXiv 1909.03004, eq. 7).

    It takes the trials for drawn at random. A search that looks more where it has found good values
    finds them more often than chance: then the first numbers of the curve are too good.

    Args:
        values: of the objective, finite, at least one.
        maximise: whether more is better.

    Raises:
        ValueError: for no values, or one that is not finite.

    Example:
        >>> [round(value, 3) for value in expected_best([3.0, 1.0, 2.0])]
        [2.0, 1.556, 1.333]
    """
    count = len(values)
    if count == 0 or not all(map(math.isfinite, values)):
        raise ValueError(f"Expected `values` that are finite, at least one, got {list(values)}.")
    ordered = sorted(values, reverse=maximise)
    return [
        math.fsum(
            value * (((count - place) / count) ** n - ((count - place - 1) / count) ** n)
            for place, value in enumerate(ordered)
        )
        for n in range(1, count + 1)
    ]
