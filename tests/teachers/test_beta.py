"""Beta smoothing: its draws, who gets which, a straight loop by hand, labels of every kind."""

from __future__ import annotations

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tfkd

K = 5
# The batch that every method is held against: logits of the student, labels.
Z = torch.tensor(
    [[2, 1, 0.5, -1, 0], [0.2, -0.3, 1.5, 0.7, -0.6], [-1, 0.4, 0.3, 2.2, 0.1],
     [0, 0.1, -0.2, 0.05, 0.3]], dtype=torch.float64,
)  # fmt: skip
LABELS = torch.tensor([0, 2, 1, 3])
B = torch.tensor([0.95, 0.8, 0.6, 0.7], dtype=torch.float64)


class Asked(nn.Module):
    """Says of inputs what they are."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs


def sure(log_p: list[float], labels: torch.Tensor = LABELS) -> torch.Tensor:
    """Inputs of which `Asked` is so sure that they are what they are."""
    return torch.tensor(log_p).double().unsqueeze(1) * F.one_hot(labels, K)


def drawing(monkeypatch: pytest.MonkeyPatch, values: torch.Tensor, concentration: float) -> None:
    """Let these be drawn from Beta(concentration, 1), in their order."""
    monkeypatch.setattr(torch, "rand_like", lambda like: values.view_as(like) ** concentration)


def gaps_of(b: torch.Tensor) -> torch.Tensor:
    return (b * (K - 1) / (1 - b)).log()


def of_beta(loss_of: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(1 − .6)·H(q, p) + .6·H(q_b, p) of each sample, from the formula."""
    log_p = loss_of.log_softmax(1)
    q = F.one_hot(LABELS, K).double()
    q_b = q * b[:, None] + (1 - q) * ((1 - b) / (K - 1))[:, None]
    return -((0.4 * q + 0.6 * q_b) * log_p).sum(1)


def entropy(b: torch.Tensor) -> torch.Tensor:
    return -(b * b.log() + (1 - b) * ((1 - b) / (K - 1)).log())


def test_value_and_gradient_are_those_of_the_source(monkeypatch):
    """The official value, which lies above ours by α·H(q_b), and its gradient."""
    drawing(monkeypatch, torch.tensor([0.95, 0.6, 0.8, 0.7], dtype=torch.float64), 3.0)
    criterion = tfkd.beta_smoothing(Asked())
    z = Z.clone().requires_grad_()
    loss = criterion(z, LABELS, sure([9.0, 3.0, 0.0, 1.0]))
    (gradient,) = torch.autograd.grad(loss, z)
    assert loss.item() + 0.6 * entropy(B).mean().item() == pytest.approx(1.33044959, abs=1e-8)
    assert gradient.norm().item() == pytest.approx(0.32752431, abs=1e-8)
    own = Z.clone().requires_grad_()
    (expected,) = torch.autograd.grad(of_beta(own, B).mean(), own)
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-14)


