"""AURC and AUGRC as others have them: what is the same, and by what their convention differs."""

from __future__ import annotations

import importlib.util
import math
from fractions import Fraction
from itertools import pairwise, permutations
from pathlib import Path

import pytest
import torch

from tfkd.metrics import area_under_generalized_risk_coverage, area_under_risk_coverage


def draw(chance, count, classes):
    generator = torch.Generator().manual_seed(chance.randrange(1 << 32))
    logits = 2.0 * torch.randn(count, classes, generator=generator, dtype=torch.float64)
    labels = torch.randint(classes, (count,), generator=generator)
    logits[torch.arange(count), labels] += 1.5
    return logits, labels


def curves(logits, labels):
    """Risk and generalised risk at the coverages 1/N … 1, counted one by one; without ties."""
    probs = logits.softmax(1)
    order = probs.amax(1).argsort(descending=True).tolist()
    wrong = (probs.argmax(1) != labels).tolist()
    risks, shares, errors = [], [], 0
    for place, index in enumerate(order, 1):
        errors += wrong[index]
        risks.append(errors / place)
        shares.append(errors / len(order))
    return risks, shares


def trapezia(values):
    return sum((left + right) / 2 for left, right in pairwise(values))


@pytest.fixture
def torch_uncertainty():
    """Their file alone: the package around it wants Lightning."""
    found = importlib.util.find_spec("torch_uncertainty")
    if found is None or found.submodule_search_locations is None:
        pytest.skip("torch_uncertainty is not installed")
    folder = Path(next(iter(found.submodule_search_locations)))
    file = folder / "metrics" / "classification" / "risk_coverage.py"
    spec = importlib.util.spec_from_file_location("risk_coverage_of_torch_uncertainty", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("count", "classes"), [(2, 3), (17, 2), (300, 6)])
def test_torch_uncertaintys_are_the_trapezia_of_the_same_curves(
    chance, torch_uncertainty, count, classes
):
    logits, labels = draw(chance, count, classes)
    labels[0] = (logits[0].argmax() + 1) % classes  # some error
    for name, function, values in zip(
        ("AURC", "AUGRC"),
        (area_under_risk_coverage, area_under_generalized_risk_coverage),
        curves(logits, labels),
        strict=True,
    ):
        metric = getattr(torch_uncertainty, name)()
        metric.update(logits.softmax(1), labels)
        ours = function(logits, labels)
        assert ours == pytest.approx(sum(values) / count, rel=1e-12)
        theirs = (count * ours - (values[0] + values[-1]) / 2) / (count - 1)
        assert float(metric.compute()) == pytest.approx(theirs, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("count", [1, 5, 200])
def test_fd_shifts_are_the_trapezia_from_coverage_0(chance, count):
    logits, labels = draw(chance, count, 4)
    risks, shares = curves(logits, labels)
    theirs = trapezia([risks[0], *risks]) / count
    ours = area_under_risk_coverage(logits, labels)
    assert ours + (risks[0] - risks[-1]) / (2 * count) == pytest.approx(theirs, rel=1e-9)
    theirs = trapezia([0.0, *shares]) / count
    ours = area_under_generalized_risk_coverage(logits, labels)
    assert ours - shares[-1] / (2 * count) == pytest.approx(theirs, rel=1e-9, abs=1e-15)


def test_augrc_with_ties_is_the_mean_over_their_orders_and_fd_shifts_line_through_them():
    blocks, wrong = [0.9, 0.8, 0.8, 0.8, 0.6, 0.6], [0, 1, 0, 1, 0, 1]
    logits = torch.tensor([[b, 1 - b] for b in blocks], dtype=torch.float64).log()
    found = area_under_generalized_risk_coverage(logits, torch.tensor(wrong))
    values = []
    for order in permutations(range(6)):
        if all(blocks[i] >= blocks[j] for i, j in pairwise(order)):
            errors = [sum(wrong[i] for i in order[:n]) for n in range(1, 7)]
            values.append(Fraction(sum(errors), 36))
    assert len(set(values)) > 1
    assert found == pytest.approx(float(sum(values) / len(values)), abs=1e-15)
    # Points at coverages 0, 1/6, 4/6 and 1 alone, with 0, 0, 2 and 3 errors.
    line = (1 * (0 + 0) + 3 * (0 + 2) + 2 * (2 + 3)) / 2 / 36
    assert found - 3 / 6 / 12 == pytest.approx(line, abs=1e-15)


def test_at_this_error_rate_no_order_is_better_than_the_best(chance):
    """Which is about e + (1 − e)·log(1 − e): e-AURC is what is above it."""
    logits, labels = draw(chance, 5000, 5)
    wrong = (logits.argmax(1) != labels).double()
    best = area_under_risk_coverage(logits, labels, confidence=-wrong)
    e = float(wrong.mean())
    assert best == pytest.approx(e + (1 - e) * math.log(1 - e), abs=1e-3)
    assert area_under_risk_coverage(logits, labels) > best
    lowest = area_under_generalized_risk_coverage(logits, labels, confidence=-wrong)
    assert lowest == pytest.approx(e**2 / 2, abs=1e-3)
