"""CS-KD and DLB against their formulas, row by row, and against loops without this package."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, log_softmax, softmax
from torch.utils.data import DataLoader, TensorDataset

import tfkd
from tfkd.data import OverlappingSampler, PairSampler

K = 5


def probabilities(z, tau=1.0):
    e = np.exp((z - z.max()) / tau)
    return e / e.sum()


def cross_entropy_by_hand(z, y):
    """Loss and gradient of a row."""
    p = probabilities(z)
    return -math.log(p[y]), p - np.eye(K)[y]


def divergence_by_hand(z, t, tau):
    """τ² · KL(t_τ ‖ p_τ) of a row, and its gradient."""
    p, q = probabilities(z, tau), probabilities(t, tau)
    return tau**2 * sum(q * np.log(q / p)), tau * (p - q)


def value_and_gradient(criterion, logits, *arguments):
    logits = torch.tensor(logits, requires_grad=True)
    loss = criterion(logits, *arguments)
    (gradient,) = torch.autograd.grad(loss, logits)
    return loss.item(), gradient.numpy()


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.mark.parametrize(("tau", "added"), [(4.0, 1.0), (4.0, 3.0), (1.0, 0.25), (7.0, 0.0)])
def test_cs_kd_is_cross_entropy_and_the_divergence_from_the_partner(rng, tau, added):
    z, t, y = rng.normal(size=(6, K)), rng.normal(size=(6, K)), rng.integers(K, size=6)
    student = nn.Identity()  # whose logits are what it is shown
    criterion = tfkd.cs_kd(student, temperature=tau, added=added, scale=0.5)
    value, gradient = value_and_gradient(criterion, z, torch.tensor(y), torch.tensor(t))
    label = [cross_entropy_by_hand(*row) for row in zip(z, y, strict=True)]
    taught = [divergence_by_hand(*row, tau) for row in zip(z, t, strict=True)]
    expected = 0.5 * (np.mean([v for v, _ in label]) + added * np.mean([v for v, _ in taught]))
    assert value == pytest.approx(expected, rel=1e-12)
    grad = 0.5 / 6 * (np.array([g for _, g in label]) + added * np.array([g for _, g in taught]))
    np.testing.assert_allclose(gradient, grad, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize(("tau", "added"), [(3.0, 1.0), (1.0, 0.3), (5.0, 0.0)])
@pytest.mark.parametrize(("last", "new"), [(4, 4), (4, 2), (3, 5)])
def test_dlb_is_the_mean_of_both_batches_and_that_of_the_last(rng, tau, added, last, new):
    t, z = rng.normal(size=(last, K)), rng.normal(size=(last + new, K))
    y = rng.integers(K, size=last + new)
    criterion = tfkd.dlb(temperature=tau, added=added)
    criterion(torch.tensor(t, requires_grad=True), torch.tensor(y[:last]))
    value, gradient = value_and_gradient(criterion, z, torch.tensor(y))
    label = [cross_entropy_by_hand(*row) for row in zip(z, y, strict=True)]
    taught = [divergence_by_hand(*row, tau) for row in zip(z[:last], t, strict=True)]
    expected = np.mean([v for v, _ in label]) + added * np.mean([v for v, _ in taught])
    assert value == pytest.approx(expected, rel=1e-12)
    grad = np.array([g for _, g in label]) / (last + new)
    grad[:last] += added * np.array([g for _, g in taught]) / last
    np.testing.assert_allclose(gradient, grad, rtol=1e-9, atol=1e-14)


def test_a_partner_that_is_answered_alike_teaches_nothing(rng):
    z, y = rng.normal(size=(6, K)), rng.integers(K, size=6)
    same = tfkd.cs_kd(nn.Identity())
    value, gradient = value_and_gradient(same, z, torch.tensor(y), torch.tensor(z))
    plain = value_and_gradient(cross_entropy, z, torch.tensor(y))
    assert value == pytest.approx(plain[0], rel=1e-12)
    np.testing.assert_allclose(gradient, plain[1], rtol=1e-9, atol=1e-14)


def test_weights_that_others_take_are_taken(rng):
    z, t, y = rng.normal(size=(6, K)), rng.normal(size=(6, K)), rng.integers(K, size=6)
    weight = torch.tensor([1.0, 2.0, 0.5, 1.0, 3.0], dtype=torch.float64)
    criterion = tfkd.cs_kd(nn.Identity(), weight=weight, reduction="none")
    losses = criterion(torch.tensor(z), torch.tensor(y), torch.tensor(t))
    for row, loss in enumerate(losses.tolist()):
        by_hand = (
            cross_entropy_by_hand(z[row], y[row])[0] + divergence_by_hand(z[row], t[row], 4)[0]
        )
        assert loss == pytest.approx(weight[y[row]].item() * by_hand, rel=1e-12)


def test_a_weight_below_0_is_refused_by_its_own_name():
    for make in (lambda added: tfkd.cs_kd(nn.Identity(), added=added), lambda a: tfkd.dlb(added=a)):
        with pytest.raises(ValueError, match=r"`added` of at least 0, got -0\.5"):
            make(-0.5)


# Three epochs of a loop of one's own, against the same without anything of this package in it.


@pytest.fixture
def data():
    """Eleven noisy samples of three classes; asked twice, one is another view each time."""

    class Noisy(TensorDataset):
        def __getitem__(self, index):
            image, label = super().__getitem__(index)
            return image + 0.1 * torch.randn(6, dtype=torch.float64), label

    torch.manual_seed(0)
    return Noisy(torch.randn(11, 6, dtype=torch.float64), torch.arange(11) % 3)


@pytest.fixture
def model():
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3)
    ).double()


def sgd(model):
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def divergence(logits, teacher, tau):
    q, p = softmax(teacher / tau, 1), log_softmax(logits / tau, 1)
    return tau**2 * (q * (q.log() - p)).sum(1).mean()


def assert_same(model, other):
    ours, theirs = model.state_dict(), other.state_dict()
    for name, value in ours.items():
        torch.testing.assert_close(theirs[name], value, rtol=1e-9, atol=1e-11, msg=name)


@pytest.mark.parametrize("moving_norms", [True, False])
def test_a_training_with_cs_kd_is_the_loop_by_hand(data, model, moving_norms):
    other = copy.deepcopy(model)
    loader = DataLoader(data, batch_sampler=PairSampler(data.tensors[1], 4, seed=3))
    torch.manual_seed(2)
    criterion = tfkd.cs_kd(tfkd.StudentTeacher(model, moving_norms=moving_norms), added=2.0)
    optimizer = sgd(model)
    for _ in range(3):
        for images, labels in loader:
            images, partners = images.chunk(2)
            optimizer.zero_grad()
            criterion(model(images), labels.chunk(2)[0], partners).backward()
            optimizer.step()

    loader.batch_sampler.set_epoch(0)
    torch.manual_seed(2)
    optimizer = sgd(other)
    for _ in range(3):
        for images, labels in loader:
            n = len(images) // 2
            logits = other(images[:n])
            with torch.no_grad():
                asked = other if moving_norms else copy.deepcopy(other)
                teacher = asked(images[n:])
            loss = cross_entropy(logits, labels[:n]) + 2.0 * divergence(logits, teacher, 4.0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert_same(model, other)


def test_a_training_with_dlb_is_the_loop_by_hand(data, model):
    other = copy.deepcopy(model)
    loader = DataLoader(data, batch_sampler=OverlappingSampler(11, 4, seed=3))
    torch.manual_seed(2)
    criterion, optimizer = tfkd.dlb(added=0.5), sgd(model)
    for _ in range(3):
        for images, labels in loader:
            parts = images.tensor_split([criterion.teacher.rows])
            logits = torch.cat([model(part) for part in parts if len(part) > 0])
            optimizer.zero_grad()
            criterion(logits, labels).backward()
            optimizer.step()

    loader.batch_sampler.set_epoch(0)
    torch.manual_seed(2)
    optimizer, said = sgd(other), None
    for _ in range(3):
        for images, labels in loader:
            if said is None:
                new = other(images)
                loss = cross_entropy(new, labels)
            else:
                again, new = other(images[: len(said)]), other(images[len(said) :])
                loss = cross_entropy(torch.cat([again, new]), labels)
                loss = loss + 0.5 * divergence(again, said, 3.0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            said = new.detach()
    assert_same(model, other)
    torch.testing.assert_close(criterion.teacher.logits, said, rtol=1e-9, atol=1e-11)
