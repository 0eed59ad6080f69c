"""How far the differences of a study are apart from seed to seed, as far as it is run."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from tfkd.study.directory import run_directory
from tfkd.study.plan import Study

LEAST_SEEDS = 3
"""In common, from which on a claim's sd counts."""


def spread_so_far(study: Study, root: Path) -> float | None:
    """Return the sd over seeds of the differences in test accuracy, in points.

    The root of the mean of the claims' variances, of claims with three finished seeds or more;
    None where there is no such claim.

    Args:
        study: the plan.
        root: the study's directory.
    """
    arms = dict.fromkeys(name for claim in study.claims for name in (claim.arm, claim.against))
    accuracy = {
        (name, seed): found
        for name in arms
        for seed in range(study.seeds)
        if (found := _accuracy(root, f"{name}/seed-{seed}")) is not None
    }
    variances = []
    for claim in study.claims:
        differences = [
            accuracy[claim.arm, seed] - accuracy[claim.against, seed]
            for seed in range(study.seeds)
            if (claim.arm, seed) in accuracy and (claim.against, seed) in accuracy
        ]
        if len(differences) >= LEAST_SEEDS:
            variances.append(float(np.var(differences, ddof=1)))
    return math.sqrt(float(np.mean(variances))) if variances else None


def _accuracy(root: Path, run: str) -> float | None:
    """Test accuracy of a finished run, in percent; None of one that is not, or is damaged."""
    try:
        result = run_directory(root, run).result()
    except (OSError, ValueError):
        return None
    return None if result is None or result.test is None else 100.0 * result.test.accuracy
