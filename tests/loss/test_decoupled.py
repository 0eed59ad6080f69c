"""The divergence in two parts: the true class, and the wrong ones among themselves."""

from __future__ import annotations

import math

import pytest
import torch

import tfkd

INF = math.inf


def softmax(row):
    e = [math.exp(x - max(row)) for x in row]
    return [x / sum(e) for x in e]


def times_log(p, ratio):
    return 0.0 if p == 0.0 else p * math.log(ratio)


def by_loop(z, t, y, weights, tau):
    """target · kl(t_y ‖ p_y) + non_target · KL(t̂ ‖ p̂) of one sample, times τ²."""
    p, t_soft = softmax([x / tau for x in z]), softmax([x / tau for x in t])
    others = [k for k in range(len(z)) if k != y]
    binary = times_log(t_soft[y], t_soft[y] / p[y])
    wrong_t, wrong_p = sum(t_soft[k] for k in others), sum(p[k] for k in others)
    binary += times_log(wrong_t, wrong_t / wrong_p)
    among = 0.0
    for k in others:
        if wrong_t > 0.0:
            among += times_log(t_soft[k] / wrong_t, (t_soft[k] / wrong_t) / (p[k] / wrong_p))
    return tau**2 * (weights[0] * binary + weights[1] * among)


def numerical_gradient(loss, z, step=1e-6):
    gradient = torch.zeros_like(z)
    flat = gradient.view(-1)
    for at in range(z.numel()):
        change = torch.zeros_like(z)
        change.view(-1)[at] = step
        flat[at] = (loss(z + change) - loss(z - change)) / (2 * step)
    return gradient


