"""What works with `torch.nn.CrossEntropyLoss` works with every loss, or is told in a sentence."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tfkd

N, K = 6, 4
CRITERIA = {
    "cross_entropy": tfkd.cross_entropy,
    "label_smoothing": tfkd.label_smoothing,
    "tf_kd_reg": tfkd.tf_kd_reg,
    "network": lambda **own: tfkd.knowledge_distillation(nn.Linear(2, K), **own),
    "zipf": tfkd.zipf_label_smoothing,
    "standardized": lambda **own: tfkd.DistillationLoss(
        tfkd.VirtualTeacher(), alpha=0.5, standardize=True, **own
    ),
    "max_sup": tfkd.max_sup,
    "confidence_penalty": tfkd.confidence_penalty,
    "margin": lambda **own: tfkd.margin_label_smoothing(margin=0.5, **own),
    "focal": tfkd.focal,
    "dual_focal": tfkd.dual_focal,
    "logit_norm": tfkd.logit_norm,
}
SOFT = [name for name in CRITERIA if name not in ("zipf", "dual_focal")]


def batch():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(N, K, generator=generator)
    return logits, torch.randint(K, (N,), generator=generator), torch.randn(N, 2)


@pytest.mark.parametrize("name", CRITERIA)
@pytest.mark.parametrize("soft", [False, True])
def test_logits_may_be_changed_in_place_before_the_backward_pass(name, soft, either_way):
    if soft and name not in SOFT:
        pytest.skip("of a mixture no class is the true one")
    values, labels, inputs = batch()
    labels = values.softmax(1) if soft else labels
    criterion = CRITERIA[name]()
    gradients = []
    for changed in (False, True):
        leaf = values.clone().requires_grad_()
        logits = leaf * 1.0
        loss = criterion(logits, labels, inputs)
        if changed:
            logits.detach().mul_(0.5)
        loss.backward()
        gradients.append(leaf.grad)
    assert torch.equal(*gradients)


def test_a_second_backward_pass_after_such_a_change_is_refused():
    """As by torch, rather than made of the changed logits."""
    leaf = batch()[0].requires_grad_()
    logits = leaf * 1.0
    loss = tfkd.label_smoothing()(logits, batch()[1])
    loss.backward(retain_graph=True)
    logits.detach().mul_(0.5)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("name", CRITERIA)
def test_gradients_of_several_upstreams_at_once(name, reduction, either_way):
    logits, labels, inputs = batch()
    logits.requires_grad_()
    loss = CRITERIA[name](reduction=reduction)(logits, labels, inputs)
    upstreams = torch.randn(3, *loss.shape, generator=torch.Generator().manual_seed(1))
    for _ in range(2):  # also when the gradient has been given away
        together = torch.autograd.grad(
            loss, logits, upstreams, is_grads_batched=True, retain_graph=True
        )[0]
        each = [torch.autograd.grad(loss, logits, own, retain_graph=True)[0] for own in upstreams]
        torch.testing.assert_close(together, torch.stack(each))


@pytest.mark.parametrize("name", ["label_smoothing", "tf_kd_reg"])
def test_jacobian_and_hessian_are_had_at_once(name):
    logits, labels, _ = batch()
    criterion = CRITERIA[name](reduction="none")
    functional = torch.autograd.functional
    for function, loss in (
        (functional.jacobian, lambda z: criterion(z, labels)),
        (functional.hessian, lambda z: criterion(z, labels).sum()),
    ):
        together, each = (function(loss, logits, vectorize=kind) for kind in (True, False))
        torch.testing.assert_close(together, each)


def test_the_weight_of_cross_entropy_may_stand_first():
    logits, labels, _ = batch()
    weight = torch.rand(K)
    expected = nn.CrossEntropyLoss(weight)(logits, labels)
    assert torch.equal(tfkd.cross_entropy(weight)(logits, labels), expected)
    assert torch.equal(tfkd.cross_entropy(weight=weight)(logits, labels), expected)
    with pytest.raises(TypeError, match="`weight` once"):
        tfkd.cross_entropy(weight, weight=weight)


def test_numbers_of_numpy_are_numbers():
    logits, labels, _ = batch()
    ours = tfkd.tf_kd_reg(alpha=np.float32(0.5), temperature=np.int64(20))(logits, labels)
    assert ours == tfkd.tf_kd_reg(alpha=0.5, temperature=20.0)(logits, labels)
    ours = tfkd.distillation_loss(
        logits, labels, 2.0, alpha=np.float64(0.5), temperature=np.int64(20)
    )
    assert ours == tfkd.distillation_loss(logits, labels, 2.0, alpha=0.5, temperature=20.0)


def test_what_torch_refuses_too_is_told_what_to_write():
    logits, labels, _ = batch()
    for make in (tfkd.cross_entropy, tfkd.label_smoothing, tfkd.max_sup):
        with pytest.raises(
            TypeError, match=r"torch.int64, got torch.int32. Write `labels.long\(\)"
        ):
            make()(logits, labels.int())
        with pytest.raises(TypeError, match=r"`ignore_index` to be an int.*None.*leave it out"):
            make(ignore_index=None)


@pytest.mark.parametrize(
    ("make", "name", "wrong"),
    [
        (tfkd.label_smoothing, "reduction", "meen"),
        (tfkd.label_smoothing, "alpha", 1.7),
        (tfkd.label_smoothing, "weight", torch.ones(2, 2)),
        (tfkd.label_smoothing, "weight", torch.ones(2).long()),
        (tfkd.label_smoothing, "decoupled", (-1.0, 1.0)),
        (tfkd.focal, "reduction", "meen"),
        (tfkd.focal, "focusing", -1.0),
        (tfkd.focal, "unsure_focusing", -1.0),
        (tfkd.margin_label_smoothing, "margin", -1.0),
        (tfkd.max_sup, "added", math.inf),
        (tfkd.logit_norm, "temperature", 0.0),
    ],
)
def test_what_is_set_later_is_checked(make, name, wrong):
    criterion = make()
    before = getattr(criterion, name)
    with pytest.raises((TypeError, ValueError), match=f"`{name}`"):
        setattr(criterion, name, wrong)
    assert getattr(criterion, name) is before


@pytest.mark.parametrize("name", CRITERIA)
def test_class_weights_have_no_gradient_where_torchs_have_none(name):
    logits, labels, inputs = batch()
    weight = torch.rand(K, requires_grad=True)
    criterion = CRITERIA[name](weight=weight)
    with pytest.raises(RuntimeError, match="not differentiable with respect to argument 'weight'"):
        F.cross_entropy(logits, labels, weight)
    with pytest.raises(ValueError, match=r"`weight` without gradient.*`weight.detach\(\)`"):
        criterion(logits, labels, inputs)
    with torch.no_grad():
        torch.manual_seed(0)
        criterion(logits, labels, inputs)


@pytest.mark.parametrize("name", SOFT)
def test_with_probabilities_class_weights_have_one_as_torchs(name, either_way):
    logits, _, inputs = batch()
    logits, labels = logits.double(), batch()[0].double().softmax(1)
    weight = torch.rand(K, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(0)
    network = CRITERIA[name]().double()

    def loss(weight):
        network.weight = weight
        return network(logits, labels, inputs.double())

    assert torch.autograd.gradcheck(loss, weight)
    if name == "cross_entropy":
        ours, torchs = (
            torch.autograd.grad(value, weight)[0]
            for value in (loss(weight), F.cross_entropy(logits, labels, weight))
        )
        assert torch.equal(ours, torchs)


@pytest.mark.parametrize("offset", [1e4, -1e3])
@pytest.mark.parametrize("name", ["designed", "mixed", "network"])
def test_logits_far_from_0_lose_no_digits(name, offset, either_way):
    """At τ = 20, in training and without a gradient, to 2e-6 of what is added up."""
    generator = torch.Generator().manual_seed(1)
    n, k, alpha, tau, a = 64, 4, 0.5, 20.0, 0.99
    exact = (torch.randn(n, k, generator=generator) * 3 + offset).double()
    q = F.one_hot(torch.randint(k, (n,), generator=generator), k).double()
    labels = q.argmax(1)
    if name == "mixed":
        labels = q = 0.7 * q + 0.3 * q.flip(0)
    said = (torch.randn(n, k, generator=generator) * 3 + offset).double()
    if name == "network":
        t = (said / tau).softmax(1)
    else:
        tempered = torch.full((k, k), ((1 - a) / (k - 1)) ** (1 / tau), dtype=torch.float64)
        t = q @ tempered.fill_diagonal_(a ** (1 / tau)).div(tempered.sum(1, keepdim=True))
    divergence = (t * (t.log() - (exact / tau).log_softmax(1))).sum(1)
    expected = -(1 - alpha) * (q * exact.log_softmax(1)).sum(1) + alpha * tau**2 * divergence
    teacher = said.float() if name == "network" else math.log(a * (k - 1) / (1 - a))
    for grad in (True, False):
        logits = exact.float().requires_grad_(grad)
        soft = labels.float() if name == "mixed" else labels
        ours = tfkd.distillation_loss(
            logits, soft, teacher, alpha=alpha, temperature=tau, reduction="none"
        )
        assert ((ours.detach() - expected).abs() < 2e-6 * (alpha * tau**2 + 10.0)).all()


def test_a_compiled_loss_of_another_class_dim_is_one_graph():
    logits = torch.randn(2, 3, K, generator=torch.Generator().manual_seed(0))
    labels, graphs = torch.tensor([[0, 1, -100], [2, 2, 3]]), []

    def backend(graph, _):
        graphs.append(graph)
        return graph

    torch.compiler.reset()
    criterion = tfkd.tf_kd_reg(class_dim=-1)
    compiled = torch.compile(criterion, fullgraph=True, backend=backend)
    for count in (torch.tensor(5), torch.tensor(7)):
        ours = compiled(input=logits, target=labels, num_items_in_batch=count)
        expected = criterion(logits, labels) * 5 / count
        torch.testing.assert_close(ours, expected)
    assert len(graphs) == 1
