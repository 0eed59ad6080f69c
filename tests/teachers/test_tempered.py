"""A teacher softened alone."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import tfkd
from tfkd.teachers.base import is_plain

LOGITS = torch.tensor([[2.0, 0.0, -1.0, 0.5], [0.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
LABELS = torch.tensor([0, 3])


def ask(teacher, logits=LOGITS, labels=LABELS, **options):
    return teacher(tfkd.Batch(torch.zeros_like(logits), labels, inputs=logits, **options))


def network():
    return tfkd.NetworkTeacher(nn.Identity())


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_its_probabilities_are_powers(temperature):
    said = ask(tfkd.TemperedTeacher(network(), temperature))
    powers = LOGITS.softmax(1) ** (1.0 / temperature)
    torch.testing.assert_close(said.logits.softmax(1), powers / powers.sum(1, keepdim=True))
    assert is_plain(said)
    weighed = ask(tfkd.TemperedTeacher(network(), temperature, weighted=True))
    torch.testing.assert_close(weighed.share, powers.sum(1))


@pytest.mark.parametrize("teacher", [tfkd.UniformTeacher(), tfkd.VirtualTeacher(0.9)])
def test_a_gap_is_tempered_as_the_logits_that_it_stands_for(teacher):
    gap = teacher.gap(4)
    logits = gap * nn.functional.one_hot(LABELS, 4).double()
    dense = ask(tfkd.TemperedTeacher(network(), 3.0, weighted=True), logits)
    ours = ask(tfkd.TemperedTeacher(teacher, 3.0, weighted=True))
    assert ours.logits == gap / 3.0
    torch.testing.assert_close(ours.share.expand(2), dense.share)
    plain = tfkd.TemperedTeacher(teacher, 3.0)
    assert plain.gap(4) == ask(plain).logits == gap / 3.0
    assert tfkd.TemperedTeacher(teacher, 3.0, weighted=True).gap(4) is None
    assert tfkd.TemperedTeacher(network(), 3.0).gap(4) is None


def test_a_certain_teacher_stays_certain_and_weighs_1():
    teacher = tfkd.TemperedTeacher(tfkd.VirtualTeacher(1.0), 3.0, weighted=True)
    assert ask(teacher).logits == math.inf
    assert ask(teacher).share.item() == 1.0
    masked = torch.tensor([[0.0, -math.inf, -math.inf, -math.inf]])
    dense = tfkd.TemperedTeacher(network(), 3.0, weighted=True)
    assert ask(dense, masked, LABELS[:1]).share.tolist() == [1.0]


def test_half_precision_does_not_overflow():
    logits = torch.tensor([[60000.0, 0.0]], dtype=torch.float16)
    said = ask(tfkd.TemperedTeacher(network(), 0.5), logits, LABELS[:1]).logits
    assert said.tolist() == [[120000.0, 0.0]]


def test_shares_of_another_teacher_stay():
    inner = tfkd.TemperedTeacher(network(), 2.0, weighted=True)
    outer = ask(tfkd.TemperedTeacher(inner, 3.0))
    torch.testing.assert_close(outer.share, ask(inner).share)
    torch.testing.assert_close(outer.logits, LOGITS / 6.0)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.inf])
def test_its_temperature_is_positive(temperature):
    with pytest.raises(ValueError, match="`temperature` to be positive"):
        tfkd.TemperedTeacher(network(), temperature)
