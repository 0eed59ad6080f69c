"""The rule by which a label looks wrong, against a loop that is written out, and its silence."""

import math

import pytest
import torch

from tfkd.report.pictures.answers import Answers
from tfkd.report.pictures.wrong_labels import (
    class_thresholds,
    why_no_candidates,
    wrong_labels,
)


def drawn(chance, images, classes):
    logits = [[chance.gauss(0, 3) for _ in range(classes)] for _ in range(images)]
    labels = [chance.randrange(classes) for _ in range(images)]
    return Answers("test", torch.tensor(logits), torch.tensor(labels))


def probabilities(row):
    weights = [math.exp(value) for value in row]
    return [weight / sum(weights) for weight in weights]


def by_a_loop(parts, classes):
    """Northcutt et al., 2021, equations 1 and 2: the off-diagonal of the confident joint.

    Without what the network itself answers as the label says.
    """
    images = [
        (place, row, probabilities(logits), label)
        for place, part in enumerate(parts)
        for row, (logits, label) in enumerate(
            zip(part.logits.tolist(), part.labels.tolist(), strict=True)
        )
    ]
    thresholds = []
    for k in range(classes):
        own = [p[k] for _, _, p, label in images if label == k]
        thresholds.append(sum(own) / len(own) if own else math.inf)
    found = []
    for place, row, p, label in images:
        sure = [k for k in range(classes) if p[k] >= thresholds[k]]
        if not sure:
            continue
        other = max(sure, key=lambda k: p[k])
        if other != label and max(p) != p[label]:
            found.append((p[label], place, row, other))
    return [(place, row, other) for _, place, row, other in sorted(found)], thresholds


def test_the_rule_is_that_of_confident_learning(chance, examples):
    for _ in range(examples):
        classes = chance.randrange(2, 7)
        parts = [drawn(chance, chance.randrange(1, 40), classes) for _ in range(2)]
        wanted, thresholds = by_a_loop(parts, classes)
        found = wrong_labels(parts)
        assert [
            ([s.answers is part for part in parts].index(True), s.row, s.other) for s in found
        ] == wanted
        torch.testing.assert_close(
            class_thresholds(parts), torch.tensor(thresholds, dtype=torch.float64)
        )
        for suspect in found:
            p = probabilities(suspect.answers.logits[suspect.row].tolist())
            assert math.isclose(suspect.probability, p[suspect.other], rel_tol=1e-9)
            label = int(suspect.answers.labels[suspect.row])
            assert math.isclose(suspect.of_label, p[label], rel_tol=1e-9)


def test_a_class_that_no_image_has_is_no_candidate():
    logits = torch.tensor([[0.0, 1.0, 9.0], [1.0, 0.0, 9.0]])
    found = wrong_labels([Answers("test", logits, torch.tensor([0, 1]))])
    assert [(suspect.row, suspect.other) for suspect in found] == [(0, 1), (1, 0)]


def test_the_networks_own_answer_is_no_candidate():
    # t(0) = .725 and t(1) = .3: of the second image class 1 alone is above its mean.
    logits = torch.tensor([[0.9, 0.1], [0.55, 0.45], [0.7, 0.3]]).log()
    assert wrong_labels([Answers("test", logits, torch.tensor([0, 0, 1]))]) == []


def answered(right, wrong):
    """Answers on three even classes, so many of which are right."""
    labels = torch.arange(right + wrong) % 3
    said = torch.where(torch.arange(right + wrong) < right, labels, (labels + 1) % 3)
    logits = 3.0 * torch.nn.functional.one_hot(said, 3).float()
    return Answers("test", logits, labels)


@pytest.mark.parametrize(("right", "silent"), [(24, True), (31, True), (32, False), (60, False)])
def test_a_network_that_guesses_names_no_candidates(right, silent):
    z, images = 1.959963984540054, 72
    share = right / images
    half = z * math.sqrt(share * (1 - share) / images + z**2 / (4 * images**2))
    low = (share + z**2 / (2 * images) - half) / (1 + z**2 / images)
    assert (low <= 1 / 3) == silent
    said = why_no_candidates([answered(right, 72 - right)])
    assert bool(said) == silent
    if silent:
        assert f"is right on {100 * share:.1f}\u00a0%" in said
        assert said.count("33.3\u00a0%") == (2 if right == 24 else 1)
