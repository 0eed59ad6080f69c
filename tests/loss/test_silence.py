"""A teacher that stops to be heard: the label term goes on as it was computed, not as torch's."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import tfkd
from tfkd.loss.schedules import Until

Y = torch.tensor([0, 2])
Z = torch.tensor([[9.0, 1.0, -3.0], [0.5, 1.0, 0.0]])


class Silenced(tfkd.Teacher):
    """Says nothing after the first epoch."""

    silent = False

    def forward(self, batch):
        return 1.0

    @property
    def is_silent(self):
        return self.silent

    def epoch_ended(self):
        self.silent = True


def by_schedule(**options):
    alpha = Until(value=0.5, epochs=1)
    return tfkd.DistillationLoss(
        tfkd.UniformTeacher(), alpha=alpha, samples_per_epoch="told", **options
    )


def by_teacher(**options):
    teacher = tfkd.TemperedTeacher(Silenced(), 2.0)
    return tfkd.DistillationLoss(teacher, alpha=0.5, samples_per_epoch="told", **options)


@pytest.fixture(params=[by_schedule, by_teacher], ids=["schedule", "teacher"])
def falls_silent(request):
    return request.param


def ended(criterion):
    criterion.epoch_ended()
    return criterion


def test_half_precision_is_summed_in_float32_after_the_switch(falls_silent):
    logits = torch.zeros(40000, 10, dtype=torch.float16)
    loss = ended(falls_silent(reduction="sum"))(logits, torch.zeros(40000, dtype=torch.int64))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(40000 * math.log(10), rel=1e-4)


def test_class_weights_of_float32_meet_half_logits_after_the_switch(falls_silent):
    weight = torch.tensor([1.0, 2.0, 3.0])
    loss = ended(falls_silent(weight=weight, scale=2.0))(Z.half(), Y)
    expected = 2.0 * nn.functional.cross_entropy(Z.half().float(), Y, weight)
    assert loss.item() == pytest.approx(expected.item())


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_a_masked_class_without_label_counts_nothing_after_the_switch(falls_silent, reduction):
    z = torch.tensor([[1.0, 0.0, -math.inf]], requires_grad=True)
    loss = ended(falls_silent(reduction=reduction))(z, torch.tensor([[0.25, 0.75, 0.0]]))
    (gradient,) = torch.autograd.grad(loss.sum(), z)
    p = torch.tensor([1.0, 0.0]).softmax(0)
    assert loss.sum().item() == pytest.approx(-(0.25 * p[0].log() + 0.75 * p[1].log()).item())
    assert gradient[0].tolist() == pytest.approx([p[0].item() - 0.25, p[1].item() - 0.75, 0.0])


def test_float32_and_class_indices_are_torchs_to_the_bit_after_the_switch(falls_silent):
    loss = ended(falls_silent())(Z, Y)
    assert torch.equal(loss, nn.functional.cross_entropy(Z, Y))


def test_a_constant_alpha_of_0_is_torchs_to_the_bit():
    criterion = tfkd.DistillationLoss(Silenced(), alpha=0.0, samples_per_epoch="told")
    for _ in range(2):
        loss = criterion(Z.half(), Y)
        assert loss.dtype == torch.float16
        assert torch.equal(loss, nn.functional.cross_entropy(Z.half(), Y))
        criterion.epoch_ended()


def test_weak_to_strong_kd_goes_on_in_half_precision():
    criterion = tfkd.weak_to_strong_kd(
        nn.Identity(), samples_per_epoch="told", weight=torch.ones(3)
    )
    z = torch.eye(3, dtype=torch.float16, requires_grad=True)
    labels = torch.arange(3)
    first = criterion(z, labels, -torch.eye(3))
    criterion.epoch_ended()
    assert criterion.teacher.is_silent
    assert criterion(z, labels, -torch.eye(3)).dtype == first.dtype == torch.float32


BAD = [math.nan, math.inf, -math.inf]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize(
    "method",
    [
        tfkd.normalized_kd,
        lambda model: tfkd.decoupled_kd(model, samples_per_epoch="told"),
        tfkd.logit_standardization_kd,
        tfkd.weighted_transformed_teacher_matching,
        tfkd.top_two_kd,
        lambda model: tfkd.knowledge_distillation(model, alpha=0.5, temperature=2.0),
        lambda model: tfkd.knowledge_distillation(model, alpha=1.0, temperature=1.0),
    ],
)
def test_what_a_teacher_says_of_an_ignored_position_reaches_neither_loss_nor_gradient(method, bad):
    criterion = method(nn.Identity())
    z = torch.tensor([[0.5, 0.0, 1.0], [1.0, 2.0, 0.0]], requires_grad=True)
    said = torch.tensor([[1.0, 0.0, 0.5], [bad] * 3])
    loss = criterion(z, torch.tensor([0, -100]), said)
    (gradient,) = torch.autograd.grad(loss, z)
    alone = z.detach()[:1].requires_grad_()
    expected = criterion(alone, torch.tensor([0]), said[:1])
    (wanted,) = torch.autograd.grad(expected, alone)
    assert loss.item() == pytest.approx(expected.item())
    assert gradient[1].tolist() == [0.0, 0.0, 0.0]
    torch.testing.assert_close(gradient[:1], wanted)


class Sharing(tfkd.Teacher):
    """Gives one answer with shares."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, batch):
        return self.answer


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("kernels", [True, False])
def test_shares_and_gaps_of_ignored_positions_are_not_looked_at(kernels, bad):
    own = torch.tensor([0.5, bad])
    criterion = tfkd.DistillationLoss(Sharing(tfkd.Answer(own, own, own)), alpha=0.5)
    z = torch.tensor([[0.5, 0.0, 1.0], [1.0, 2.0, 0.0]], requires_grad=True)

    def value_and_gradient(number, labels):
        def loss():
            return criterion(z[:number], torch.tensor(labels))

        if kernels:
            found = loss()
        else:
            with tfkd.loss.without_kernels():
                found = loss()
        return found, torch.autograd.grad(found, z)[0]

    found, gradient = value_and_gradient(2, [0, -100])
    criterion.teacher.answer = tfkd.Answer(own[:1], own[:1], own[:1])
    expected, wanted = value_and_gradient(1, [0])
    assert found.item() == pytest.approx(expected.item())
    torch.testing.assert_close(gradient, wanted)


