"""Draws are the teacher's softmax on average, exactly, and the same whatever the batch."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from fractions import Fraction

import pytest
import torch

import tfkd
from tfkd.teachers.cache.sampling import Sampling, counted, drawn, mixed, uniforms

PROBABILITIES = [Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)]
LOGITS = torch.tensor([[math.log(p) for p in PROBABILITIES]], dtype=torch.float64)
SIXTHS = [(i + 0.5) / 6 for i in range(6)]


def every_outcome(draws: int, temperature: float) -> torch.Tensor:
    """Counts by class of all equally likely uniform numbers, `(6^draws, 3)`."""
    chance = torch.tensor(list(itertools.product(SIXTHS, repeat=draws)), dtype=torch.float64)
    rows = (LOGITS * temperature).expand(len(chance), 3)
    classes, counts = counted(rows, chance, temperature)
    return torch.zeros_like(rows).scatter(1, classes, counts.double())


@pytest.mark.parametrize("draws", [1, 2, 3])
def test_counts_follow_the_multinomial_law_exactly(draws: int) -> None:
    found = Counter(tuple(int(n) for n in row) for row in every_outcome(draws, 4.0))
    for counts in itertools.product(range(draws + 1), repeat=3):
        if sum(counts) == draws:
            ways = math.factorial(draws)
            share = Fraction(1)
            for p, n in zip(PROBABILITIES, counts, strict=True):
                ways //= math.factorial(n)
                share *= p**n
            assert Fraction(found.pop(counts, 0), 6**draws) == ways * share
    assert not found


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_gradient_is_that_of_the_softmax_on_average(temperature: float) -> None:
    """Over all outcomes of two draws, each as often as it is likely."""
    outcomes = every_outcome(2, temperature)
    z = torch.tensor([[0.3, -1.0, 2.0]], dtype=torch.float64)

    def gradient(rows: torch.Tensor, said: torch.Tensor | tfkd.FewLogits) -> torch.Tensor:
        leaf = rows.clone().requires_grad_()
        labels = torch.ones(len(rows), dtype=torch.int64)
        loss = tfkd.distillation_loss(leaf, labels, said, alpha=0.7, temperature=temperature)
        return torch.autograd.grad(loss, leaf)[0]

    classes = torch.arange(3).expand(len(outcomes), 3)
    few = tfkd.FewLogits(outcomes.log() * temperature, classes)
    average = gradient(z.expand(len(outcomes), 3), few).sum(0, keepdim=True)
    exact = gradient(z, LOGITS * temperature)
    torch.testing.assert_close(average, exact, rtol=1e-12, atol=1e-12)


def test_keys_are_mixed_as_published() -> None:
    state, first = 1234567, []
    for _ in range(3):
        first.append(int(mixed(torch.tensor(state))) % 2**64)
        state = (state + 0x9E3779B97F4A7C15 + 2**63) % 2**64 - 2**63  # as 64 bits with a sign
    # SplitMix64 of the seed 1234567.
    assert first == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_uniform_numbers_fill_the_interval_evenly() -> None:
    numbers = uniforms(torch.arange(4000), 0, 2, draws=5, seed=0)
    assert numbers.shape == (8000, 5)
    assert 0.0 <= numbers.min() <= numbers.max() < 1.0
    cells = (numbers[:, 0] * 8).long() * 8 + (numbers[:, 1] * 8).long()  # neighbours, too
    expected = 8000 / 64
    chi_square = ((cells.bincount(minlength=64) - expected) ** 2 / expected).sum().item()
    assert chi_square < 110.0  # 1 in 10,000 is above 116, of 63 degrees of freedom
    for other in (
        uniforms(torch.arange(4000), 1, 2, draws=5, seed=0),
        uniforms(torch.arange(4000), 0, 2, draws=5, seed=1),
    ):
        assert not (other == numbers).any()


def test_draws_do_not_depend_on_the_batch() -> None:
    logits = 2 * torch.randn(9, 6, 2, 3, generator=torch.Generator().manual_seed(0))
    indices, sampling = torch.arange(9) * 1000, Sampling(2.0, seed=5)
    classes, counts = drawn(logits, indices, 1, draws=4, sampling=sampling)
    assert classes.shape == counts.shape == (9, 4, 2, 3)
    assert (counts.sum(1) == 4).all()
    order = torch.tensor([7, 2, 3])
    some = drawn(logits[order], indices[order], 1, draws=4, sampling=sampling)
    assert some[0].equal(classes[order])
    assert some[1].equal(counts[order])
    for changed in (
        drawn(logits, indices, 0, draws=4, sampling=sampling),
        drawn(logits, indices, 1, draws=4, sampling=Sampling(2.0, seed=6)),
        drawn(logits, indices + 1, 1, draws=4, sampling=sampling),
    ):
        assert not changed[0].equal(classes)


def test_what_is_masked_is_never_drawn_and_every_class_is_named_once() -> None:
    rows = torch.tensor([[-math.inf, 0.0, 0.0, -math.inf]]).expand(2, 4)
    chance = torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.0], [1.0 - 2.0**-53] * 5])
    classes, counts = counted(rows, chance.double(), 1.0)
    assert classes.tolist() == [[1, 0, 2, 3], [2, 0, 1, 3]]
    assert counts.tolist() == [[5, 0, 0, 0], [5, 0, 0, 0]]


def test_a_seed_or_temperature_that_is_none_is_refused() -> None:
    for values, message in (((0.0,), "temperature"), ((1.0, -1), "seed"), ((1.0, 2**63), "seed")):
        with pytest.raises(ValueError, match=message):
            Sampling(*values)
