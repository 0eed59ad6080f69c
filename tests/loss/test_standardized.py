"""The view of standardised logits."""

from __future__ import annotations

import math

import pytest
import torch

import tfkd


def drawn(shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(shape, generator=generator, dtype=torch.float64)


def standardized(row):
    mean = sum(row) / len(row)
    sd = math.sqrt(sum((x - mean) ** 2 for x in row) / (len(row) - 1))
    return [(x - mean) / (1e-7 + sd) for x in row]


def divergence(z, t, tau):
    """τ² · KL of one sample, of both logits standardised."""

    def softmax(row):
        e = [math.exp(x / tau) for x in row]
        return [x / sum(e) for x in e]

    p, soft = softmax(standardized(z)), softmax(standardized(t))
    return tau**2 * sum(a * math.log(a / b) for a, b in zip(soft, p, strict=True))


def loss_of(z, t, *, tau=2.0, labels=None, alpha=1.0, **options):
    labels = torch.zeros(len(z), dtype=torch.int64) if labels is None else labels
    return tfkd.distillation_loss(
        z, labels, t, alpha=alpha, temperature=tau, standardize=True, **options
    )


@pytest.mark.parametrize("num_classes", [2, 5])
@pytest.mark.parametrize("tau", [1.0, 2.0])
def test_value_and_gradient_are_those_of_a_loop(num_classes, tau):
    z, t = drawn((4, num_classes)), drawn((4, num_classes), seed=1)

    def loop(z):
        return sum(divergence(a, b, tau) for a, b in zip(z.tolist(), t.tolist(), strict=True)) / 4

    z.requires_grad_()
    loss = loss_of(z, t, tau=tau)
    assert loss.item() == pytest.approx(loop(z.detach()), rel=1e-12, abs=1e-14)
    (gradient,) = torch.autograd.grad(loss, z)
    for at in [(0, 0), (1, 1), (3, num_classes - 1)]:
        change = torch.zeros_like(z)
        change[at] = 1e-6
        slope = (loop(z.detach() + change) - loop(z.detach() - change)) / 2e-6
        assert gradient[at].item() == pytest.approx(slope, rel=1e-6, abs=1e-8)
    assert torch.autograd.gradcheck(lambda z: loss_of(z, t, tau=tau), z)


def test_the_range_and_the_mean_of_either_side_do_not_matter():
    z, t = drawn((4, 5)), drawn((4, 5), seed=1)
    expected = loss_of(z, t).item()
    assert loss_of(30.0 * z - 7.0, 0.01 * t + 5.0).item() == pytest.approx(expected, rel=1e-4)


def test_the_label_term_sees_the_logits_as_they_are():
    z, t, labels = drawn((4, 5)), drawn((4, 5), seed=1), torch.tensor([0, 1, 2, 3])
    both = loss_of(z, t, labels=labels, alpha=0.3)
    label = torch.nn.functional.cross_entropy(z, labels)
    torch.testing.assert_close(both, 0.7 * label + 0.3 * loss_of(z, t, labels=labels))


@pytest.mark.parametrize("decoupled", [None, (1.0, 8.0)])
def test_a_masked_class_is_a_class_left_out(decoupled):
    z, t = drawn((3, 5)), drawn((3, 5), seed=1)
    masked_z, masked_t = z.clone(), t.clone()
    masked_z[:, 3] = masked_t[:, 3] = -math.inf
    masked_z.requires_grad_()
    kept = [0, 1, 2, 4]
    loss = loss_of(masked_z, masked_t, decoupled=decoupled)
    expected = loss_of(z[:, kept], t[:, kept], decoupled=decoupled)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    (gradient,) = torch.autograd.grad(loss, masked_z)
    assert gradient.isfinite().all()
    assert not gradient[:, 3].any()


def test_a_class_that_the_student_alone_masks_costs_infinity():
    z, t = drawn((1, 5)), drawn((1, 5), seed=1)
    z[0, 2] = -math.inf
    assert loss_of(z, t).item() == math.inf


def test_one_class_that_is_left_is_certain():
    z = torch.tensor([[1.0, -math.inf, -math.inf]], requires_grad=True)
    loss = loss_of(z, torch.tensor([[5.0, -math.inf, -math.inf]]))
    (gradient,) = torch.autograd.grad(loss, z)
    assert loss.item() == 0.0
    assert not gradient.any()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
def test_equal_logits_are_uniform_and_have_a_gradient_that_is_a_number(dtype):
    z = torch.full((2, 4), 0.25, dtype=dtype, requires_grad=True)
    t = torch.tensor([[0.0, 1.0, 2.0, 3.0], [1.0, 1.0, 1.0, 1.0]], dtype=dtype)
    loss = loss_of(z, t, reduction="none")
    uniform = tfkd.distillation_loss(
        torch.zeros(4, dtype=torch.float64),
        torch.tensor(0),
        torch.tensor(standardized([0.0, 1.0, 2.0, 3.0]), dtype=torch.float64),
        alpha=1.0,
        temperature=2.0,
    )
    assert loss[0].item() == pytest.approx(uniform.item(), rel=1e-6)
    assert loss[1].item() == 0.0
    (gradient,) = torch.autograd.grad(loss.sum(), z)
    assert not gradient.isnan().any()
    assert not gradient[1].any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_standardised_in_float32(dtype):
    # Squares of such deviations are no numbers of float16.
    z = (drawn((3, 5)) * 1000.0).to(dtype).requires_grad_()
    t = (drawn((3, 5), seed=1) * 1000.0).to(dtype)
    loss, exact = loss_of(z, t), loss_of(z.double(), t.double())
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), rel=1e-5)
    ours, theirs = (torch.autograd.grad(own, z)[0] for own in (loss, exact))
    torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=1e-7)


@pytest.mark.parametrize("gap", [0.0, 2.5, math.inf, "by sample"])
@pytest.mark.parametrize("soft", [False, True])
def test_a_gap_is_standardised_as_the_logits_that_it_stands_for(gap, soft):
    z, labels = drawn((3, 5)), torch.tensor([0, 4, 2])
    gap = torch.tensor([0.0, 1.0, -2.0], dtype=torch.float64) if gap == "by sample" else gap
    t = torch.zeros(3, 5, dtype=torch.float64)
    t[torch.arange(3), labels] = gap if isinstance(gap, torch.Tensor) else min(gap, 1e9)
    q = torch.nn.functional.one_hot(labels, 5).double() if soft else labels
    ours, theirs = loss_of(z, gap, labels=q), loss_of(z, t, labels=q)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-7)


def test_dense_and_unbatched_positions_are_samples():
    z, t = drawn((2, 4, 3)), drawn((2, 4, 3), seed=1)
    labels = torch.tensor([[0, -100, 2], [3, 1, 1]])
    dense = loss_of(z, t, labels=labels, reduction="none")
    for sample in range(2):
        for place in range(3):
            one = loss_of(
                z[sample, :, place],
                t[sample, :, place],
                labels=labels[sample, place],
                reduction="none",
            )
            assert dense[sample, place].item() == pytest.approx(one.item(), rel=1e-12)
