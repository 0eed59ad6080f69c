"""Several teachers as one."""

from __future__ import annotations

import math
from typing import final

import pytest
import torch
from torch import nn

import tfkd
from tfkd.teachers.base import is_plain

K = 4
Z = torch.zeros(3, K, dtype=torch.float64)
LABELS = torch.tensor([0, 3, 1])


@final
class Fixed(tfkd.Teacher):
    """Answers what it was given, and notes what it is told."""

    def __init__(self, answer, silent=False):
        super().__init__()
        self.answer, self.silent, self.told = answer, silent, []

    def forward(self, batch):
        assert not self.silent
        return self.answer

    @property
    def is_silent(self):
        return self.silent

    def observe(self, batch):
        self.told.append("observe")

    def step_ended(self, student):
        self.told.append("step")

    def epoch_ended(self):
        self.told.append("epoch")


def logits(seed):
    generator = torch.Generator().manual_seed(seed)
    return 2.0 * torch.randn(3, K, generator=generator, dtype=torch.float64)


def ask(teachers, average="probabilities", labels=LABELS, **options):
    return tfkd.EnsembleTeacher(teachers, average)(tfkd.Batch(Z, labels, **options))


@pytest.mark.parametrize("tau", [1.0, 4.0, torch.tensor(4.0, dtype=torch.float64)])
def test_probabilities_are_averaged_at_the_temperature_of_the_loss(tau):
    first, second = logits(0), logits(1)
    said = ask([Fixed(first), Fixed(second)], temperature=tau)
    expected = ((first / tau).softmax(1) + (second / tau).softmax(1)) / 2
    torch.testing.assert_close((said.logits / tau).softmax(1), expected)
    assert is_plain(said)


def test_logits_are_averaged():
    first, second = logits(0), logits(1)
    said = ask([Fixed(first), Fixed(second)], "logits", temperature=4.0)
    torch.testing.assert_close(said.logits, (first + second) / 2)


@pytest.mark.parametrize("average", ["probabilities", "logits"])
@pytest.mark.parametrize("tau", [1.0, 5.0])
def test_gaps_are_averaged_as_logits(average, tau):
    by_sample = torch.tensor([0.0, 2.0, -1.0], dtype=torch.float64)
    hot = nn.functional.one_hot(LABELS, K).double()
    one = ask([Fixed(3.0), Fixed(by_sample), Fixed(logits(0))], average, temperature=tau)
    as_logits = [Fixed(3.0 * hot), Fixed(by_sample.unsqueeze(1) * hot), Fixed(logits(0))]
    other = ask(as_logits, average, temperature=tau)
    ours, theirs = ((said.logits / tau).softmax(1) for said in (one, other))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("tau", [1.0, 5.0])
def test_of_mixed_labels_a_gap_is_the_mixture(tau):
    q = torch.tensor([[0.25, 0.75, 0.0, 0.0]] * 3, dtype=torch.float64)
    teacher = tfkd.VirtualTeacher(0.9)
    student = logits(3)
    options = {"alpha": 1.0, "temperature": tau}
    alone = tfkd.DistillationLoss(teacher, **options)(student, q)
    together = tfkd.DistillationLoss(tfkd.EnsembleTeacher([teacher, teacher]), **options)
    assert together(student, q).item() == pytest.approx(alone.item(), rel=1e-12)


def test_what_a_teacher_masks_the_others_may_still_give():
    first = logits(0)
    first[:, 1] = -math.inf
    said = ask([Fixed(first), Fixed(logits(1))]).logits.softmax(1)
    torch.testing.assert_close(said, (first.softmax(1) + logits(1).softmax(1)) / 2)
    both = ask([Fixed(first), Fixed(first)])
    assert (both.logits[:, 1] == -math.inf).all()
    assert both.logits[:, [0, 2, 3]].isfinite().all()
    assert (ask([Fixed(first), Fixed(logits(1))], "logits").logits[:, 1] == -math.inf).all()


def test_certain_teachers_that_disagree_are_one_half_each():
    said = ask([Fixed(math.inf), Fixed(torch.eye(K)[[1, 1, 1]].double().log())])
    assert said.logits.softmax(1)[0].tolist() == [0.5, 0.5, 0.0, 0.0]


