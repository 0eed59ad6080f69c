"""The loss of a teacher's logits in one sweep: against the equation, in blocks, at the edges."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

import tfkd
from tfkd.loss import without_kernels

N, K = 600, 1000  # three blocks
INF = math.inf
ROUNDINGS = 32


def batch(shape, dtype=torch.float32, seed=0):
    """Student's and teacher's logits, and labels."""
    g = torch.Generator().manual_seed(seed)
    z, t = (3 * torch.randn(shape, generator=g, dtype=torch.float64) for _ in range(2))
    labels = torch.randint(shape[1], (shape[0], *shape[2:]), generator=g)
    return z.to(dtype), t.to(dtype), labels


def both(loss_of, z):
    """Loss and gradient as they come, and by the equation."""
    found = []
    for _ in range(2):
        leaf = z.detach().requires_grad_()
        if not found:
            loss = loss_of(leaf)
        else:
            with without_kernels():
                loss = loss_of(leaf)
        found.append((loss.detach(), torch.autograd.grad(loss.sum(), leaf)[0]))
    return found


def agree(loss_of, z, temperature=4.0, size=1.0):
    """Within some roundings of numbers of the size of what they are computed from."""
    ours, expected = both(loss_of, z)
    computed = torch.float32 if z.dtype.itemsize < 4 else z.dtype
    for x, y, power in zip(ours, expected, (2, 1), strict=True):
        atol = ROUNDINGS * torch.finfo(computed).eps * max(1.0, temperature**power) * size
        rtol = ROUNDINGS * torch.finfo(computed).eps + torch.finfo(y.dtype).eps
        torch.testing.assert_close(x, y, rtol=rtol, atol=atol)


def settings(shape, labels, which, dtype):
    """Options of the loss of one kind, and the labels that go with it."""
    g = torch.Generator().manual_seed(1)
    kind = torch.promote_types(dtype, torch.float32)
    options = {"alpha": 0.3, "temperature": 4.0, "scale": 0.7}
    if which == "tau 1":
        options["temperature"] = 1.0
    elif which == "teacher alone":
        options["alpha"] = 1.0
    elif which == "decoupled":
        options["decoupled"] = (1.0, 8.0)
    elif which == "weighed, some ignored, shares":
        shares = {name: torch.rand(labels.shape, generator=g) for name in ("share", "label_share")}
        shares["share"][shares["share"] < 0.2] = 0.0
        options |= {name: share.to(kind) for name, share in shares.items()}
        options |= {"weight": torch.linspace(0.0, 2.0, shape[1], dtype=kind), "ignore_index": 2}
    elif which == "probabilities":
        labels = torch.randn(shape, generator=g).softmax(1).to(dtype)
        options["weight"] = torch.linspace(0.0, 2.0, shape[1], dtype=kind)
    elif which == "each":
        options["reduction"] = "none"
    return labels, options


KINDS = ["plain", "tau 1", "teacher alone", "decoupled", "weighed, some ignored, shares"]
KINDS += ["probabilities", "each"]


@pytest.mark.parametrize("which", KINDS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_blocks_agree_with_the_equation(which, dtype):
    z, t, labels = batch((N, K), dtype)
    labels, options = settings((N, K), labels, which, dtype)
    agree(lambda x: tfkd.distillation_loss(x, labels, t, **options), z, options["temperature"])


@pytest.mark.parametrize("which", KINDS)
@pytest.mark.parametrize("shape", [(6, 5), (3, 4, 2, 3)], ids=str)
def test_teachers_of_another_precision_and_dense_logits(which, shape):
    z, t, labels = batch(shape)
    labels, options = settings(shape, labels, which, torch.float32)
    for said in (t.double(), t.half()):
        agree(lambda x, t=said: tfkd.distillation_loss(x, labels, t, **options), z)
    if len(shape) > 2:
        z, t = (x.movedim(1, -1).contiguous() for x in (z, t))
        last = labels.movedim(1, -1) if which == "probabilities" else labels
        agree(lambda x: tfkd.distillation_loss(x, last, t, class_dim=-1, **options), z)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("decoupled", [None, (1.0, 8.0)], ids=["divergence", "in two parts"])
@pytest.mark.parametrize("shift", [(0.0, 100.0), (-90.0, 0.0), (1e4, -1e4)], ids=str)
def test_what_all_logits_of_a_sample_share_changes_nothing(temperature, decoupled, shift):
    # In the middle of a batch: what goes before in other blocks is done already.
    z, t, labels = (x.clone() for x in batch((N, K), torch.float64))
    options = {"alpha": 0.3, "temperature": temperature, "decoupled": decoupled}

    def loss_of(x, t):
        return tfkd.distillation_loss(x, labels, t, **options)

    leaf = z.requires_grad_()
    expected = loss_of(leaf, t)
    (gradient,) = torch.autograd.grad(expected, leaf)
    far = z.detach().clone()
    far[N // 2] += shift[0]
    t[N // 2] += shift[1]
    far.requires_grad_()
    ours = loss_of(far, t)
    torch.testing.assert_close(ours, expected, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(torch.autograd.grad(ours, far)[0], gradient, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("which", ["both", "teacher", "student"])
def test_classes_that_are_masked_count_nothing_or_infinity(which, temperature, dtype):
    z, t, labels = batch((6, 5), dtype)
    labels = labels.clamp(max=3)
    z[:, 4] = z[:, 4] if which == "teacher" else -INF
    t[:, 4] = t[:, 4] if which == "student" else -INF
    leaf = z.requires_grad_()
    loss = tfkd.distillation_loss(leaf, labels, t, alpha=0.3, temperature=temperature)
    if which == "student":
        assert loss == INF
        return
    # By hand, over the classes that are there to the teacher.
    p, p_tau = leaf.detach().double().softmax(1), (leaf.detach().double() / temperature).softmax(1)
    t_tau = (t.double() / temperature).softmax(1)
    log_ratio = torch.where(t_tau > 0.0, t_tau.log() - p_tau.log(), 0.0)
    expected = 0.7 * F.nll_loss(p.log(), labels)
    expected = expected + 0.3 * temperature**2 * (t_tau * log_ratio).sum(1).mean()
    one_hot = F.one_hot(labels, 5)
    gradient = (0.7 * (p - one_hot) + 0.3 * temperature * (p_tau - t_tau)) / len(z)
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=1e-5)
    eps = torch.finfo(dtype).eps
    (ours,) = torch.autograd.grad(loss, leaf)
    torch.testing.assert_close(ours.double(), gradient, rtol=eps, atol=1e-6)


def test_samples_to_which_nobody_listens_may_be_told_anything():
    z, t, labels = batch((4, 5))
    expected = tfkd.distillation_loss(z[:2], labels[:2], t[:2], alpha=0.3, temperature=4.0)
    t[2:] = math.nan
    labels[2:] = -100
    leaf = z.requires_grad_()
    loss = tfkd.distillation_loss(leaf, labels, t, alpha=0.3, temperature=4.0)
    torch.testing.assert_close(loss, expected)
    (gradient,) = torch.autograd.grad(loss, leaf)
    assert gradient[:2].isfinite().all()
    assert torch.equal(gradient[2:], torch.zeros(2, 5))
    labels[:] = -100
    loss = tfkd.distillation_loss(leaf, labels, t, alpha=0.3, temperature=4.0)
    assert loss.isnan()  # a mean of nothing, as torch has it


def test_nothing_is_kept_for_the_backward_pass_but_what_came():
    z, t, labels = batch((N, K))
    leaf = z.requires_grad_()
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.data_ptr()) or x, id):
        tfkd.distillation_loss(leaf, labels, t, alpha=0.3, temperature=4.0)
    assert set(kept) == {x.data_ptr() for x in (leaf, t, labels)}


def test_a_teacher_is_a_constant_even_of_inference_mode():
    z, t, labels = batch((6, 5), torch.float64)
    with torch.inference_mode():
        said = t.clone()
    learned = t.clone().requires_grad_()
    gradients = []
    for teacher in (t, said, learned):
        leaf = z.clone().requires_grad_()
        loss = tfkd.distillation_loss(leaf, labels, teacher, alpha=0.3, temperature=4.0)
        loss.backward(retain_graph=True)
        leaf.grad = None
        loss.backward()  # is made anew
        gradients.append(leaf.grad)
    assert torch.equal(gradients[0], gradients[1])
    assert torch.equal(gradients[0], gradients[2])
    assert learned.grad is None


@pytest.mark.parametrize("which", ["plain", "decoupled", "probabilities", "each"])
def test_further_derivatives_are_those_of_the_equation(which):
    z, t, labels = batch((4, 3), torch.float64)
    labels, options = settings((4, 3), labels, which, torch.float64)

    def loss_of(x):
        return tfkd.distillation_loss(x, labels, t, **options)

    def found():
        leaf = z.clone().requires_grad_()
        loss = loss_of(leaf)
        upstream = torch.linspace(-1.0, 2.0, loss.numel(), dtype=z.dtype).view(loss.shape)
        (first,) = torch.autograd.grad(loss, leaf, upstream, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), leaf, retain_graph=True)
        several = torch.stack([upstream, -upstream, 0.5 + upstream])
        (batched,) = torch.autograd.grad(
            loss, leaf, several, retain_graph=True, is_grads_batched=True
        )
        (once_more,) = torch.autograd.grad(loss, leaf, upstream)
        return first, second, batched, once_more

    ours = found()
    with without_kernels():
        expected = found()
    for x, y in zip(ours, expected, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("alpha", [0.3, 1.0])
@pytest.mark.parametrize("decoupled", [None, (1.0, 8.0)], ids=["divergence", "in two parts"])
@pytest.mark.parametrize("wrong", [5, -7])
def test_a_label_out_of_range_is_named_as_torch_names_it(alpha, decoupled, wrong):
    z, t, labels = batch((6, 5))
    labels[2] = wrong
    z.requires_grad_()
    with pytest.raises(IndexError) as expected:
        F.cross_entropy(z, labels)
    with pytest.raises(IndexError) as ours:
        tfkd.distillation_loss(z, labels, t, alpha=alpha, temperature=4.0, decoupled=decoupled)
    assert str(ours.value) == str(expected.value)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("which", ["plain", "tau 1", "teacher alone", KINDS[4], "each"])
def test_compiled_it_is_the_same_in_one_graph(which, masked):
    torch.compiler.reset()
    z, t, labels = batch((6, 5), torch.float64)
    labels, options = settings((6, 5), labels.clamp(max=3), which, torch.float64)
    if masked:
        z[:, 4] = t[:, 4] = -INF

    def loss_of(x):
        return tfkd.distillation_loss(x, labels, t, **options)

    names = set()

    def backend(graph, _):
        names.update(getattr(node.target, "__name__", "") for node in graph.graph.nodes)
        return graph

    compiled = torch.compile(loss_of, fullgraph=True, backend=backend)
    found = []
    for way in (compiled, loss_of):
        leaf = z.clone().requires_grad_()
        loss = way(leaf)
        found.append((loss.detach(), torch.autograd.grad(loss.sum(), leaf)[0]))
    assert "exp2" in names
    for ours, expected in zip(*found, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-12)
