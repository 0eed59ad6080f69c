"""The arrays behind the figures, held against the metrics they must add up to."""

import numpy as np
import pytest
import torch

from tfkd import metrics
from tfkd.report.predictions import (
    BINS,
    COVERAGES,
    TEMPERATURES,
    WORTH_THREADS,
    reduce_logits,
)


def sample(count, classes, *, seed=0, decimals=None):
    generator = torch.Generator().manual_seed(seed)
    logits = 2.0 * torch.randn(count, classes, generator=generator)
    if decimals is not None:  # many equal confidences
        logits = logits.round(decimals=decimals)
    labels = torch.where(
        torch.rand(count, generator=generator) < 0.6,
        logits.argmax(dim=1),
        torch.randint(classes, (count,), generator=generator),
    )
    return logits, labels


def test_bins_add_up_to_the_calibration_error():
    logits, labels = sample(5000, 10)
    found = reduce_logits(logits, labels)
    ece = np.abs(found.bins.correct - found.bins.confidence).sum() / found.bins.images.sum()
    assert ece == pytest.approx(metrics.expected_calibration_error(logits, labels, num_bins=BINS))


@pytest.mark.parametrize("decimals", [None, 0])
def test_risks_add_up_to_the_area(decimals):
    # With as many samples as coverages the curve has every point that the area is the mean of.
    logits, labels = sample(COVERAGES, 3, decimals=decimals)
    risk = reduce_logits(logits, labels).risk
    assert risk.mean() == pytest.approx(metrics.area_under_risk_coverage(logits, labels))
    assert risk[-1] == pytest.approx(1.0 - metrics.accuracy(logits, labels))


def test_risks_of_the_same_logits_in_another_order_are_equal():
    predicted = torch.arange(1000) % 5
    logits = 6.81 * torch.nn.functional.one_hot(predicted, 5).float()
    labels = torch.where(predicted < 2, predicted + 1, predicted)
    assert reduce_logits(logits, labels).risk == pytest.approx(np.full(COVERAGES, 0.4))


def test_classes_add_up_to_the_accuracy_and_an_absent_class_has_none():
    logits, labels = sample(9000, 5)
    labels[labels == 3] = 2
    found = reduce_logits(logits, labels).class_accuracy
    assert np.isnan(found[3])
    share = np.bincount(labels, minlength=5) / len(labels)
    assert np.nansum(found * share) == pytest.approx(metrics.accuracy(logits, labels))


def test_outputs_flatten_towards_uniform():
    logits, labels = sample(9000, 6)
    flattened = reduce_logits(logits, labels, temperatures=TEMPERATURES).flattened
    for temperature, probabilities in flattened.items():
        expected = torch.softmax(logits.double() / temperature, dim=1).sort(descending=True).values
        assert probabilities == pytest.approx(expected.mean(dim=0).numpy())
    assert flattened[40.0] == pytest.approx(np.full(6, 1 / 6), abs=0.03)


def test_few_logits_leave_the_threads_as_they_were_and_many_give_the_same():
    logits, labels = sample(600, 10)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        alone = reduce_logits(logits, labels, temperatures=TEMPERATURES[:1])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    copies = WORTH_THREADS // logits.numel() + 1
    many = reduce_logits(
        logits.repeat(copies, 1), labels.repeat(copies), temperatures=TEMPERATURES[:1]
    )
    for ours, theirs in zip(many.bins, alone.bins, strict=True):
        assert ours == pytest.approx(copies * theirs)
    assert many.class_accuracy == pytest.approx(alone.class_accuracy)
    for temperature in TEMPERATURES[:1]:
        assert many.flattened[temperature] == pytest.approx(alone.flattened[temperature])