@pytest.mark.parametrize("average", ["probabilities", "logits"])
def test_a_louder_teacher_counts_more_and_the_mean_of_losses_stays_that_of_probabilities(average):
    shares = torch.tensor([0.0, 1.0, 3.0], dtype=torch.float64)
    loud = Fixed(tfkd.Answer(logits(0), shares, 2.0))
    quiet = Fixed(tfkd.Answer(logits(1), 0.5))
    options = {"alpha": 0.5, "temperature": 2.0, "reduction": "none", "samples_per_epoch": "told"}
    differences, gradients = [], []
    for seed in (5, 6):
        z = logits(seed).requires_grad_()
        together = tfkd.DistillationLoss(tfkd.EnsembleTeacher([loud, quiet], average), **options)
        each = [tfkd.DistillationLoss(t, **options)(z, LABELS) for t in (loud, quiet)]
        difference = together(z, LABELS) - torch.stack(each).mean(0)
        differences.append(difference.detach())
        gradients.append(torch.autograd.grad(difference.sum(), z)[0].abs().max().item())
    constant = (differences[0] - differences[1]).abs().max().item()
    if average == "probabilities":
        assert max(constant, *gradients) < 1e-12
    else:
        assert min(constant, *gradients) > 1e-3


def test_teachers_that_say_nothing_of_a_sample_are_silent_together():
    nothing = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    said = ask([Fixed(tfkd.Answer(logits(0), nothing)), Fixed(tfkd.Answer(logits(1), 0.0))])
    assert said.share.tolist() == [0.0, 0.5, 0.0]
    assert said.logits.isfinite().all()
    torch.testing.assert_close(said.logits[1].softmax(0), logits(0)[1].softmax(0))


def test_silent_teachers_are_left_out_and_not_asked():
    ensemble = tfkd.EnsembleTeacher([Fixed(logits(0)), Fixed(None, silent=True)])
    assert not ensemble.is_silent
    said = ensemble(tfkd.Batch(Z, LABELS)).logits
    torch.testing.assert_close(said.softmax(1), logits(0).softmax(1))
    assert tfkd.EnsembleTeacher([Fixed(None, silent=True)]).is_silent


def test_hooks_are_passed_on_once_to_each():
    twice, once = Fixed(1.0), Fixed(2.0)
    criterion = tfkd.DistillationLoss(
        tfkd.EnsembleTeacher([twice, once, twice]), alpha=0.5, samples_per_epoch="told"
    )
    criterion(Z.clone().requires_grad_(), LABELS)
    criterion.step_ended(nn.Linear(1, 1))
    criterion.epoch_ended()
    assert twice.told == once.told == ["observe", "step", "epoch"]
    assert len(criterion.teacher.teachers) == 3


def test_who_counts_epochs_within_asks_for_them():
    inner = tfkd.UntilPassedTeacher(tfkd.UniformTeacher())
    with pytest.raises(ValueError, match="`samples_per_epoch`, since EnsembleTeacher counts epoch"):
        tfkd.DistillationLoss(tfkd.EnsembleTeacher([inner]), alpha=0.5)


def test_errors_say_what_was_expected():
    with pytest.raises(ValueError, match="at least one of `teachers`, got none"):
        tfkd.EnsembleTeacher([])
    with pytest.raises(TypeError, match=r"`teachers` to be tfkd\.Teachers, got Linear\. Wrap"):
        tfkd.EnsembleTeacher([nn.Linear(1, 1)])
    with pytest.raises(ValueError, match="`average` to be one of probabilities, logits"):
        tfkd.EnsembleTeacher([Fixed(1.0)], "weights")
    with pytest.raises(ValueError, match=r"\(3, 4\), got \(3, 5\): do teacher and student have"):
        ask([Fixed(logits(0)), Fixed(torch.zeros(3, 5))])


def test_networks_move_with_the_ensemble():
    network = tfkd.NetworkTeacher(nn.Linear(2, K))
    ensemble = tfkd.EnsembleTeacher([network, tfkd.UniformTeacher()]).double()
    assert network.model.weight.dtype == torch.float64
    assert not list(ensemble.parameters())
    assert not ensemble.state_dict()


@pytest.mark.parametrize("average", ["probabilities", "logits"])
@pytest.mark.parametrize("confidence", [0.9, 1.0])
def test_of_a_sample_without_any_label_a_gap_says_nothing(average, confidence):
    labels = torch.eye(3, K, dtype=torch.float64)
    labels[1] = 0.0
    said = ask([tfkd.VirtualTeacher(confidence)] * 2, average, labels=labels)
    assert said.logits.softmax(1)[1].tolist() == pytest.approx([1 / K] * K)
    teacher = tfkd.EnsembleTeacher([tfkd.VirtualTeacher(confidence)] * 2, average)
    for wrapped in (teacher, tfkd.TemperedTeacher(teacher, 2.0, weighted=True)):
        z = Z.clone().requires_grad_()
        loss = tfkd.DistillationLoss(wrapped, alpha=0.5, temperature=2.0)(z, labels)
        (gradient,) = torch.autograd.grad(loss, z)
        assert bool(loss.isfinite())
        assert bool(gradient.isfinite().all())
