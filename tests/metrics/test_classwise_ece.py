"""Class-wise ECE against a loop over classes, bins and samples."""

from __future__ import annotations

import pytest
import torch

from tfkd.metrics import calibration_error_by_class, classwise_calibration_error


def by_loop(probs, labels, num_bins):
    errors = []
    for k in range(len(probs[0])):
        total = 0.0
        for upper in range(1, num_bins + 1):
            low, high = (upper - 1) / num_bins, upper / num_bins
            inside = [
                i
                for i, row in enumerate(probs)
                if low < row[k] <= high or (row[k] == 0.0 and upper == 1)
            ]
            share = sum(labels[i] == k for i in inside)
            total += abs(share - sum(probs[i][k] for i in inside)) / len(probs)
        errors.append(total)
    return errors


@pytest.mark.parametrize(("num_classes", "num_bins"), [(2, 15), (5, 1), (7, 10)])
def test_it_is_the_loop_over_classes_and_bins(chance, num_classes, num_bins):
    generator = torch.Generator().manual_seed(chance.randrange(1 << 32))
    logits = 2.0 * torch.randn(90, num_classes, generator=generator, dtype=torch.float64)
    labels = torch.randint(num_classes, (90,), generator=generator)
    expected = by_loop(logits.softmax(1).tolist(), labels.tolist(), num_bins)
    found = calibration_error_by_class(logits, labels, num_bins=num_bins)
    assert found == pytest.approx(expected, abs=1e-12)
    mean = classwise_calibration_error(logits, labels, num_bins=num_bins)
    assert mean == pytest.approx(sum(expected) / num_classes, abs=1e-12)


def test_what_is_no_logits_is_refused():
    with pytest.raises(ValueError, match="`labels` in"):
        classwise_calibration_error(torch.zeros(2, 3), torch.tensor([0, 3]))
    with pytest.raises(ValueError, match="`num_bins` of at least 1"):
        classwise_calibration_error(torch.zeros(2, 3), torch.tensor([0, 2]), num_bins=0)
