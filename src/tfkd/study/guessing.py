"""What a network gets that has learned nothing: by always answering the largest class."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tfkd.data.settings import DataSettings
from tfkd.study.directory import run_directory
from tfkd.study.records import Record

FAR_ABOVE = 3.0
"""Times the NLL of equal probabilities, beyond which a loss has blown up."""


@dataclass(frozen=True)
class Guessing:
    """What guessing gets on a test split.

    Attributes:
        classes: number of them.
        accuracy: of always answering the largest class, in percent.
        images: of the split.
    """

    classes: int
    accuracy: float
    images: int

    @property
    def nll(self) -> float:
        """NLL of equal probabilities."""
        return math.log(self.classes)

    @property
    def by_chance(self) -> float:
        """The accuracy that a guess has on so many images with some luck: two sds above, in %.

        Example:
            >>> round(Guessing(10, 10.0, 900).by_chance, 2)
            12.0
        """
        share = self.accuracy / 100.0
        return self.accuracy + 200.0 * math.sqrt(share * (1.0 - share) / self.images)

    def is_no_worse(self, accuracy: float, nll: float) -> bool:
        """Return whether a network is no better than guessing, by its accuracy or by its NLL.

        By its NLL it is where that is far above that of equal probabilities, unless the accuracy
        is more than half way to 100 %: such a network is too sure of itself, but has learned.

        Args:
            accuracy: in percent.
            nll: in nats.

        Example:
            >>> digits = Guessing(10, 10.0, 900)
            >>> digits.is_no_worse(10.5, 2.3), digits.is_no_worse(14.0, 23.3)
            (True, True)
            >>> digits.is_no_worse(40.0, 2.2), digits.is_no_worse(80.0, 7.5)
            (False, False)
        """
        lost = nll > FAR_ABOVE * self.nll and accuracy < (self.accuracy + 100.0) / 2.0
        return lost or accuracy <= self.by_chance


def guessing_of(records: Iterable[Record], root: Path) -> dict[DataSettings, Guessing]:
    """Return what guessing gets on the test split of all data of which a run keeps its labels.

    Args:
        records: of the finished runs; the first of each data tells.
        root: the study's directory.
    """
    found: dict[DataSettings, Guessing] = {}
    for record in records:
        data = record.settings.recipe.data
        if data in found:
            continue
        try:
            kept = run_directory(root, record.run).test_logits()
        except (OSError, ValueError):  # damaged since
            continue
        if kept is not None:
            logits, labels = kept
            largest, images = int(labels.bincount().max()), len(labels)
            found[data] = Guessing(logits.shape[1], 100.0 * largest / images, images)
    return found
