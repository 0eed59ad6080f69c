"""`explain` against the paper's numbers, a brute-force optimum and one step of SGD."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from scipy.optimize import minimize_scalar
from torch import nn

import tfkd


def released_reg(alpha, temperature, multiplier):
    return tfkd.released_tf_kd_reg(
        alpha=alpha, temperature=temperature, num_classes=100, multiplier=multiplier
    )


# loss, K, normalised alpha, scale, target of the student, epsilon: from the released settings.
RELEASED = [
    (released_reg(0.1, 20.0, 100), 0.1, 1.0, (0.90105, 0.0009995), 0.0999),
    (released_reg(0.1, 40.0, 50), 0.0526, 0.95, (0.94791, 0.000526), 0.0526),
    (released_reg(0.95, 40.0, 1), 0.160, 0.0595, (0.84197, 0.001596), 0.1596),
    (released_reg(0.95, 10.0, 1), 0.160, 0.0595, (0.84210, 0.001595), 0.1595),
    (tfkd.released_label_smoothing(num_classes=100), 0.101, 1.0, (0.9, 0.0010101), 0.1010),
]
IDS = ["ResNet18", "GoogLeNet", "MobileNetV2", "ShuffleNetV2", "label smoothing"]


@pytest.mark.parametrize(("criterion", "alpha", "scale", "target", "epsilon"), RELEASED, ids=IDS)
def test_released_losses_are_label_smoothing(criterion, alpha, scale, target, epsilon):
    explained = tfkd.explain(criterion, 100)
    assert explained.alpha == pytest.approx(alpha, abs=5e-4)
    assert explained.scale == pytest.approx(scale, rel=1e-9)
    assert explained.target[0] == pytest.approx(target[0], abs=6e-6)
    assert explained.target[1] == pytest.approx(target[1], rel=1e-3)
    assert explained.equivalent_label_smoothing == pytest.approx(epsilon, abs=6e-5)
    assert explained.exact
    assert explained.learning_rate_factor == pytest.approx(scale)
    assert explained.weight_decay_factor == pytest.approx(1 / scale)


LOSSES = [
    tfkd.label_smoothing(0.1),
    tfkd.label_smoothing(1.0),
    tfkd.tf_kd_reg(alpha=0.1),
    tfkd.tf_kd_reg(alpha=0.95, temperature=40.0),
    tfkd.tf_kd_reg(alpha=0.5, temperature=1.0, confidence=0.7),
    tfkd.tf_kd_reg(alpha=0.5, temperature=0.7, confidence=0.9),
    tfkd.tf_kd_reg(alpha=1.0, temperature=20.0),
    tfkd.paper_tf_kd_reg(alpha=0.1, temperature=20.0),
    tfkd.released_tf_kd_reg(alpha=0.95, temperature=40.0, num_classes=10, multiplier=50.0),
    tfkd.DistillationLoss(tfkd.UniformTeacher(), alpha=0.3, temperature=20.0, scale=4.0),
]
LOSS_IDS = [f"{c.teacher}, alpha {c.alpha:g}, temperature {c.temperature:g}" for c in LOSSES]


@pytest.mark.parametrize("criterion", LOSSES, ids=LOSS_IDS)
@pytest.mark.parametrize("num_classes", [10, 100])
def test_gap_is_where_the_loss_of_one_sample_is_smallest(criterion, num_classes):
    explained = tfkd.explain(criterion, num_classes)
    label = torch.tensor([0])

    def loss(gap):
        z = torch.zeros(1, num_classes, dtype=torch.float64)
        z[0, 0] = gap
        return criterion(z, label).item()

    found = minimize_scalar(loss, bounds=(-1, 60), method="bounded", options={"xatol": 1e-9})
    assert loss(explained.gap) <= found.fun + 1e-10
    # A minimum of width √eps: the loss is flat to float64 around it.
    assert explained.gap == pytest.approx(found.x, abs=5e-5, rel=1e-4)
    z = torch.tensor([[explained.gap] + [0.0] * (num_classes - 1)], dtype=torch.float64)
    p = z.softmax(1)[0]
    assert explained.target == pytest.approx((p[0].item(), p[1].item()), rel=1e-9)
    # Label smoothing of the equivalent epsilon has no slope at the same gap.
    z.requires_grad_()
    F.cross_entropy(z, label, label_smoothing=explained.equivalent_label_smoothing).backward()
    torch.testing.assert_close(z.grad, torch.zeros_like(z), rtol=0, atol=1e-9)


@pytest.mark.parametrize("criterion", LOSSES, ids=LOSS_IDS)
def test_exact_means_the_gradient_of_label_smoothing_times_the_scale(criterion):
    explained = tfkd.explain(criterion, 10)
    assert explained.exact == (criterion.temperature == 1.0)
    g = torch.Generator().manual_seed(0)
    z = (3 * torch.randn(8, 10, generator=g)).double().requires_grad_()
    labels = torch.randint(10, (8,), generator=g)
    epsilon = explained.equivalent_label_smoothing
    smoothed = explained.scale * F.cross_entropy(z, labels, label_smoothing=epsilon)
    (ours,) = torch.autograd.grad(criterion(z, labels), z)
    (theirs,) = torch.autograd.grad(smoothed, z)
    assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-12) == explained.exact


def test_plain_cross_entropy_wants_certainty():
    for criterion in (tfkd.cross_entropy(), tfkd.tf_kd_reg(alpha=0.5, confidence=1.0)):
        explained = tfkd.explain(criterion, 10)
        assert explained.gap == math.inf
        assert explained.target == (1.0, 0.0)
        assert explained.equivalent_label_smoothing == 0.0
    assert tfkd.explain(tfkd.cross_entropy(), 10).exact


def test_a_network_teacher_depends_on_the_sample():
    explained = tfkd.explain(tfkd.knowledge_distillation(nn.Linear(3, 10), alpha=0.5), 10)
    assert explained.teacher_target is None
    assert explained.target is None
    assert explained.gap is None
    assert explained.equivalent_label_smoothing is None
    assert not explained.exact
    assert "NetworkTeacher" in explained.teacher


def test_a_scale_is_a_learning_rate_and_a_weight_decay():
    """SGD with momentum: L·s at (lr, wd) takes the steps of L at (lr·s, wd/s)."""
    g = torch.Generator().manual_seed(0)
    inputs, labels = torch.randn(16, 4, generator=g).double(), torch.arange(16) % 5
    start = torch.randn(5, 4, generator=g).double()
    scaled = tfkd.released_tf_kd_reg(alpha=0.6, temperature=20.0, num_classes=5, multiplier=2.0)
    explained = tfkd.explain(scaled, 5)
    assert explained.scale != 1.0
    plain = tfkd.label_smoothing(explained.equivalent_label_smoothing)

    def weights(criterion, lr, weight_decay):
        w = start.clone().requires_grad_()
        sgd = torch.optim.SGD([w], lr=lr, momentum=0.9, weight_decay=weight_decay)
        for _ in range(5):
            sgd.zero_grad()
            criterion(inputs @ w.T, labels).backward()
            sgd.step()
        return w.detach()

    torch.testing.assert_close(
        weights(scaled, 0.1, 5e-2),
        weights(plain, 0.1 * explained.learning_rate_factor, 5e-2 * explained.weight_decay_factor),
        rtol=1e-10,
        atol=1e-12,
    )


def test_explanation_is_frozen_and_compares_by_value():
    explained = tfkd.explain(tfkd.label_smoothing(0.1), 10)
    assert explained == tfkd.explain(tfkd.label_smoothing(0.1), 10)
    with pytest.raises(dataclasses.FrozenInstanceError):
        explained.alpha = 0.2


def test_printout_has_the_numbers():
    text = str(tfkd.explain(released_reg(0.95, 40.0, 1), 100))
    for number in ("100", "0.1597", "0.0595", "0.84197", "0.001596", "0.1596", "16.81"):
        assert number in text
    assert "VirtualTeacher" in text
    assert "exactly" in text
    assert "exactly" not in str(tfkd.explain(tfkd.tf_kd_reg(alpha=0.1), 100))
    network = tfkd.knowledge_distillation(nn.Linear(3, 10), alpha=0.5)
    assert "None" not in str(tfkd.explain(network, 10))


@pytest.mark.parametrize(
    ("criterion", "num_classes", "error", "message"),
    [
        (nn.CrossEntropyLoss(), 10, TypeError, "`criterion` .*got CrossEntropyLoss"),
        (tfkd.cross_entropy(), 10.0, TypeError, "`num_classes` .*int, got float"),
        (tfkd.cross_entropy(), 1, ValueError, "`num_classes` .*2, got 1"),
        (tfkd.tf_kd_reg(alpha=0.5, confidence=0.2), 4, ValueError, r"`confidence` .*got 0\.2"),
    ],
)
def test_explain_refuses_what_it_cannot_explain(criterion, num_classes, error, message):
    with pytest.raises(error, match="^Expected " + message):
        tfkd.explain(criterion, num_classes)