def test_three_epochs_are_those_of_a_straight_loop():
    def network():
        torch.manual_seed(0)
        layers = nn.Sequential(nn.Linear(3, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, K))
        return layers.double()

    torch.manual_seed(1)
    inputs, labels = torch.randn(24, 3).double(), torch.randint(K, (24,))
    ours, theirs = network(), network()
    criterion = tfkd.beta_smoothing(ours, concentration=2.0, decay=0.8)
    of_ours, of_theirs = (torch.optim.SGD(net.parameters(), 0.1) for net in (ours, theirs))
    average = copy.deepcopy(theirs).train()
    for n in range(9):
        part = slice(8 * (n % 3), 8 * (n % 3) + 8)
        x, y = inputs[part], labels[part]
        torch.manual_seed(n)
        loss = criterion(ours(x), y, x)
        of_ours.zero_grad()
        loss.backward()
        of_ours.step()
        criterion.step_ended(ours)

        torch.manual_seed(n)
        z = theirs(x)
        with torch.no_grad():
            said = average(x).softmax(1)[torch.arange(8), y]
        b = torch.rand(8, dtype=torch.float64).pow(1 / 2.0)
        of_sample = torch.empty(8, dtype=torch.float64)
        for rank, who in enumerate(sorted(range(8), key=lambda i: -said[i].item())):
            of_sample[who] = sorted(b.tolist(), reverse=True)[rank]
        q = F.one_hot(y, K).double()
        q_b = q * of_sample[:, None] + (1 - q) * ((1 - of_sample) / (K - 1))[:, None]
        by_hand = -((0.4 * q + 0.6 * q_b) * z.log_softmax(1)).sum(1).mean()
        of_theirs.zero_grad()
        by_hand.backward()
        of_theirs.step()
        decay = min(1 - 1 / (n + 2), 0.8)
        with torch.no_grad():
            for own, new in zip(average.parameters(), theirs.parameters(), strict=True):
                own.mul_(decay).add_((1 - decay) * new)
        expected = by_hand.item() - 0.6 * entropy(of_sample).mean().item()
        assert loss.item() == pytest.approx(expected, abs=1e-10)
    for own, by_hand in ((ours, theirs), (criterion.teacher.network, average)):
        for name, value in by_hand.state_dict().items():
            torch.testing.assert_close(own.state_dict()[name], value, rtol=1e-10, atol=1e-12)


def test_what_is_drawn_is_beta():
    """By its moments: the mean is β/(β + 1), the variance β/((β + 1)²(β + 2))."""
    torch.manual_seed(0)
    labels = torch.zeros(4000, dtype=torch.int64)
    said = torch.zeros(4000, K)
    for beta in (0.5, 3.0, 20.0):
        gaps = tfkd.BetaTeacher(Asked(), concentration=beta)(tfkd.Batch(said, labels, said))
        b = torch.sigmoid(gaps.double() - math.log(K - 1))
        mean, variance = beta / (beta + 1), beta / ((beta + 1) ** 2 * (beta + 2))
        assert b.mean().item() == pytest.approx(mean, abs=5 * math.sqrt(variance / 4000))
        assert b.var().item() == pytest.approx(variance, rel=0.15)
        assert gaps.isfinite().all()


@pytest.mark.parametrize("drawn", [0.0, 1.0 - 2.0**-24])
@pytest.mark.parametrize("concentration", [1e-3, 3.0, 1e6])
def test_the_ends_of_what_may_be_drawn_are_finite(monkeypatch, drawn, concentration):
    monkeypatch.setattr(torch, "rand_like", lambda like: torch.full_like(like, drawn))
    teacher = tfkd.BetaTeacher(Asked(), concentration=concentration)
    criterion = tfkd.DistillationLoss(teacher, alpha=0.6)
    z = Z.float().requires_grad_()
    loss = criterion(z, LABELS, z.detach())
    loss.backward()
    assert teacher(tfkd.Batch(z, LABELS, z.detach())).isfinite().all()
    assert loss.isfinite() and z.grad.isfinite().all()


def test_ignored_positions_take_no_part_in_order_or_draws(monkeypatch):
    """Those that count get what is drawn in their places, as if the others were not there."""
    drawn = torch.tensor([0.3, 0.9, 0.5, 0.99, 0.7]).double()
    drawing(monkeypatch, drawn, 3.0)
    labels = torch.tensor([0, 255, 2, 255, 1])
    said = torch.tensor([1.0, 9.0, 5.0, 8.0, 3.0]).double().unsqueeze(1) * F.one_hot(
        labels.clamp(0, K - 1), K
    )
    gaps = tfkd.BetaTeacher(Asked())(tfkd.Batch(said, labels, said, ignore_index=255))
    expected = gaps_of(torch.tensor([0.3, 0.7, 0.5]).double())
    torch.testing.assert_close(gaps[[0, 2, 4]], expected)
    assert gaps[[1, 3]].tolist() == [0.0, 0.0]
    criterion = tfkd.beta_smoothing(Asked(), ignore_index=255)
    counted = torch.tensor([0, 2, 4])
    whole = criterion(said, labels, said)
    drawing(monkeypatch, drawn[counted], 3.0)
    assert whole.item() == criterion(said[counted], labels[counted], said[counted]).item()


