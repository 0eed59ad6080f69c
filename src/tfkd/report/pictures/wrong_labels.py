"""Images of which a network is sure that their label is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from tfkd.report.pictures.answers import Answers

RULE = (
    "An image is a candidate where a class j other than its label has a probability p(j) of at "
    "least t(j), the mean of p(j) over the images that are labelled j; of several such classes, "
    "the label among them, the most probable counts. (The rule of confident learning: Northcutt, "
    "Jiang and Chuang, 2021, arXiv 1911.00068, equations 1 and 2.) Those of the smallest "
    "probability of the label come first."
)
CANDIDATES = "These are candidates for a look, not findings: a network may be surely wrong."


class Suspect(NamedTuple):
    """An image whose label looks wrong.

    Attributes:
        answers: that it is of.
        row: its place there.
        other: the class that it looks like.
        probability: of that class.
        of_label: probability of the label.
    """

    answers: Answers
    row: int
    other: int
    probability: float
    of_label: float


def wrong_labels(parts: Sequence[Answers]) -> list[Suspect]:
    """Return the images whose label looks wrong, the least probable label first.

    An image with label i is one where j ≠ i for

        j = argmax over {k: p(k) ≥ t(k)} of p(k),    t(k) = mean of p(k) over images labelled k

    Args:
        parts: of one or several splits, by networks that were not trained on them, or by one that
            teaches; the means are over all of them together.

    Source: Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset
    Labels", JAIR 70, 2021, arXiv 1911.00068, equations 1 and 2.
    """
    thresholds = class_thresholds(parts)
    found = []
    for answers in parts:
        for first, probabilities in answers.probabilities():
            sure = torch.where(probabilities >= thresholds, probabilities, -1.0)
            highest, other = sure.max(dim=1)
            own = answers.labels[first : first + len(probabilities)]
            for place in torch.nonzero((highest >= 0.0) & (other != own))[:, 0].tolist():
                found.append(
                    Suspect(
                        answers,
                        first + place,
                        int(other[place]),
                        float(highest[place]),
                        float(probabilities[place, own[place]]),
                    )
                )
    return sorted(found, key=lambda suspect: suspect.of_label)


def class_thresholds(parts: Sequence[Answers]) -> Tensor:
    """Return the mean probability of each class over its images, `(K,)`; inf without images."""
    num_classes = parts[0].num_classes
    total = torch.zeros(num_classes, dtype=torch.float64)
    count = torch.zeros(num_classes, dtype=torch.float64)
    for answers in parts:
        total.index_add_(0, answers.labels, torch.from_numpy(answers.of_label))
        count += torch.bincount(answers.labels, minlength=num_classes)
    return torch.where(count > 0, total / count, torch.inf)
