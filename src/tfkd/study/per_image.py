"""What each run says of each test image, for how far a difference is off for so few of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from tfkd.study.directory import run_directory
from tfkd.study.plan import Contrast, Study
from tfkd.study.records import Record
from tfkd.study.statistics.images import SeedsAndImages, seeds_and_images

Array = NDArray[np.float32]

MOST_NUMBERS = 50_000_000
"""Of all runs together; of larger studies nothing is said, for all must lie in memory at once."""


@dataclass
class PerImage:
    """The metrics that are means over images, of each image, run by run.

    Accuracy in points, NLL in nats, as it comes and after the run's temperature.
    """

    _scores: dict[tuple[str, int], dict[str, Array]] = field(default_factory=dict)
    _labels: dict[tuple[str, int], Tensor] = field(default_factory=dict)
    _numbers: int = 0

    def add(self, record: Record, logits: Tensor, labels: Tensor) -> None:
        """Keep what a run says.

        Args:
            record: of the run.
            logits: `(N, K)`, of the test split.
            labels: `(N,)`, class indices.
        """
        if record.settings.recipe.data.folds is not None:
            return  # each seed has images of its own
        scores = {"accuracy": (logits.argmax(1) == labels).float() * 100.0}
        scores["nll"] = cross_entropy(logits.float(), labels, reduction="none")
        if record.temperature is not None:
            calibrated = logits.float() / record.temperature
            scores["calibrated_nll"] = cross_entropy(calibrated, labels, reduction="none")
        self._numbers += len(labels) * len(scores)
        if self._numbers > MOST_NUMBERS:
            self._scores.clear()
            return
        run = record.arm, record.seed
        self._scores[run] = {name: values.numpy() for name, values in scores.items()}
        self._labels[run] = labels

    def compared(self, study: Study) -> dict[Contrast, dict[str, SeedsAndImages]]:
        """Return, for each claim, each metric's difference with its error for new images too.

        Args:
            study: the plan.
        """
        found = {claim: self._of(claim) for claim in study.claims}
        return {claim: metrics for claim, metrics in found.items() if metrics}

    def _of(self, claim: Contrast) -> dict[str, SeedsAndImages]:
        arms = (claim.arm, claim.against)
        seeds = [
            seed
            for arm, seed in self._scores
            if arm == claim.arm and (arms[1], seed) in self._scores
        ]
        runs = [(arm, seed) for arm in arms for seed in seeds]
        if not runs or any(
            not torch.equal(self._labels[run], self._labels[runs[0]]) for run in runs
        ):
            return {}  # of other images
        metrics = set.intersection(*(_finite(self._scores[run]) for run in runs))
        return {
            metric: seeds_and_images(
                np.stack(
                    [
                        self._scores[arms[0], s][metric] - self._scores[arms[1], s][metric]
                        for s in seeds
                    ]
                )
            )
            for metric in sorted(metrics)
        }


def _finite(scores: dict[str, Array]) -> set[str]:
    return {metric for metric, values in scores.items() if np.isfinite(values).all()}


def read_per_image(records: list[Record], root: Path) -> PerImage:
    """Return what the finished runs of a study say of each test image; of those that keep logits.

    Args:
        records: of the finished runs.
        root: the study's directory.
    """
    found = PerImage()
    for record in records:
        try:
            kept = run_directory(root, record.run).test_logits()
        except (OSError, ValueError):  # damaged since
            continue
        if kept is not None:
            found.add(record, *kept)
    return found