def test_every_position_of_dense_logits_is_a_sample(monkeypatch):
    torch.manual_seed(0)
    drawing(monkeypatch, torch.rand(12).double(), 3.0)
    flat, labels = torch.randn(12, K).double(), torch.randint(K, (12,))
    teacher = tfkd.BetaTeacher(Asked())
    gaps = teacher(tfkd.Batch(flat, labels, flat))
    dense = flat.view(2, 6, K).transpose(1, 2)
    of_dense = teacher(tfkd.Batch(dense, labels.view(2, 6), dense))
    assert torch.equal(of_dense.flatten(), gaps)
    drawing(monkeypatch, torch.tensor([0.4]).double(), 3.0)
    of_one = teacher(tfkd.Batch(flat[0], labels[0], flat[0]))
    assert of_one.shape == () and of_one.item() == pytest.approx(gaps_of(torch.tensor(0.4)).item())


def test_probability_labels_are_ordered_by_what_they_are_given(monkeypatch):
    drawing(monkeypatch, torch.tensor([0.5, 0.9, 0.7]).double(), 3.0)
    q = torch.tensor([[0.5, 0.5, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0.3, 0.7, 0]]).double()
    said = torch.tensor([[0.1, 0.1, 0.6, 0.1, 0.1], [0.3, 0.4, 0.1, 0.1, 0.1]]).double().log()
    said = torch.cat([said, torch.tensor([[0.1, 0.1, 0.2, 0.5, 0.1]]).double().log()])
    teacher = tfkd.BetaTeacher(Asked())  # Σ q·p: .1, .3, .41
    gaps = teacher(tfkd.Batch(said, q, said))
    torch.testing.assert_close(gaps, gaps_of(torch.tensor([0.5, 0.7, 0.9]).double()))
    hard = F.one_hot(LABELS, K).double()
    drawing(monkeypatch, B, 3.0)
    criterion = tfkd.beta_smoothing(Asked())
    soft, indices = criterion(Z, hard, Z), criterion(Z, LABELS, Z)
    assert soft.item() == pytest.approx(indices.item(), abs=1e-12)


def test_it_moves_its_statistics_in_training_alone():
    torch.manual_seed(0)
    student = nn.Sequential(nn.Linear(3, K), nn.BatchNorm1d(K))
    criterion = tfkd.beta_smoothing(student)
    inputs, labels = torch.randn(8, 3), torch.randint(K, (8,))

    def moved(act) -> bool:
        before = copy.deepcopy(criterion.state_dict())
        act()
        after = criterion.state_dict()
        return any(not torch.equal(after[name], before[name]) for name in after)

    assert moved(lambda: criterion(student(inputs), labels, inputs))
    assert not moved(lambda: criterion(student(inputs).detach(), labels, inputs))
    criterion.eval()
    assert not moved(lambda: criterion(student(inputs), labels, inputs))
    criterion.train()
    assert moved(lambda: criterion(student(inputs), labels, inputs))
    own = criterion.teacher.network[1].running_mean.clone()
    nn.init.ones_(student[1].running_mean)
    criterion.step_ended(student)
    assert torch.equal(criterion.teacher.network[1].running_mean, own)


def test_half_precision_is_ordered_in_float32():
    said = torch.zeros(4, K, dtype=torch.float16)
    said[:, 0] = torch.tensor([10.0, 12.0, 11.0, 13.0])  # all of them 1 in half precision
    labels = torch.zeros(4, dtype=torch.int64)
    gaps = tfkd.BetaTeacher(Asked())(tfkd.Batch(said, labels, said))
    assert gaps.dtype == torch.float32
    assert gaps.argsort().tolist() == [0, 2, 1, 3]


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match="`concentration` to be positive"):
        tfkd.BetaTeacher(Asked(), concentration=0.0)
