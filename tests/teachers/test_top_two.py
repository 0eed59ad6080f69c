"""The teacher that names two classes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import tfkd

TEACHER = tfkd.TopTwoTeacher(tfkd.NetworkTeacher(nn.Identity()))


def ask(rows, labels=None):
    logits = torch.tensor(rows)
    labels = torch.zeros(len(logits), dtype=torch.int64) if labels is None else labels
    return TEACHER(tfkd.Batch(logits, labels, logits)).logits.softmax(-1).tolist()


def test_the_two_largest_have_one_half_each():
    assert ask([[0.1, 3.0, -2.0, 0.5], [9.0, 1.0, 2.0, 3.0]]) == [
        [0, 0.5, 0, 0.5],
        [0.5, 0, 0, 0.5],
    ]
    assert ask([[1.0, 0.0]]) == [[0.5, 0.5]]


def test_of_equal_logits_the_first_are_taken():
    assert ask([[1.0, 1.0, 1.0, 1.0], [0.0, 2.0, 1.0, 1.0]]) == [[0.5, 0.5, 0, 0], [0, 0.5, 0.5, 0]]


def test_a_certain_teacher_names_one():
    assert ask([[-math.inf, -math.inf, 0.0, -math.inf]]) == [[0, 0, 1, 0]]


@pytest.mark.parametrize("tau", [1.0, 7.0])
def test_the_loss_is_the_mean_of_two_cross_entropies(tau):
    z = torch.tensor([[1.0, 2.0, 0.5, -1.0]], dtype=torch.float64, requires_grad=True)
    t = torch.tensor([[0.1, 3.0, -2.0, 0.5]], dtype=torch.float64)
    criterion = tfkd.DistillationLoss(TEACHER, alpha=1.0, temperature=tau)
    loss = criterion(z, torch.tensor([2]), t)
    both = [nn.functional.cross_entropy(z / tau, torch.tensor([k])) for k in (1, 3)]
    expected = tau**2 * (sum(both) / 2 - math.log(2.0))
    torch.testing.assert_close(loss, expected)
    ours, theirs = (torch.autograd.grad(x, z)[0] for x in (loss, expected))
    torch.testing.assert_close(ours, theirs)


def test_classes_of_dense_outputs_lie_in_dimension_1():
    dense = torch.tensor([[0.1, 3.0, -2.0, 0.5], [9.0, 1.0, 2.0, 3.0]]).T.unsqueeze(0)
    said = TEACHER(tfkd.Batch(dense, torch.zeros(1, 2, dtype=torch.int64), dense)).logits
    assert said.softmax(1)[0].T.tolist() == [[0, 0.5, 0, 0.5], [0.5, 0, 0, 0.5]]


@pytest.mark.parametrize("teacher", [tfkd.UniformTeacher(), tfkd.VirtualTeacher()])
def test_a_gap_has_no_second_class(teacher):
    criterion = tfkd.DistillationLoss(tfkd.TopTwoTeacher(teacher), alpha=0.5)
    with pytest.raises(TypeError, match=f"got a gap from {type(teacher).__name__}"):
        criterion(torch.zeros(2, 3), torch.tensor([0, 1]))
