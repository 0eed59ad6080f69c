"""Each named method is the equation of its source."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import tfkd

K = 7


@pytest.fixture
def batch():
    g = torch.Generator().manual_seed(3)
    z = (2 * torch.randn(6, K, generator=g)).double().requires_grad_()
    return z, torch.randint(K, (6,), generator=g), torch.randn(6, 3, generator=g).double()


def same(ours, theirs, z, constant=0.0):
    """Values that differ by a constant, and equal gradients."""
    torch.testing.assert_close(ours, theirs + constant, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(
        torch.autograd.grad(ours.sum(), z)[0],
        torch.autograd.grad(theirs.sum(), z)[0],
        rtol=1e-9,
        atol=1e-12,
    )


METHODS = {
    "cross_entropy": lambda reference, **o: tfkd.cross_entropy(**o),
    "label_smoothing": lambda reference, **o: tfkd.label_smoothing(0.2, **o),
    "tf_kd_reg": lambda reference, **o: tfkd.tf_kd_reg(alpha=0.3, **o),
    "tf_kd_self": lambda reference, **o: tfkd.tf_kd_self(reference.Scores(K), **o),
    "knowledge_distillation": lambda reference, **o: tfkd.knowledge_distillation(
        reference.Scores(K), **o
    ),
}
methods = pytest.mark.parametrize("build", METHODS.values(), ids=METHODS)


@methods
def test_a_method_passes_its_options_on(reference, batch, build):
    z, labels, inputs = batch
    weight = torch.linspace(0.5, 2.0, K, dtype=torch.float64)
    labels = labels.clone()
    labels[0] = 2
    plain = build(reference, reduction="none")(z, labels, inputs)
    full = build(reference, reduction="none", scale=3.0, weight=weight, ignore_index=2)(
        z, labels, inputs
    )
    expected = plain * 3.0 * weight[labels] * (labels != 2)
    torch.testing.assert_close(full, expected, rtol=1e-10, atol=1e-12)


@methods
def test_a_method_is_a_distillation_loss_and_refuses_unknown_options(reference, build):
    assert type(build(reference)) is tfkd.DistillationLoss
    with pytest.raises(TypeError, match="label_smoothing"):
        build(reference, label_smoothing=0.1)


def test_defaults_of_the_paper():
    assert tfkd.label_smoothing().alpha == 0.1
    parameters = inspect.signature(tfkd.tf_kd_reg).parameters
    assert parameters["temperature"].default == 20.0
    assert parameters["confidence"].default == 0.99


def test_cross_entropy_is_torchs(batch):
    z, labels, _ = batch
    same(tfkd.cross_entropy()(z, labels), F.cross_entropy(z, labels), z)


def test_label_smoothing_is_torchs_less_its_constant(batch):
    z, labels, _ = batch
    theirs = F.cross_entropy(z, labels, label_smoothing=0.2)
    same(tfkd.label_smoothing(0.2)(z, labels), theirs, z, constant=-0.2 * math.log(K))


def test_eq_3_label_smoothing_is_a_uniform_teacher(batch):
    z, labels, _ = batch
    uniform = torch.full_like(z, 1 / K)
    theirs = 0.9 * F.cross_entropy(z, labels) + 0.1 * F.kl_div(
        F.log_softmax(z, 1), uniform, reduction="batchmean"
    )
    same(tfkd.label_smoothing(0.1)(z, labels), theirs, z)


@pytest.mark.parametrize("temperature", [1.0, 20.0])
def test_eq_9_tf_kd_reg_with_the_factor_tau_squared(batch, temperature):
    z, labels, _ = batch
    a, alpha = 0.99, 0.3
    p_d = torch.full_like(z, (1 - a) / (K - 1)).scatter(1, labels.unsqueeze(1), a)
    softened = p_d ** (1 / temperature)
    softened = softened / softened.sum(1, keepdim=True)
    divergence = F.kl_div(F.log_softmax(z / temperature, 1), softened, reduction="batchmean")
    theirs = (1 - alpha) * F.cross_entropy(z, labels) + alpha * temperature**2 * divergence
    same(tfkd.tf_kd_reg(alpha=alpha, temperature=temperature)(z, labels), theirs, z)


@pytest.mark.parametrize("method", [tfkd.knowledge_distillation, tfkd.tf_kd_self])
def test_eqs_4_and_7_distillation_with_the_factor_tau_squared(reference, batch, method):
    z, labels, inputs = batch
    network, alpha, temperature = reference.Scores(K), 0.9, 4.0
    t = network(inputs).detach()
    divergence = F.kl_div(
        F.log_softmax(z / temperature, 1), (t / temperature).softmax(1), reduction="batchmean"
    )
    theirs = (1 - alpha) * F.cross_entropy(z, labels) + alpha * temperature**2 * divergence
    criterion = method(network, alpha=alpha, temperature=temperature)
    same(criterion(z, labels, inputs), theirs, z)


# Table of the power form p^(1/τ), normalised: K, τ, true class, others.
SOFTENED = [
    (10, 20, 0.1350, 0.0961),
    (100, 10, 0.0247, 0.00985),
    (100, 20, 0.0157, 0.00994),
    (100, 40, 0.0126, 0.00997),
    (200, 20, 0.0082, 0.00498),
    (1000, 20, 0.00178, 0.00100),
]


@pytest.mark.parametrize(("num_classes", "temperature", "true", "other"), SOFTENED)
def test_the_designed_teacher_softens_as_any_teacher_does(num_classes, temperature, true, other):
    explained = tfkd.explain(tfkd.tf_kd_reg(temperature=temperature), num_classes)
    p_d = np.full(num_classes, 0.01 / (num_classes - 1))
    p_d[0] = 0.99
    softened = p_d ** (1 / temperature)
    softened /= softened.sum()
    assert explained.teacher_target == pytest.approx((softened[0], softened[1]), rel=1e-9)
    assert explained.teacher_target == pytest.approx((true, other), rel=0.01)
