"""The mean teacher: a straight loop by hand, its mode and buffers, what it looks at."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tfkd

K = 4


def network() -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Linear(3, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.0), nn.Linear(6, K)
    )
    return layers.double()


def test_three_epochs_are_those_of_a_straight_loop():
    torch.manual_seed(1)
    inputs, others, labels = torch.randn(24, 3), torch.randn(24, 3), torch.randint(K, (24,))
    inputs, others = inputs.double(), others.double()
    ours, theirs = network(), network()
    criterion = tfkd.mean_teacher(ours, decay=0.85, added=3.0, ramp_up=2, samples_per_epoch="told")
    of_ours, of_theirs = (torch.optim.SGD(net.parameters(), 0.1) for net in (ours, theirs))
    teacher, n = copy.deepcopy(theirs).eval(), 0
    for epoch in range(3):
        weight = 3.0 * torch.tensor(-5.0 * (1.0 - min(epoch / 2, 1.0)) ** 2).double().exp()
        for part in torch.arange(24).split(8):
            loss = criterion(ours(inputs[part]), labels[part], others[part])
            of_ours.zero_grad()
            loss.backward()
            of_ours.step()
            criterion.step_ended(ours)

            z = theirs(inputs[part])
            with torch.no_grad():
                t = teacher(others[part])
            kl = F.kl_div(
                z.log_softmax(1), t.log_softmax(1), reduction="batchmean", log_target=True
            )
            by_hand = F.cross_entropy(z, labels[part]) + weight * kl
            of_theirs.zero_grad()
            by_hand.backward()
            of_theirs.step()
            n += 1
            decay = min(1 - 1 / (n + 1), 0.85)
            with torch.no_grad():
                for own, new in zip(teacher.parameters(), theirs.parameters(), strict=True):
                    own.mul_(decay).add_((1 - decay) * new)
                for own, new in zip(teacher.buffers(), theirs.buffers(), strict=True):
                    own.copy_(new)
            assert loss.item() == pytest.approx(by_hand.item(), abs=1e-9)
        criterion.epoch_ended()
    for own, by_hand in ((ours, theirs), (criterion.teacher.network, teacher)):
        for name, value in by_hand.state_dict().items():
            torch.testing.assert_close(own.state_dict()[name], value, rtol=1e-7, atol=1e-9)


def test_it_stays_in_eval_mode_and_moves_nothing_when_it_answers():
    student = network()
    criterion = tfkd.DistillationLoss(tfkd.MeanTeacher(student), alpha=0.5)
    criterion.train()
    before = copy.deepcopy(criterion.state_dict())
    inputs = torch.randn(8, 3).double()
    criterion(student(inputs), torch.zeros(8, dtype=torch.int64), inputs).backward()
    assert not any(module.training for module in criterion.teacher.network.modules())
    for name, value in criterion.state_dict().items():
        assert torch.equal(value, before[name])
    criterion.step_ended(student)
    for name, value in student.named_buffers():
        assert torch.equal(criterion.state_dict()[f"teacher.network.{name}"], value)


def test_with_weights_that_do_not_change_it_is_the_student_and_gives_no_gradient():
    """A teacher equal to the student gives zero gradient."""
    student = network().eval()
    criterion = tfkd.DistillationLoss(tfkd.MeanTeacher(student), alpha=1.0)
    inputs, labels = torch.randn(8, 3).double(), torch.randint(K, (8,))
    for _ in range(2):
        loss = criterion(student(inputs), labels, inputs)
        (gradient,) = torch.autograd.grad(loss, student[0].weight)
        assert loss.item() == pytest.approx(0.0, abs=1e-15)
        assert gradient.abs().max() < 1e-15
        criterion.step_ended(student)


def test_the_ramp_and_its_range():
    student = network()
    criterion = tfkd.mean_teacher(student, added=4.0, ramp_up=4.0, samples_per_epoch=16, scale=2.0)
    weights = []
    for _ in range(6):
        weights.append(criterion.alpha / (1.0 - criterion.alpha))
        assert criterion.scale == pytest.approx(2.0 * (1.0 + weights[-1]))
        criterion.epoch_ended()
    expected = [4.0 * 2.718281828459045 ** (-5.0 * (1.0 - e / 4) ** 2) for e in range(4)]
    assert weights == pytest.approx([*expected, 4.0, 4.0])
    for number in (0, 2.5):
        with pytest.raises(ValueError, match="`ramp_up` to be a whole number of at least 1"):
            tfkd.mean_teacher(student, ramp_up=number, samples_per_epoch=16)
    with pytest.raises(ValueError, match="`added` of at least 0"):
        tfkd.mean_teacher(student, added=-1.0, samples_per_epoch=16)
