"""What the generations of a chain are worth together: the mean of their probabilities."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from tfkd.metrics import all_metrics
from tfkd.study.compared import PERCENT
from tfkd.study.directory import run_directory
from tfkd.study.plan import Arm, Study
from tfkd.study.records import Record
from tfkd.study.statistics.differences import (
    PairedDifference,
    Summary,
    paired_difference,
    summarise,
)


@dataclass(frozen=True)
class Together:
    """All generations of a chain as one network, over the seeds of which all are finished.

    Attributes:
        last: arm of the last generation.
        metrics: mean and sd over seeds of every metric of the test split, in percent for those of
            `tfkd.study.summary.PERCENT`.
        over_last: accuracy minus that of the last generation alone, paired by seed, in points.
    """

    last: Arm
    metrics: dict[str, Summary]
    over_last: PairedDifference


def generations_together(study: Study, root: Path, records: list[Record]) -> list[Together]:
    """Return what the generations of each chain of a study come to together.

    All of them count alike: the mean of the probabilities, for each image of the test split, that
    they give it. The network that taught the first, by another method, is none of them.

    Args:
        study: the plan.
        root: the study's directory.
        records: of the finished runs.

    Source: Furlanello et al., 2018, arXiv 1805.04770.
    """
    accuracy = {(record.arm, record.seed): record.accuracy for record in records}
    found = []
    for chain in _chains(study):
        of_seed: dict[int, dict[str, float]] = {}
        for seed in range(study.seeds):
            if all((arm.name, seed) in accuracy for arm in chain):
                measured = _measured(root, [f"{arm.name}/seed-{seed}" for arm in chain])
                of_seed |= {} if measured is None else {seed: measured}
        if not of_seed:
            continue
        last = [accuracy[chain[-1].name, seed] for seed in of_seed]
        columns = {
            metric: [_as_told(metric, of_seed[seed][metric]) for seed in of_seed]
            for metric in next(iter(of_seed.values()))
        }
        found.append(
            Together(
                chain[-1],
                {metric: summarise(values) for metric, values in columns.items()},
                paired_difference(columns["accuracy"], [100.0 * value for value in last]),
            )
        )
    return found


def mean_of_probabilities(logits: list[Tensor]) -> Tensor:
    """Return the logarithm of the mean of the probabilities, `(N, K)`, in float64.

    Args:
        logits: `(N, K)`, of each network.

    Example:
        >>> once, twice = torch.tensor([[0.8, 0.2]]).log(), torch.tensor([[0.4, 0.6]]).log()
        >>> [round(p, 4) for p in mean_of_probabilities([once, twice]).exp()[0].tolist()]
        [0.6, 0.4]
    """
    log_p = torch.stack([z.double().log_softmax(1) for z in logits])
    return log_p.logsumexp(0) - math.log(len(logits))


def _chains(study: Study) -> list[list[Arm]]:
    """The generations of each chain, from the first."""
    arms = {arm.name: arm for arm in study.arms}
    later = [arm for arm in study.arms if arm.generation > 1]
    before = {arm.teacher for arm in later}
    chains = []
    for last in later:
        if last.name not in before:
            chain = [last]
            while chain[0].generation > 1:
                chain.insert(0, arms[chain[0].teacher or ""])
            chains.append(chain)
    return chains


def _measured(root: Path, runs: list[str]) -> dict[str, float] | None:
    """The metrics of some runs together; None if one of them keeps no logits to be read."""
    try:
        kept = [run_directory(root, run).test_logits() for run in runs]
    except (ValueError, OSError):  # is said of the run itself
        return None
    known = [logits_and_labels for logits_and_labels in kept if logits_and_labels is not None]
    if len(known) < len(runs):
        return None
    return all_metrics(mean_of_probabilities([logits for logits, _ in known]), known[0][1])


def _as_told(metric: str, value: float) -> float:
    return 100.0 * value if metric in PERCENT else value