def drawn(shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("weights", [(1.0, 8.0), (0.0, 1.0), (2.0, 0.0)])
@pytest.mark.parametrize("num_classes", [2, 6])
@pytest.mark.parametrize("tau", [1.0, 4.0])
def test_value_and_gradient_are_those_of_a_loop(weights, num_classes, tau):
    z, t = drawn((5, num_classes)), drawn((5, num_classes), seed=1)
    labels = torch.arange(5) % num_classes

    def loop(z):
        rows = zip(z.tolist(), t.tolist(), labels.tolist(), strict=True)
        return sum(by_loop(*row, weights, tau) for row in rows) / 5

    z.requires_grad_()
    loss = tfkd.distillation_loss(z, labels, t, alpha=1.0, temperature=tau, decoupled=weights)
    assert loss.item() == pytest.approx(loop(z.detach()), rel=1e-12, abs=1e-14)
    (gradient,) = torch.autograd.grad(loss, z)
    torch.testing.assert_close(gradient, numerical_gradient(loop, z.detach()), rtol=1e-7, atol=1e-8)
    assert torch.autograd.gradgradcheck(
        lambda z: tfkd.distillation_loss(
            z, labels, t, alpha=1.0, temperature=tau, decoupled=weights
        ),
        z,
    )


@pytest.mark.parametrize("tau", [1.0, 4.0])
def test_dkd_with_beta_of_1_less_the_teachers_confidence_is_kd(tau):
    z, t, labels = drawn((6, 5)).requires_grad_(), drawn((6, 5), seed=1), torch.arange(6) % 5
    parts = torch.stack(
        [
            tfkd.distillation_loss(
                z[i], labels[i], t[i], alpha=0.4, temperature=tau, decoupled=(1.0, 1.0 - t_y)
            )
            for i, t_y in enumerate((t / tau).softmax(1)[torch.arange(6), labels].tolist())
        ]
    )
    whole = tfkd.distillation_loss(z, labels, t, alpha=0.4, temperature=tau, reduction="none")
    torch.testing.assert_close(parts, whole, rtol=1e-12, atol=1e-14)
    ours, kd = (torch.autograd.grad(loss.sum(), z)[0] for loss in (parts, whole))
    torch.testing.assert_close(ours, kd, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("gap", [0.0, 2.5, INF, "by sample"])
def test_a_gap_is_the_logits_that_it_stands_for(gap):
    z, labels = drawn((4, 5)).requires_grad_(), torch.tensor([0, 4, 2, 2])
    gap = torch.tensor([0.0, 1.0, -2.0, 30.0], dtype=torch.float64) if gap == "by sample" else gap
    t = torch.zeros(4, 5, dtype=torch.float64)
    t[torch.arange(4), labels] = gap if isinstance(gap, torch.Tensor) else min(gap, 1e4)
    options = {"alpha": 0.5, "temperature": 4.0, "decoupled": (1.0, 8.0)}
    ours = tfkd.distillation_loss(z, labels, gap, **options)
    theirs = tfkd.distillation_loss(z, labels, t, **options)
    if gap is INF:  # a certain teacher says nothing of the wrong classes; one nearly so does
        z_only = {**options, "decoupled": (1.0, 0.0)}
        theirs = tfkd.distillation_loss(z, labels, t, **z_only)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(
        torch.autograd.grad(ours, z)[0], torch.autograd.grad(theirs, z)[0], rtol=1e-9, atol=1e-12
    )


# What is masked: student, teacher, loss (None: infinite).
MASKED = [
    ("the teacher is certain", [1.0, -1.0, 0.5], [0.0, -INF, -INF], "finite"),
    ("both mask a wrong class", [1.0, -1.0, -INF], [0.3, 0.2, -INF], "finite"),
    ("the student alone masks a wrong class", [1.0, -1.0, -INF], [0.3, 0.2, 0.1], "infinite"),
    ("the teacher alone masks the true class", [1.0, 0.0, 2.0], [-INF, 0.1, 0.0], "finite"),
    ("both mask the true class", [-INF, 0.0, 2.0], [-INF, 0.1, 0.0], "finite"),
    ("both mask all wrong classes", [1.0, -INF, -INF], [0.3, -INF, -INF], "zero"),
    ("the student masks all wrong classes", [1.0, -INF, -INF], [0.3, 0.1, -1.0], "infinite"),
    ("both mask the one wrong class", [1.0, -INF], [0.5, -INF], "zero"),
    ("the student masks the one wrong class", [1.0, -INF], [0.5, 0.1], "infinite"),
    ("the teacher masks the one wrong class", [1.0, 0.2], [0.5, -INF], "finite"),
]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("student", "teacher", "expected"), [row[1:] for row in MASKED])
def test_masked_classes(student, teacher, expected, dtype):
    z = torch.tensor([student], dtype=dtype).requires_grad_()
    t = torch.tensor([teacher], dtype=dtype)
    labels = torch.tensor([0])
    loss = tfkd.distillation_loss(
        z, labels, t, alpha=1.0, temperature=2.0, decoupled=(1.0, 8.0), reduction="sum"
    )
    (gradient,) = torch.autograd.grad(loss, z)
    assert not gradient.isnan().any()
    if expected == "infinite":
        assert loss.item() == INF
        return
    assert loss.isfinite()
    assert gradient.isfinite().all()
    assert (gradient[z.isinf()] == 0.0).all()
    if expected == "zero":
        assert loss.item() == 0.0
        assert not gradient.any()
        return
    kept = [k for k in range(len(student)) if student[k] > -INF]
    if 0 in kept:  # without what the student masks, where the loss is finite
        rounding = 1e-12 if dtype == torch.float64 else 1e-3
        exact_z = [z[0, k].item() for k in kept]
        exact_t = [max(t[0, k].item(), -1e4) for k in kept]
        if sum(teacher[k] > -INF for k in kept) > 1:
            by_hand = by_loop(exact_z, exact_t, 0, (1.0, 8.0), 2.0)
        else:
            by_hand = by_loop(exact_z, exact_t, 0, (1.0, 0.0), 2.0)
        assert loss.item() == pytest.approx(by_hand, rel=rounding)


def test_a_true_class_that_the_student_alone_masks_costs_infinity():
    z = torch.tensor([[-INF, 0.0, 1.0]])
    t = torch.tensor([[1.0, 0.0, 1.0]])
    loss = tfkd.distillation_loss(z, torch.tensor([0]), t, alpha=1.0, decoupled=(1.0, 8.0))
    assert loss.item() == INF


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_logits_of_10000_stay_finite(dtype):
    z = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 3.0]], dtype=dtype).requires_grad_()
    t = torch.tensor([[-1e4, 1e4, 3.0], [1e4, -1e4, 0.0]], dtype=dtype)
    labels = torch.tensor([0, 0])
    options = {"alpha": 0.5, "temperature": 4.0, "decoupled": (1.0, 8.0)}
    loss = tfkd.distillation_loss(z, labels, t, **options)
    exact = tfkd.distillation_loss(z.double(), labels, t.double(), **options)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), rel=1e-6)
    ours, theirs = (torch.autograd.grad(own, z)[0] for own in (loss, exact))
    torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=1e-3)