def test_a_share_of_0_silences_a_teacher_of_nan_in_the_gradient_too():
    said = torch.tensor([[1.0, 0.0, 0.5], [math.nan] * 3])
    answer = tfkd.Answer(said, torch.tensor([1.0, 0.0]))
    z = Z.clone().requires_grad_()
    loss = tfkd.DistillationLoss(Sharing(answer), alpha=0.5)(z, Y)
    (gradient,) = torch.autograd.grad(loss, z)
    assert bool(gradient.isfinite().all())
    assert gradient[1].tolist() == pytest.approx(
        [0.25 * (p - q) for p, q in zip(Z[1].softmax(0).tolist(), [0.0, 0.0, 1.0], strict=True)]
    )


@pytest.mark.parametrize("gradient", [False, True], ids=["value", "gradient"])
def test_a_share_of_0_silences_whatever_is_said(gradient):
    said = torch.full_like(Z, math.nan)
    expected = 0.5 * torch.nn.functional.cross_entropy(Z, Y)
    for share in (0.0, torch.zeros(2)):
        leaf = Z.clone().requires_grad_(gradient)
        loss = tfkd.distillation_loss(leaf, Y, said, alpha=0.5, share=share)
        torch.testing.assert_close(loss.detach(), expected)
        if gradient:
            loss.backward()
            slope = (Z.softmax(1) - torch.nn.functional.one_hot(Y, 3)) / 4
            torch.testing.assert_close(leaf.grad, slope)


@pytest.mark.parametrize("gradient", [False, True], ids=["value", "gradient"])
@pytest.mark.parametrize("said", ["logits", "gap", "few"])
def test_a_class_of_no_weight_counts_nothing_even_where_it_is_masked(said, gradient):
    z = torch.tensor([[-math.inf, 1.0, 0.0], [2.0, 1.0, 0.0]]).requires_grad_(gradient)
    teacher = {
        "logits": torch.tensor([[-math.inf, 1.0, 2.0], [0.0, 1.0, 2.0]]),
        "gap": math.inf,
        "few": tfkd.FewLogits(torch.tensor([[1.0], [2.0]]), torch.tensor([[1], [0]])),
    }[said]
    weight, options = torch.tensor([0.0, 1.0, 1.0]), {"alpha": 0.5, "reduction": "none"}
    loss = tfkd.distillation_loss(z, torch.tensor([0, 1]), teacher, weight=weight, **options)
    assert loss[0] == 0.0
    alone = tfkd.FewLogits(*(x[1:] for x in teacher[:2])) if said == "few" else teacher
    alone = alone[1:] if said == "logits" else alone
    second = tfkd.distillation_loss(z[1:], torch.tensor([1]), alone, **options)
    torch.testing.assert_close(loss[1:], second)


def test_labels_without_mass_count_nothing_where_a_class_is_masked():
    z, q = torch.tensor([[0.0, -math.inf], [1.0, 2.0]]), torch.tensor([[0.0, 0.0], [0.5, 0.5]])
    loss = tfkd.distillation_loss(z, q, 0.0, alpha=0.5, reduction="none")
    assert loss[0] == 0.0
    p = z[1].softmax(0)
    expected = 0.5 * -(0.5 * p.log()).sum() + 0.5 * (0.5 * (0.5 / p).log()).sum()
    torch.testing.assert_close(loss[1], expected)
