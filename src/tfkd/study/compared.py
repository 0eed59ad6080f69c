"""A metric of one arm minus that of another: paired by seed, and over a study's claims together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tfkd.study.plan import Contrast, Study
from tfkd.study.records import CALIBRATED, Record
from tfkd.study.statistics.differences import Paired, PairedDifference, describe, pair
from tfkd.study.statistics.family import max_t

PERCENT = (
    "accuracy",
    "ece",
    "smooth_ece",
    "aurc",
    "augrc",
    "calibrated_ece",
    "calibrated_smooth_ece",
    "calibrated_aurc",
    "calibrated_augrc",
    "train_accuracy",
    "teacher_accuracy",
)
"""Metrics that rows hold in percent; NLL is in nats, Brier has no unit, time is in seconds."""

CLAIMED = (
    "accuracy",
    *(f"{prefix}{name}" for name in CALIBRATED for prefix in ("", "calibrated_")),
)
"""Metrics that every claim is asked for: accuracy, the others as they come and calibrated."""


@dataclass(frozen=True)
class Compared:
    """A metric of one arm minus that of another.

    Attributes:
        difference: paired by seed.
        adjusted_p: corrected by step-down max-T over the study's claims on this metric.
    """

    difference: PairedDifference
    adjusted_p: float


def claims_of(
    study: Study, groups: dict[str, dict[int, Record]]
) -> dict[str, dict[str, dict[str, Compared]]]:
    """Return what is claimed, by arm, by the arm that it is held against, and by metric.

    Args:
        study: the plan.
        groups: the finished runs, by arm and seed.
    """
    found: dict[str, dict[str, dict[str, Compared]]] = {}
    for metric in CLAIMED:
        for contrast, compared in compare_family(study.claims, groups, metric).items():
            of_arm = found.setdefault(contrast.arm, {})
            of_arm.setdefault(contrast.against, {})[metric] = compared
    return found


def compare_family(
    family: Sequence[Contrast], groups: dict[str, dict[int, Record]], metric: str
) -> dict[Contrast, Compared]:
    """Return a metric over a family of claims, of those whose arms have a seed in common.

    Args:
        family: pairs of arms.
        groups: the finished runs, by arm and seed.
        metric: of the records.
    """
    paired = {
        contrast: found
        for contrast in dict.fromkeys(family)
        if (found := _paired(groups.get(contrast.arm), groups.get(contrast.against), metric))
        is not None
    }
    adjusted = max_t(list(paired.values()))
    return {
        contrast: Compared(describe(found), p)
        for (contrast, found), p in zip(paired.items(), adjusted, strict=True)
    }


def difference_of(
    runs: dict[int, Record], others: dict[int, Record] | None, metric: str
) -> PairedDifference | None:
    """Return a metric of runs minus the same seed's of others, over the seeds that both have.

    Args:
        runs: of one arm, by seed.
        others: of another; None if it has none.
        metric: of the records.
    """
    found = _paired(runs, others, metric)
    return None if found is None else describe(found)


def _paired(
    runs: dict[int, Record] | None, others: dict[int, Record] | None, metric: str
) -> Paired | None:
    seeds = sorted(set(runs or {}) & set(others or {}))
    if runs is None or others is None or not seeds:
        return None
    compared = [*(runs[seed] for seed in seeds), *(others[seed] for seed in seeds)]
    if any(getattr(run, metric) is None for run in compared):
        return None
    return pair(
        [value_of(runs[seed], metric) for seed in seeds],
        [value_of(others[seed], metric) for seed in seeds],
        seeds=seeds,
    )


def value_of(record: Record, metric: str) -> float:
    """Return a metric of a run, in percent for those of `PERCENT`."""
    value: float = getattr(record, metric)
    return 100.0 * value if metric in PERCENT else value