def test_the_true_class_is_told_to_the_last_digit_where_both_are_sure():
    # 1 − p_y is 2e-14 here: as a difference of 1 and p_y in float32 it would be nothing.
    z, t = torch.tensor([[32.0, 0.0, 0.0]]), torch.tensor([[34.0, 1.0, 0.0]])
    options = {"alpha": 1.0, "decoupled": (1.0, 0.0)}
    labels = torch.tensor([2])
    single = tfkd.distillation_loss(z, labels, t, **options)
    double = tfkd.distillation_loss(z.double(), labels, t.double(), **options)
    assert single.item() == pytest.approx(double.item(), rel=1e-5)


@pytest.mark.parametrize("ignore_index", [-100, 2])
def test_dense_and_unbatched_positions_are_samples(ignore_index):
    z, t = drawn((2, 4, 3, 2)), drawn((2, 4, 3, 2), seed=1)
    labels = torch.randint(4, (2, 3, 2), generator=torch.Generator().manual_seed(2))
    labels[0, 0] = ignore_index
    z[0, 1:, 0] = -INF  # where it is ignored
    options = {"alpha": 0.5, "temperature": 3.0, "decoupled": (1.0, 8.0)}
    options["ignore_index"] = ignore_index
    options["weight"] = torch.tensor([1.0, 0.5, 2.0, 3.0], dtype=torch.float64)
    z.requires_grad_()
    dense = tfkd.distillation_loss(z, labels, t, **options)
    rows, rows_t = (x.movedim(1, -1).reshape(-1, 4) for x in (z, t))
    flat = tfkd.distillation_loss(rows, labels.flatten(), rows_t, **options)
    assert dense.item() == pytest.approx(flat.item(), rel=1e-12)
    counts = labels.flatten() != ignore_index
    own = tfkd.distillation_loss(rows[counts], labels.flatten()[counts], rows_t[counts], **options)
    assert dense.item() == pytest.approx(own.item(), rel=1e-12)
    (gradient,) = torch.autograd.grad(dense, z)
    assert gradient.isfinite().all()
    assert not gradient[0, :, 0].any()
    one = tfkd.distillation_loss(rows[7], labels.flatten()[7], rows_t[7], **options)
    of_batch = tfkd.distillation_loss(rows[7:8], labels.flatten()[7:8], rows_t[7:8], **options)
    assert one.item() == pytest.approx(of_batch.item(), rel=1e-12)


def test_labels_that_are_probabilities_are_refused():
    q = torch.full((1, 3), 1 / 3)
    with pytest.raises(ValueError, match=r"`labels` that are class indices .* `decoupled`"):
        tfkd.distillation_loss(torch.zeros(1, 3), q, 1.0, alpha=0.5, decoupled=(1.0, 8.0))


def test_an_index_out_of_range_is_refused_as_torch_does():
    options = {"alpha": 1.0, "decoupled": (1.0, 8.0)}
    with pytest.raises((IndexError, RuntimeError)):
        tfkd.distillation_loss(torch.zeros(1, 3), torch.tensor([3]), 1.0, **options)


def test_two_weights_of_nothing_are_refused():
    with pytest.raises(ValueError, match="one of the weights in `decoupled` above 0"):
        tfkd.DistillationLoss(tfkd.UniformTeacher(), alpha=1.0, decoupled=(0.0, 0.0))
