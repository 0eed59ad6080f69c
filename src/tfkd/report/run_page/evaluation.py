"""How good a network is on each class, and which it takes for which."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tfkd.report.pictures.answers import Answers
from tfkd.train.trained.evaluation import score_classes

UNEVEN = 1.5
"""Where the largest class has so many times the images of the smallest, means by class are told."""


@dataclass(frozen=True)
class ClassScores:
    """By class, in [0, 1]; nan for what is not defined.

    Attributes:
        precision: of the images that are taken for the class, the share that are of it.
        recall: of the images of the class, the share that are taken for it.
        f1: harmonic mean of the two.
        support: images of the class.
        confusion: `(K, K)`, images by label and by what they are taken for.
        macro_f1: mean of F1 over the classes that have images.
        balanced_accuracy: mean of recall over the classes that have images.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    support: NDArray[np.int64]
    confusion: NDArray[np.int64]
    macro_f1: float
    balanced_accuracy: float

    @cached_property
    def uneven(self) -> bool:
        """Whether the classes have so different numbers of images that accuracy misleads."""
        return bool(self.support.max() > UNEVEN * self.support.min())

    def pairs(self) -> list[tuple[int, int, int]]:
        """Return label, class that it is taken for and how often, the most frequent first."""
        wrong = self.confusion.copy()
        np.fill_diagonal(wrong, 0)
        found = [(int(a), int(b), int(wrong[a, b])) for a, b in zip(*wrong.nonzero(), strict=True)]
        return sorted(found, key=lambda pair: (-pair[2], pair[0], pair[1]))


def class_scores(answers: Answers) -> ClassScores:
    """Return how good a network is on each class, by the definitions of `score_classes`."""
    precision, recall, f1, support, confusion = score_classes(
        answers.own, answers.predicted, answers.num_classes
    )
    present = support > 0
    return ClassScores(
        precision=precision,
        recall=recall,
        f1=f1,
        support=support,
        confusion=confusion,
        macro_f1=float(f1[present].mean()),
        balanced_accuracy=float(recall[present].mean()),
    )
