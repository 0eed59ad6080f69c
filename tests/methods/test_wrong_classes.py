"""DKD, NKD and Zipf's label smoothing are the equations of their sources."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from published_batch import T, Y, Z, kl, softmax
from torch import nn

import tfkd


def without(row, y):
    return [x for k, x in enumerate(row) if k != y]


def cross_entropy(z, y):
    return -math.log(softmax(z)[y])


def dkd(z, t, y, *, tau, target, non_target):
    p, soft = softmax(z, tau), softmax(t, tau)
    binary = kl([soft[y], 1.0 - soft[y]], [p[y], 1.0 - p[y]])
    among = kl(softmax(without(t, y), tau), softmax(without(z, y), tau))
    return tau**2 * (target * binary + non_target * among)


def nkd(z, t, y, *, tau, gamma):
    """With the cross-entropy among the wrong classes, as the source has it."""
    hat_t, hat_p = softmax(without(t, y), tau), softmax(without(z, y), tau)
    among = -sum(a * math.log(b) for a, b in zip(hat_t, hat_p, strict=True))
    return softmax(t)[y] * cross_entropy(z, y) + gamma * tau**2 * among


def nkd_constant(t, y, *, tau, gamma):
    hat = softmax(without(t, y), tau)
    return gamma * tau**2 * -sum(a * math.log(a) for a in hat)


def zipf(ranked, z, y, power=1.0):
    ranks = [1 + sum(other > own for other in ranked) for own in ranked]
    v = [rank**-power for rank in without(ranks, y)]
    return kl([x / sum(v) for x in v], softmax(without(z, y)))


def mean(term, z):
    return sum(term(row, T[i].tolist(), int(Y[i])) for i, row in enumerate(z.tolist())) / len(z)


def numerical_gradient(term, z, step=1e-6):
    gradient = torch.zeros_like(z)
    for at in range(z.numel()):
        change = torch.zeros_like(z)
        change.view(-1)[at] = step
        gradient.view(-1)[at] = (mean(term, z + change) - mean(term, z - change)) / (2 * step)
    return gradient


def agrees(criterion, term, constant=0.0):
    """The loss is cross-entropy and this term, in value and gradient."""
    z = Z.clone().requires_grad_()
    loss = criterion(z, Y, T)
    (gradient,) = torch.autograd.grad(loss, z)

    def whole(row, t, y):
        return cross_entropy(row, y) + term(row, t, y)

    assert loss.item() == pytest.approx(mean(whole, Z) - constant, rel=1e-12)
    torch.testing.assert_close(gradient, numerical_gradient(whole, Z), rtol=1e-6, atol=1e-9)


def beside_cross_entropy(criterion):
    """Value of what a loss adds to cross-entropy, and the norm of its gradient."""
    z = Z.clone().requires_grad_()
    loss = criterion(z, Y, T) - F.cross_entropy(z, Y)
    return loss.item(), torch.autograd.grad(loss, z)[0].norm().item()


NETWORK = nn.Identity  # handed the teacher's logits as inputs


@pytest.mark.parametrize(
    "numbers", [(4.0, 1.0, 8.0), (1.0, 1.0, 0.5), (2.0, 0.0, 3.0), (2.0, 1.5, 0.0)]
)
def test_dkd_is_its_equation(numbers):
    tau, target, non_target = numbers
    criterion = tfkd.decoupled_kd(
        NETWORK(), temperature=tau, target=target, non_target=non_target, warm_up=1
    )
    agrees(criterion, lambda *of: dkd(*of, tau=tau, target=target, non_target=non_target))


@pytest.mark.parametrize(("added", "tau"), [(1.5, 1.0), (0.5, 4.0)])
def test_nkd_is_its_equation_less_a_constant(added, tau):
    criterion = tfkd.normalized_kd(NETWORK(), added=added, temperature=tau)
    constant = mean(lambda _, t, y: nkd_constant(t, y, tau=tau, gamma=added), Z)
    agrees(criterion, lambda *of: nkd(*of, tau=tau, gamma=added), constant)


@pytest.mark.parametrize(("added", "power"), [(0.1, 1.0), (1.0, 1.0), (2.0, 0.5)])
def test_zipfs_label_smoothing_is_its_equation(added, power):
    criterion = tfkd.zipf_label_smoothing(added=added, power=power)
    ranked = {tuple(row): row for row in Z.tolist()}

    def term(z, t, y):  # ranks are a constant: of the row that this one is near to
        near = min(ranked, key=lambda row: sum(abs(a - b) for a, b in zip(row, z, strict=True)))
        return added * zipf(ranked[near], z, y, power)

    agrees(criterion, term)


def test_values_of_the_official_functions():
    value, norm = beside_cross_entropy(tfkd.decoupled_kd(NETWORK(), warm_up=1))
    assert (value, norm) == (
        pytest.approx(2.34133921, abs=1e-7),
        pytest.approx(1.52047904, abs=1e-7),
    )
    value, norm = beside_cross_entropy(tfkd.normalized_kd(NETWORK()))
    constant = mean(lambda _, t, y: nkd_constant(t, y, tau=1.0, gamma=1.5), Z)
    assert value + constant == pytest.approx(2.52511326, abs=1e-7)
    assert norm == pytest.approx(0.28795980, abs=1e-7)
    value, norm = beside_cross_entropy(tfkd.zipf_label_smoothing(added=1.0))
    assert (value, norm) == (
        pytest.approx(0.07383128, abs=1e-7),
        pytest.approx(0.09167515, abs=1e-7),
    )


def test_the_weight_of_dkd_grows_by_epoch_as_officially():
    criterion = tfkd.decoupled_kd(NETWORK(), samples_per_epoch="told")
    whole, _ = beside_cross_entropy(tfkd.decoupled_kd(NETWORK(), warm_up=1))
    for epoch in range(25):
        value, _ = beside_cross_entropy(criterion)
        assert value == pytest.approx(whole * min((epoch + 1) / 20, 1.0), rel=1e-9)
        criterion.epoch_ended()


def test_epochs_of_dkd_are_counted_by_samples():
    criterion = tfkd.decoupled_kd(NETWORK(), warm_up=2.0, samples_per_epoch=8)
    whole, _ = beside_cross_entropy(tfkd.decoupled_kd(NETWORK(), warm_up=1))
    values = [beside_cross_entropy(criterion)[0] / whole for _ in range(4)]
    assert values == pytest.approx([0.5, 0.5, 1.0, 1.0], rel=1e-9)


def test_dkd_asks_for_what_it_needs():
    with pytest.raises(ValueError, match="`samples_per_epoch`, since the schedule of `alpha`"):
        tfkd.decoupled_kd(NETWORK())
    for warm_up in (0, 0.5, 2.5):
        with pytest.raises(ValueError, match="`warm_up` to be a whole number of at least 1"):
            tfkd.decoupled_kd(NETWORK(), warm_up=warm_up)
    with pytest.raises(ValueError, match="`decoupled` of at least 0, got -1"):
        tfkd.decoupled_kd(NETWORK(), target=-1.0, warm_up=1)


@pytest.mark.parametrize(
    "criterion",
    [
        tfkd.decoupled_kd(NETWORK(), warm_up=1),
        tfkd.normalized_kd(NETWORK()),
        tfkd.zipf_label_smoothing(),
    ],
    ids=["dkd", "nkd", "zipf"],
)
def test_labels_that_are_probabilities_are_refused(criterion):
    with pytest.raises(ValueError, match=r"`labels` that are class indices.* probabilities"):
        criterion(Z, Z.softmax(1), T)


def test_what_is_added_has_its_range():
    with pytest.raises(ValueError, match=r"`added` to be positive and finite, got 0\.0"):
        tfkd.normalized_kd(NETWORK(), added=0.0)  # nobody would be asked, of the label neither
    with pytest.raises(ValueError, match=r"`added` of at least 0, got -0\.5"):
        tfkd.transformed_teacher_matching(NETWORK(), added=-0.5)
    with pytest.raises(ValueError, match=r"`added` of at least 0, got -0\.5"):
        tfkd.zipf_label_smoothing(added=-0.5)


# Normalised teacher.


def test_what_the_teacher_gives_the_label_is_at_temperature_1():
    teacher = tfkd.NormalizedTeacher(tfkd.NetworkTeacher(NETWORK()))
    answer = teacher(tfkd.Batch(Z, Y, T, temperature=7.0))
    expected = 1.0 + T.softmax(1)[torch.arange(4), Y]
    torch.testing.assert_close(answer.label_share, expected)
    assert torch.equal(answer.logits, T)


@pytest.mark.parametrize("tau", [1.0, 5.0])
@pytest.mark.parametrize("confidence", [0.3, 0.9, 1.0])
def test_a_gap_gives_the_label_its_confidence(confidence, tau):
    teacher = tfkd.NormalizedTeacher(tfkd.VirtualTeacher(confidence))
    answer = teacher(tfkd.Batch(Z, Y, temperature=tau))
    torch.testing.assert_close(answer.label_share, torch.full((4,), 1 + confidence).double())
    assert answer.logits == tfkd.VirtualTeacher(confidence).gap(5)


# Zipf's teacher.


def ranks(logits):
    said = tfkd.ZipfTeacher()(tfkd.Batch(logits, torch.zeros(len(logits), dtype=torch.int64)))
    return (-said).exp().round().long().tolist()


def test_ranks_count_all_classes_and_ties_share_the_smallest():
    logits = torch.tensor([[3.0, 1.0, 2.0, 2.0, 0.0], [1.0, 1.0, 1.0, 1.0, 1.0]])
    assert ranks(logits) == [[1, 4, 2, 2, 5], [1, 1, 1, 1, 1]]
    many = torch.randint(6, (40, 9), generator=torch.Generator().manual_seed(0)).float()
    by_hand = [[1 + sum(b > a for b in row) for a in row] for row in many.tolist()]
    assert ranks(many) == by_hand


def test_half_precision_is_ranked_as_it_is():
    logits = torch.tensor([[1.0, 1.001, 1.002, 0.5]])
    assert ranks(logits) == [[3, 2, 1, 4]]
    assert ranks(logits.bfloat16()) == [[1, 1, 1, 4]]


def test_a_masked_class_has_no_rank_and_a_class_masked_is_one_left_out():
    z = Z.clone()
    z[:, 4] = -math.inf
    z.requires_grad_()
    criterion = tfkd.zipf_label_smoothing(added=1.0)
    loss = criterion(z, Y)
    assert loss.item() == pytest.approx(criterion(Z[:, :4], Y).item(), rel=1e-12)
    (gradient,) = torch.autograd.grad(loss, z)
    assert gradient.isfinite().all()
    assert not gradient[:, 4].any()


def test_dense_ranks_are_along_the_classes():
    dense = torch.stack([Z, Z.flip(0)], 2)
    labels = torch.stack([Y, Y.flip(0)], 1)
    criterion = tfkd.zipf_label_smoothing(added=1.0)
    assert criterion(dense, labels).item() == pytest.approx(criterion(Z, Y).item(), rel=1e-12)
    one = criterion(Z[0], Y[0])
    assert one.item() == criterion(Z[:1], Y[:1]).item()


def test_power_is_positive():
    with pytest.raises(ValueError, match="`power` to be positive"):
        tfkd.zipf_label_smoothing(power=0.0)
