"""Derivatives of the loss over generated cases: every way that torch has to take them agrees."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume
from torch.func import grad as grad_of
from torch.func import hessian, jvp, vmap

import tfkd

# Of torch itself, when it first loads what forward-mode derivatives need.
pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning"),
    pytest.mark.usefixtures("either_way"),
]

DOUBLE = {"dtypes": (torch.float64,), "kinds": ("ordinary", "close"), "masks": False}


def agree(actual, expected, size, note):
    """Equal within 1000 roundings of numbers of this size, or both undefined."""
    eps = torch.finfo(expected.dtype).eps
    torch.testing.assert_close(
        actual,
        expected,
        rtol=1000 * eps,
        atol=1000 * eps * size,
        equal_nan=True,
        msg=lambda m: f"{m}\n{note}",
    )


def size_of(case):
    """An upper bound of the gradient, and of what it is computed from."""
    options = case.options
    largest = 1.0 if options["weight"] is None else 3.0
    return options["scale"] * largest * max(1.0, options["temperature"]) * 2000.0


def ordinary_gradient(case, z=None):
    z = case.leaf() if z is None else z
    return torch.autograd.grad(case.loss(z).sum(), z)[0]


def test_functional_and_forward_derivatives_are_those_of_autograd(cases, examples):
    @cases.for_all(examples, cases.cases(**DOUBLE))
    def check(case):
        assume(case.options["reduction"] != "mean" or cases.tolerance(case).divisor > 0.0)
        expected = ordinary_gradient(case)
        z, size = case.logits, size_of(case)
        direction = torch.linspace(-1.0, 1.0, z.numel(), dtype=z.dtype).view(z.shape)
        agree(grad_of(lambda x: case.loss(x).sum())(z), expected, size, case)
        _, along = jvp(lambda x: case.loss(x).sum(), (z,), (direction,))
        agree(along, (expected * direction).sum(), size * z.numel(), case)


def test_forward_derivative_of_cross_entropy_is_torchs_to_the_last_bit():
    # A number times a scalar would make its forward derivative a float64.
    z, direction = torch.tensor([2.0, 0.5, -1.0]), torch.tensor([1.0, -3.0, 0.3])
    label = torch.tensor(1)
    _, expected = jvp(lambda x: F.cross_entropy(x, label), (z,), (direction,))
    _, ours = jvp(lambda x: tfkd.cross_entropy()(x, label), (z,), (direction,))
    assert ours.dtype == expected.dtype == torch.float32
    assert torch.equal(ours, expected)


def curvature(case):
    """Rows of (1−α)W(diag p − p pᵀ) + αW(diag p_τ − p_τ p_τᵀ) of an unbatched case, times s."""
    alpha, tau, scale = (case.options[n] for n in ("alpha", "temperature", "scale"))
    w = case.options["weight"]
    w = torch.ones_like(case.logits) if w is None else w
    if case.soft:
        weight = (case.labels * w).sum()
    else:
        weight = w[case.labels] if case.labels != case.options["ignore_index"] else w.new_zeros(())
    p, p_tau = case.logits.softmax(0), (case.logits / tau).softmax(0)
    matrices = [torch.diag(x) - torch.outer(x, x) for x in (p, p_tau)]
    return scale * weight * ((1 - alpha) * matrices[0] + alpha * matrices[1])


def test_second_derivative_is_the_covariance_of_the_probabilities(cases, examples):
    @cases.for_all(examples, cases.cases(**DOUBLE))
    def check(case):
        assume(case.logits.dim() == 1)
        case = case.replace(options={**case.options, "reduction": "sum"})
        expected, size = curvature(case), size_of(case)
        agree(hessian(case.loss)(case.logits), expected, size, case)
        z = case.leaf()
        (first,) = torch.autograd.grad(case.loss(z), z, create_graph=True)
        rows = [torch.autograd.grad(g, z, retain_graph=True)[0] for g in first]
        agree(torch.stack(rows), expected, size, case)


def test_gradients_of_both_orders_agree_with_finite_differences(cases, examples):
    # A finite difference has 6 digits of a loss that is not large: no hot temperature.
    @cases.for_all(
        -(-examples // 5), cases.cases(dtypes=(torch.float64,), kinds=("ordinary",), masks=False)
    )
    def check(case):
        assume(case.logits.numel() <= 15 and 0.5 <= case.options["temperature"] <= 20.0)
        assume(case.options["reduction"] != "mean" or cases.tolerance(case).divisor > 0.0)
        z = case.leaf()
        assert torch.autograd.gradcheck(case.loss, (z,), check_forward_ad=True)
        assert torch.autograd.gradgradcheck(case.loss, (z,))


def test_vmap_over_samples_is_the_batch(cases, examples):
    @cases.for_all(examples, cases.cases(**DOUBLE))
    def check(case):
        assume(case.logits.dim() > 1)
        case = case.replace(options={**case.options, "reduction": "none"})
        z, labels, teacher = case.logits, case.labels, case.teacher
        if z.dim() > 2:  # a sample of a dense batch has its classes first, as no batch has
            z, labels = z[..., 0], labels[..., 0]
            teacher = teacher[..., 0] if isinstance(teacher, torch.Tensor) else teacher
        assume(z.dim() == 2)
        batch = case.replace(logits=z, labels=labels, teacher=teacher)
        dims = (0, 0, 0 if isinstance(teacher, torch.Tensor) else None)

        def one(x, y, t):
            return case.loss(x, labels=y, teacher=t)

        size = size_of(batch) * max(1.0, case.options["temperature"])
        agree(vmap(one, dims)(z, labels, teacher), batch.loss(z), size, case)
        each = vmap(grad_of(one), dims)(z, labels, teacher)
        agree(each, ordinary_gradient(batch), size, case)


def test_second_backward_pass_and_a_scaled_one_give_multiples(cases, examples):
    @cases.for_all(examples, cases.cases(masks=False))
    def check(case):
        z = case.leaf()
        loss = case.loss(z)
        expected = ordinary_gradient(case)
        loss.sum().backward(retain_graph=True)
        assert torch.equal(z.grad.nan_to_num(7.0), expected.nan_to_num(7.0)), case
        # What a caller does with a gradient is his own matter.
        z.grad.fill_(3.0)
        loss.sum().backward(retain_graph=True)
        assert torch.equal((z.grad - 3.0).isnan(), expected.isnan()), case
        (again,) = torch.autograd.grad(loss.sum(), z, retain_graph=True)
        again.mul_(0.0)
        # A power of two is exact, short of half precision's smallest numbers.
        (quarter,) = torch.autograd.grad(4.0 * loss.sum(), z)
        least = 4.0 * torch.finfo(z.dtype).tiny
        torch.testing.assert_close(
            quarter / 4.0, expected, rtol=0.0, atol=least, equal_nan=True, msg=str(case)
        )
        torch.testing.assert_close(
            ordinary_gradient(case), expected, rtol=0.0, atol=0.0, equal_nan=True
        )


def test_each_position_is_weighed_by_its_own_upstream_gradient(cases, examples):
    @cases.for_all(examples, cases.cases(masks=False, dtypes=(torch.float64, torch.float32)))
    def check(case):
        case = case.replace(options={**case.options, "reduction": "none"})
        z = case.leaf()
        loss = case.loss(z)
        upstream = 2.0 ** torch.arange(loss.numel(), dtype=loss.dtype).view(loss.shape)
        upstream[upstream == 2.0] = -1.0
        upstream[upstream == 4.0] = 0.0
        (ours,) = torch.autograd.grad(loss, z, upstream)
        expected = upstream.unsqueeze(case.class_dim) * ordinary_gradient(case)
        # Powers of two are exact, short of the smallest numbers.
        least = torch.finfo(z.dtype).tiny
        torch.testing.assert_close(ours, expected, rtol=0.0, atol=least, msg=str(case))


def test_gradient_reaches_what_the_logits_come_from(cases, examples):
    # Through a graph below the loss and one above it, as in a training step.
    @cases.for_all(examples, cases.cases(masks=False, dtypes=(torch.float64,)))
    def check(case):
        case = case.replace(options={**case.options, "reduction": "sum"})
        factor = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
        (3.0 * case.loss(case.logits * factor)).backward()
        expected = 3.0 * (ordinary_gradient(case) * case.logits).sum()
        size = size_of(case) * case.logits.abs().sum().item()
        agree(factor.grad, expected, size, case)


def test_probability_labels_that_are_learned_get_their_gradient(cases, examples):
    # Up to a constant for each sample: labels are probabilities, and stay so.
    @cases.for_all(examples, cases.cases(**DOUBLE, alphas=(0.3,), soft=True))
    def check(case):
        assume(isinstance(case.teacher, torch.Tensor) and case.options["alpha"] < 1.0)
        case = case.replace(options={**case.options, "reduction": "sum", "weight": None})
        dim, scale = case.class_dim, (1.0 - case.options["alpha"]) * case.options["scale"]
        labels = (case.labels.double() + 0.1).requires_grad_()
        log_p = case.logits.log_softmax(dim)
        (ours,) = torch.autograd.grad(case.loss(case.logits, labels=labels), labels)
        expected = -scale * (log_p - log_p.mean(dim, keepdim=True))
        agree(ours - ours.mean(dim, keepdim=True), expected, size_of(case), case)


@pytest.mark.parametrize("changed", ["logits", "labels", "teacher", "weight"])
def test_what_changes_between_the_passes_is_noticed_or_does_not_matter(cases, examples, changed):
    @cases.for_all(
        -(-examples // 4), cases.cases(masks=False, dtypes=(torch.float64, torch.float32))
    )
    def check(case):
        teacher, weight = case.teacher, case.options["weight"]
        expected = ordinary_gradient(case)
        logits = case.leaf().clone()
        teacher = teacher.clone() if isinstance(teacher, torch.Tensor) else teacher
        weight = None if weight is None else weight.clone()
        labels = case.labels.clone()
        loss = case.loss(logits, teacher=teacher, labels=labels, weight=weight)
        victim = {"logits": logits, "labels": labels, "teacher": teacher, "weight": weight}[changed]
        assume(isinstance(victim, torch.Tensor))
        with torch.no_grad():
            victim.copy_(victim.flip(0).clone()).mul_(0)
        try:
            (ours,) = torch.autograd.grad(loss.sum(), logits)
        except RuntimeError as error:
            assert "modified by an inplace operation" in str(error)
        else:
            torch.testing.assert_close(ours, expected, rtol=0.0, atol=0.0, equal_nan=True)


def test_arguments_are_left_as_they_were_and_the_answer_is_the_same_again(cases, examples):
    @cases.for_all(examples, cases.cases())
    def check(case):
        tensors = [case.logits, case.labels, case.teacher, case.options["weight"]]
        tensors = [x for x in tensors if isinstance(x, torch.Tensor)]
        before = [x.clone() for x in tensors]
        first, second = (ordinary_gradient(case) for _ in range(2))
        assert torch.equal(first.nan_to_num(7.0), second.nan_to_num(7.0))
        assert all(torch.equal(x, y) for x, y in zip(tensors, before, strict=True))
