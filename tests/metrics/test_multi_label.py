"""The metrics of several labels against scikit-learn, plain loops and each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn import metrics as theirs
from torch import Tensor

from tfkd.calibration import fit_binary_temperature
from tfkd.metrics import multi_label


def draw(
    samples: int, classes: int, *, seed: int = 0, missing: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Logits that know the labels a little, rounded so that some are equal."""
    generator = torch.Generator().manual_seed(seed)
    labels = (torch.rand(samples, classes, generator=generator) < 0.3).float()
    logits = 1.5 * torch.randn(samples, classes, generator=generator, dtype=torch.float64)
    logits = (2.0 * (logits + 2.0 * labels - 1.0)).round() / 2.0 + 0.1
    labels[torch.rand(samples, classes, generator=generator) < missing] = -100
    return logits, labels


def known(logits: Tensor, labels: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities of those that are known, without torch."""
    there = labels.numpy() != -100
    return labels.numpy()[there], 1 / (1 + np.exp(-logits.numpy()[there]))


@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_they_are_scikit_learns(missing: float) -> None:
    logits, labels = draw(150, 6, missing=missing)
    precisions, areas, scores = [], [], []
    for label in range(6):
        truth, probs = known(logits[:, label], labels[:, label])
        precisions.append(theirs.average_precision_score(truth, probs))
        areas.append(theirs.roc_auc_score(truth, probs))
        scores.append(theirs.f1_score(truth, probs > 0.5))
    truth, probs = known(logits, labels)
    right = [
        all(label in (-100, logit > 0) for label, logit in zip(row, own, strict=True))
        for row, own in zip(labels.tolist(), logits.tolist(), strict=True)
    ]
    wanted = {
        "mean_average_precision": np.mean(precisions),
        "auroc": np.mean(areas),
        "micro_f1": theirs.f1_score(truth, probs > 0.5),
        "macro_f1": np.mean(scores),
        "subset_accuracy": np.mean(right),
        "hamming_accuracy": theirs.accuracy_score(truth, probs > 0.5),
        "nll": theirs.log_loss(truth, probs),
        "brier": theirs.brier_score_loss(truth, probs),
    }
    found = multi_label.all_metrics(logits, labels)
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, rel=1e-12)
    assert multi_label.average_precision_by_class(logits, labels) == pytest.approx(precisions)
    assert multi_label.auroc_by_class(logits, labels) == pytest.approx(areas)
    assert multi_label.f1_by_class(logits, labels) == pytest.approx(scores)
    if not missing:
        whole = labels.numpy().astype(int)
        taken = logits.numpy() > 0
        assert found["subset_accuracy"] == theirs.accuracy_score(whole, taken)
        assert found["hamming_accuracy"] == pytest.approx(1 - theirs.hamming_loss(whole, taken))
        assert found["mean_average_precision"] == pytest.approx(
            theirs.average_precision_score(whole, logits.numpy(), average="macro")
        )


def test_the_calibration_error_is_a_loop_over_bins() -> None:
    logits, labels = draw(90, 4, seed=1, missing=0.2)
    truth, probs = known(logits, labels)
    total = 0.0
    for number in range(10):
        inside = (probs > number / 10) & (probs <= (number + 1) / 10)
        if inside.any():
            total += abs(truth[inside].sum() - probs[inside].sum())
    found = multi_label.expected_calibration_error(logits, labels, num_bins=10)
    assert found == pytest.approx(total / len(truth), rel=1e-12)


def test_each_alone_is_as_all_together() -> None:
    logits, labels = draw(40, 5, seed=2, missing=0.1)
    found = multi_label.all_metrics(logits.float(), labels)
    alone = {
        "nll": multi_label.negative_log_likelihood,
        "ece": multi_label.expected_calibration_error,
        "brier": multi_label.brier_score,
    }
    for name, value in found.items():
        assert alone.get(name, getattr(multi_label, name, None))(logits.float(), labels) == value


def test_classes_without_an_image_do_not_count() -> None:
    logits, labels = draw(50, 3, seed=3)
    labels[:, 1] = 0
    two = multi_label.all_metrics(logits[:, [0, 2]], labels[:, [0, 2]])
    three = multi_label.all_metrics(logits, labels)
    for name in ("mean_average_precision", "auroc", "macro_f1"):
        assert three[name] == pytest.approx(two[name])
    labels[:] = 0
    nothing = multi_label.all_metrics(logits, labels)
    assert [name for name, value in nothing.items() if value is None] == [
        "mean_average_precision",
        "auroc",
        "micro_f1",
        "macro_f1",
    ]
    for alone in (multi_label.mean_average_precision, multi_label.micro_f1, multi_label.macro_f1):
        with pytest.raises(ValueError, match="one at least is 1"):
            alone(logits, labels)
    with pytest.raises(ValueError, match="of 0 and of 1"):
        multi_label.auroc(logits, labels)


def test_sure_and_right_costs_nothing() -> None:
    logits = torch.tensor([[torch.inf, -torch.inf], [800.0, -800.0]])
    labels = torch.tensor([[1, 0], [1, 0]])
    found = multi_label.all_metrics(logits, labels)
    assert (found["nll"], found["brier"], found["ece"], found["subset_accuracy"]) == (0, 0, 0, 1)
    assert multi_label.negative_log_likelihood(logits[1:], 1 - labels[1:]) == 800.0


@pytest.mark.parametrize(
    ("logits", "labels", "error", "words"),
    [
        (torch.zeros(2, 3), torch.zeros(2), ValueError, r"`labels` of shape \(2, 3\)"),
        (torch.zeros(2, 3), torch.full((2, 3), 0.5), ValueError, "1, 0 or -100 .*, got 0.5"),
        (torch.zeros(2, 3), torch.full((2, 3), -100), ValueError, "one at least is known"),
        (torch.zeros(2, 3), [[1]], TypeError, "tensor, got list"),
        (torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.complex64), TypeError, "real numbers"),
        (torch.zeros(2, 3, dtype=torch.int64), torch.zeros(2, 3), TypeError, "floating dtype"),
        (torch.full((2, 3), torch.nan), torch.zeros(2, 3), ValueError, "without NaN, .* 2 rows"),
    ],
)
def test_what_is_none_is_refused(
    logits: Tensor, labels: Tensor, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        multi_label.all_metrics(logits, labels)
    with pytest.raises(error, match=words):
        multi_label.check_annotations(logits, labels)
    with pytest.raises(error, match=words):
        fit_binary_temperature(logits, labels)


def test_one_temperature_is_the_best_of_a_grid() -> None:
    logits, labels = draw(200, 4, seed=4, missing=0.3)
    sure = 3.0 * logits
    found = fit_binary_temperature(sure, labels, random_labels=0.0)
    grid = np.linspace(0.5 * found, 2.0 * found, 301)
    values = [multi_label.negative_log_likelihood(sure / own, labels) for own in grid]
    assert grid[int(np.argmin(values))] == pytest.approx(found, rel=0.01)
    assert found == pytest.approx(3.0 * fit_binary_temperature(logits, labels, random_labels=0.0))
    # A label that nobody has given says nothing.
    there = labels != -100
    bce = torch.nn.functional.binary_cross_entropy_with_logits(
        sure[there] / found, labels[there].double()
    )
    assert min(values) == pytest.approx(float(bce), rel=1e-3)
