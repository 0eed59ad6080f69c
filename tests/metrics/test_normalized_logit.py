"""The largest logit over its norm, against the formula in plain numbers."""

from __future__ import annotations

import math

import pytest
import torch

from tfkd.metrics import (
    area_under_generalized_risk_coverage,
    area_under_risk_coverage,
    choose_norm,
    normalized_max_logit,
)


def draw(chance, count, classes):
    generator = torch.Generator().manual_seed(chance.randrange(1 << 32))
    logits = 2.0 * torch.randn(count, classes, generator=generator, dtype=torch.float64)
    labels = torch.randint(classes, (count,), generator=generator)
    logits[torch.arange(count), labels] += 2.0
    return logits, labels


def by_hand(row, norm):
    mean = sum(row) / len(row)
    over = [value - mean for value in row]
    if norm == 0:
        return max(over)
    return max(over) / sum(abs(value) ** norm for value in over) ** (1 / norm)


@pytest.mark.parametrize("norm", [0, 0.5, 1, 2, 3.5, 9])
def test_it_is_the_formula(chance, norm):
    logits, _ = draw(chance, 30, 5)
    expected = [by_hand(row, norm) for row in logits.tolist()]
    assert normalized_max_logit(logits, norm).tolist() == pytest.approx(expected, rel=1e-12)
    # A shift is no difference, nor a scale but where nothing is divided by.
    scale = 1.0 if norm == 0 else 1e30
    moved = normalized_max_logit(scale * (logits + 3.0), norm)
    assert moved.tolist() == pytest.approx(expected, rel=1e-9)


def test_masked_classes_are_as_if_absent_and_equal_logits_say_nothing(chance):
    logits, _ = draw(chance, 20, 4)
    masked = torch.cat([logits, torch.full((20, 2), -math.inf)], 1)
    assert torch.equal(normalized_max_logit(masked, 3), normalized_max_logit(logits, 3))
    for norm in (0, 2):
        assert normalized_max_logit(torch.full((2, 3), 7.0), norm).tolist() == [0.0, 0.0]
    orders = torch.rand(20, 4, generator=torch.Generator().manual_seed(0)).argsort(1)
    assert torch.equal(
        normalized_max_logit(logits.gather(1, orders), 2), normalized_max_logit(logits, 2)
    )


def test_aurc_by_another_confidence(chance):
    logits, labels = draw(chance, 50, 4)
    for area in (area_under_risk_coverage, area_under_generalized_risk_coverage):
        own = area(logits, labels)
        largest = logits.softmax(1).amax(1)
        assert area(logits, labels, confidence=largest) == pytest.approx(own)
        assert area(logits, labels, confidence=1e6 * largest - 7.0) == pytest.approx(own)
        assert area(logits, labels, confidence=-largest) > own
        with pytest.raises(ValueError, match="`confidence` without NaN"):
            area(logits, labels, confidence=largest * math.nan)
        with pytest.raises(ValueError, match=r"`confidence` of shape \(50,\)"):
            area(logits, labels, confidence=largest[:3])
        with pytest.raises(TypeError, match="`confidence` of a floating dtype"):
            area(logits, labels, confidence=labels)


def test_the_norm_is_the_best_of_all_on_these_samples(chance):
    seen = set()
    for classes in (2, 5, 9):
        logits, labels = draw(chance, 120, classes)
        own = area_under_risk_coverage(logits, labels)
        areas = [
            area_under_risk_coverage(logits, labels, confidence=normalized_max_logit(logits, p))
            for p in range(10)
        ]
        chosen = choose_norm(logits, labels)
        seen.add(chosen)
        if chosen is None:
            assert own <= min(areas)
        else:
            assert areas[chosen] == min(areas) < own
    assert len(seen) > 1


def test_where_the_norm_tells_what_the_probability_hides():
    """Sure by the same probability, and wrong where a second class is near."""
    sure = torch.tensor([[0.8, 0.1, 0.05, 0.05]]).log().repeat(30, 1)
    torn = torch.tensor([[0.81, 0.1899, 0.00005, 0.00005]]).log().repeat(10, 1)
    logits, labels = torch.cat([sure, torn]), torch.tensor([0] * 30 + [1] * 10)
    norm = choose_norm(logits, labels)
    assert norm is not None
    before = area_under_risk_coverage(logits, labels)
    after = area_under_risk_coverage(logits, labels, confidence=normalized_max_logit(logits, norm))
    assert after < 0.2 * before


def test_what_is_no_norm_is_refused():
    for norm in (-1, math.nan, math.inf):
        with pytest.raises(ValueError, match="`norm` of at least 0"):
            normalized_max_logit(torch.zeros(2, 3), norm)
    with pytest.raises(ValueError, match="`logits` without NaN"):
        normalized_max_logit(torch.full((2, 3), math.nan), 2)


@pytest.mark.parametrize("norm", [1e-300, 1e-8, 0.04])
def test_a_norm_beside_which_every_row_is_0_is_refused(norm):
    with pytest.raises(ValueError, match=r"Expected `norm` 0 or at least 0\.05"):
        normalized_max_logit(torch.randn(4, 10), norm)


def test_the_smallest_norm_tells_thousand_classes_apart():
    logits = torch.randn(50, 1000, generator=torch.Generator().manual_seed(0))
    found = normalized_max_logit(logits, 0.05)
    assert len(found.unique()) == 50
    assert (found > 0.0).all()
