"""Images whose label a network disputes, so that it is worth a look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from tfkd.report.number_text import percent, without_plus
from tfkd.report.pictures.answers import Answers
from tfkd.report.wilson import wilson

RULE = (
    "An image is a candidate where the network answers something else than its label, and a class "
    "j other than the label has a probability p(j) of at least t(j), the mean of p(j) over the "
    "images that are labelled j; of several such classes, the label among them, the most probable "
    "counts. (The rule of confident learning: Northcutt, "
    "Jiang and Chuang, 2021, arXiv 1911.00068, equations 1 and 2.) Those of the smallest "
    "probability of the label come first."
)
CANDIDATES = (
    "A candidate is worth a look and proves nothing: a network can be sure of a wrong answer, and "
    "the poorer it is, the more of its candidates are rightly labelled."
)


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

    An image with label i is one that the network does not take for i itself, and where j ≠ i for

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
            disputed = (highest >= 0.0) & (other != own) & (probabilities.argmax(dim=1) != own)
            for place in torch.nonzero(disputed)[:, 0].tolist():
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


def why_no_candidates(parts: Sequence[Answers]) -> str:
    """Return why a network's answers say nothing about labels; empty if they may.

    One that is not told from always guessing the largest class, by Wilson's 95 % interval, disputes
    labels for no better reason.

    Args:
        parts: of one or several splits, which are taken together.
    """
    images = sum(map(len, parts))
    right = sum(int(answers.right.sum()) for answers in parts)
    classes = parts[0].num_classes
    support = sum(torch.bincount(answers.labels, minlength=classes) for answers in parts)
    guess = int(torch.as_tensor(support).max()) / images
    if wilson(right, images)[0] > guess:
        return ""
    low, high = wilson(right, images)
    return (
        f"No candidates are named: a network that is right on {percent(right / images)} of them "
        f"(95 % interval {without_plus(100 * low, 1)} to {percent(high)}) is not told from always "
        f"guessing one class, which is right on {percent(guess)}; what it disputes says nothing "
        "about labels."
    )


def class_thresholds(parts: Sequence[Answers]) -> Tensor:
    """Return the mean probability of each class over its images, `(K,)`; inf without images."""
    num_classes = parts[0].num_classes
    total = torch.zeros(num_classes, dtype=torch.float64)
    count = torch.zeros(num_classes, dtype=torch.float64)
    for answers in parts:
        total.index_add_(0, answers.labels, torch.from_numpy(answers.of_label))
        count += torch.bincount(answers.labels, minlength=num_classes)
    return torch.where(count > 0, total / count, torch.inf)
