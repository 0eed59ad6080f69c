"""Properties of the loss over generated cases: the equation, torch, and what follows from them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume

FULL = (torch.float64, torch.float32)


def within(actual, expected, tolerance, note):
    """Equal but for the tolerance; the same where infinite or undefined."""
    actual, expected = (
        x.detach().double().numpy() if isinstance(x, torch.Tensor) else np.asarray(x)
        for x in (actual, expected)
    )
    assert actual.shape == expected.shape, note
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(actual[~finite], expected[~finite], err_msg=str(note))
    error = np.abs(actual[finite] - expected[finite])
    allowed = np.broadcast_to(tolerance, expected.shape)[finite]
    assert (error <= allowed).all(), f"off by {error}, allowed {allowed}: {note}"


def value_and_grad(case, **changed):
    z = case.leaf()
    loss = case.loss(z, **changed)
    return loss.detach(), torch.autograd.grad(loss.sum(), z)[0]


def equation(cases, reference, case):
    """What the float64 reference gives, one loss for each position."""
    weight = case.options["weight"]
    if isinstance(case.teacher, torch.Tensor):
        teacher = {"dense": case.teacher.double().numpy()}
    else:
        teacher = {"by_class": reference.gap_rows(case.teacher, case.num_classes)}
    return reference.distillation(
        case.logits.double().numpy(),
        case.labels.double().numpy() if case.soft else case.labels.numpy(),
        **teacher,
        **{
            **case.options,
            "weight": None if weight is None else weight.double().numpy(),
            "reduction": "none",
        },
    )


@pytest.mark.usefixtures("either_way")
def test_value_and_gradient_are_those_of_the_equation(cases, reference, examples):
    @cases.for_all(4 * examples, cases.cases())
    def check(case):
        if case.options["alpha"] == 0.0:
            assume(
                case.logits.dtype in FULL
            )  # torch's own loss is half precision too, and overflows
        if case.options["alpha"] < 1.0 and not (case.soft and case.options["alpha"] > 0.0):
            # The label term is torch's: nan where a class of no weight, or no mass, is masked.
            assume(not case.loss(case.logits, alpha=0.0, reduction="none").isnan().any())
        value, grad = value_and_grad(case)
        expected, allowed = equation(cases, reference, case), cases.tolerance(case)
        reduction = case.options["reduction"]
        by_position = expected.loss
        if reduction == "none":
            value = torch.where(torch.from_numpy(allowed.vanishing), torch.inf, value)
        elif allowed.vanishing.any():
            assert not value.isnan() or allowed.divisor == 0.0
            return
        with np.errstate(invalid="ignore", divide="ignore"):
            divisor = allowed.divisor if reduction == "mean" else 1.0
            total = by_position if reduction == "none" else by_position.sum() / divisor
            within(value, np.asarray(total), allowed.reduced(by_position, reduction), case)
        finite = np.isfinite(np.expand_dims(by_position, case.class_dim))
        if divisor == 0.0:
            return  # torch's own gradient is nan or 0 there: see the test of what counts nothing
        grad = torch.where(torch.from_numpy(finite), grad, 0.0)
        within(grad, np.where(finite, expected.grad, 0.0) / divisor, allowed.grad, case)
        assert grad.dtype == case.logits.dtype


def test_loss_without_a_gradient_is_the_same(cases, examples):
    @cases.for_all(examples, cases.cases())
    def check(case):
        tolerance = cases.tolerance(case)
        expected = case.loss(case.leaf())
        by_position = case.loss(case.leaf(), reduction="none").detach().double().numpy()
        with np.errstate(invalid="ignore", divide="ignore"):
            allowed = 2.0 * tolerance.reduced(by_position, case.options["reduction"])
        assert expected.requires_grad
        plain = case.loss(case.logits)
        with torch.no_grad():
            silent = case.loss(case.leaf())
        with torch.inference_mode():
            inferred = case.loss(case.logits)
        assert not plain.requires_grad and not silent.requires_grad
        for value in (plain, silent, inferred):
            if tolerance.vanishing.any():
                assert value.shape == expected.shape
            else:
                within(value, expected, allowed, case)


def test_alpha_0_is_cross_entropy(cases, examples):
    @cases.for_all(examples, cases.cases(alphas=(0.0,)))
    def check(case):
        z = case.leaf()
        plain = {name: case.options[name] for name in ("weight", "ignore_index", "reduction")}
        loss = F.cross_entropy(z, case.labels, **plain)
        expected = (loss.detach(), torch.autograd.grad(loss.sum(), z)[0])
        for ours, theirs in zip(value_and_grad(case, scale=1.0), expected, strict=True):
            assert torch.equal(ours.nan_to_num(7.0), theirs.nan_to_num(7.0)), case
            assert ours.dtype == theirs.dtype


def test_a_temperature_is_a_division_of_the_logits(cases, examples):
    # With 2^n nothing is rounded, so that only the order of operations may differ.
    @cases.for_all(examples, cases.cases(alphas=(1.0,), dtypes=FULL))
    def check(case):
        n = round(math.log2(case.options["temperature"]))
        case = case.replace(options={**case.options, "alpha": 1.0, "temperature": 2.0**n})
        assume(case.way == "function")
        ours = case.loss(case.logits, reduction="none")
        cool = case.loss(
            case.logits / 2.0**n, teacher=case.teacher / 2.0**n, temperature=1.0, reduction="none"
        )
        expected = 4.0**n * cool.double().numpy()
        within(ours, expected, cases.tolerance(case).loss, case)


def test_loss_is_a_mixture_of_its_two_terms_times_the_scale(cases, examples):
    @cases.for_all(examples, cases.cases(dtypes=FULL, masks=False))
    def check(case):
        alpha, scale = case.options["alpha"], case.options["scale"]
        terms = [
            case.loss(case.logits, alpha=a, scale=1.0, reduction="none").double()
            for a in (0.0, 1.0)
        ]
        expected = scale * ((1 - alpha) * terms[0] + alpha * terms[1])
        ours = case.loss(case.logits, reduction="none")
        within(ours, expected, 2.0 * cases.tolerance(case).loss, case)


def test_divergence_is_not_negative_and_nothing_where_the_student_is_the_teacher(cases, examples):
    @cases.for_all(examples, cases.cases(alphas=(1.0,), dtypes=FULL))
    def check(case):
        case = case.replace(options={**case.options, "alpha": 1.0, "reduction": "none"})
        assert (case.loss(case.logits).double().numpy() >= -cases.tolerance(case).loss).all(), case
        own = case.replace(teacher=case.logits.clone(), confidence=None)
        value, grad = value_and_grad(own)
        allowed = cases.tolerance(own)
        within(value, np.zeros(value.shape), allowed.loss, own)
        within(grad, np.zeros(grad.shape), allowed.grad, own)


def test_gradient_of_a_sample_sums_to_nothing_over_its_classes(cases, examples):
    @cases.for_all(examples, cases.cases(masks=False))
    def check(case):
        case = case.replace(options={**case.options, "reduction": "sum"})
        _, grad = value_and_grad(case)
        allowed = cases.tolerance(case).grad.sum(case.class_dim)
        within(grad.double().sum(case.class_dim), np.zeros(allowed.shape), allowed, case)


def test_loss_is_convex_in_the_logits(cases, examples):
    @cases.for_all(examples, cases.cases(dtypes=(torch.float64,), masks=False))
    def check(case):
        other = case.logits.flip(0).flip(case.class_dim) / 3.0
        case = case.replace(options={**case.options, "reduction": "none"})
        ends = [case.replace(logits=z) for z in (case.logits, other)]
        allowed = sum(cases.tolerance(end).loss for end in ends)
        middle = case.loss((case.logits + other) / 2.0)
        chord = sum(end.loss(end.logits) for end in ends) / 2.0
        assert ((middle - chord).numpy() <= allowed).all(), case


def test_adding_a_constant_to_the_logits_of_a_sample_changes_nothing(cases, examples):
    @cases.for_all(examples, cases.cases(dtypes=FULL))
    def check(case):
        case = case.replace(options={**case.options, "reduction": "none"})
        unchanged, grad = value_and_grad(case)
        shifted = case.replace(logits=case.logits + 1000.0)
        value, shifted_grad = value_and_grad(shifted)
        allowed = cases.tolerance(case, shift=1000.0)
        ours, theirs = (torch.where(value.isfinite(), x, 0.0) for x in (value, unchanged))
        within(ours, theirs, 2.0 * allowed.loss, case)
        finite = value.isfinite().unsqueeze(case.class_dim)
        ours, theirs = (torch.where(finite, x, 0.0) for x in (shifted_grad, grad))
        within(ours, theirs, 2.0 * allowed.grad, case)


def test_order_of_classes_and_samples_does_not_matter(cases, examples):
    @cases.for_all(examples, cases.cases(masks=False))
    def check(case):
        assume(case.options["ignore_index"] < 0 and not (case.soft and case.logits.dim() == 1))
        dim, k = case.class_dim, case.num_classes
        classes = torch.arange(k).roll(1).flip(0)
        samples = torch.arange(len(case.logits)).flip(0) if dim == 1 else classes

        def reorder(x):
            return x.index_select(dim, classes)[samples] if dim == 1 else x[classes]

        if case.soft:
            labels = reorder(case.labels)
        else:
            labels = torch.where(
                case.labels < 0, case.labels, classes.argsort()[case.labels.clamp(0)]
            )
            labels = labels[samples] if dim == 1 else labels
        weight, teacher = case.options["weight"], case.teacher
        moved = case.replace(
            logits=reorder(case.logits),
            labels=labels,
            teacher=reorder(teacher) if isinstance(teacher, torch.Tensor) else teacher,
            options={**case.options, "weight": None if weight is None else weight[classes]},
        )
        value, grad = value_and_grad(case)
        moved_value, moved_grad = value_and_grad(moved)
        allowed = cases.tolerance(case)
        by_position = case.loss(case.logits, reduction="none").double().numpy()
        if case.options["reduction"] == "none" and dim == 1:
            value, by_position = value[samples], by_position[samples]
            allowed_loss = 2.0 * allowed.loss[samples.numpy()]
        elif allowed.divisor == 0.0:
            return
        else:
            allowed_loss = 2.0 * allowed.reduced(by_position, case.options["reduction"])
        within(moved_value, value, allowed_loss, case)
        within(moved_grad, reorder(grad), 2.0 * reorder(torch.from_numpy(allowed.grad)), case)


def test_strides_do_not_matter(cases, examples):
    @cases.for_all(examples, cases.cases(masks=False))
    def check(case):
        assume(cases.tolerance(case).divisor > 0.0 or case.options["reduction"] != "mean")
        allowed = cases.tolerance(case)
        value, grad = value_and_grad(case)
        by_position = case.loss(case.logits, reduction="none").double().numpy()
        for layout in cases.LAYOUTS:
            other = case.replace(
                logits=cases.laid_out(case.logits.contiguous(), layout),
                labels=cases.laid_out(case.labels.contiguous(), layout),
            )
            ours = value_and_grad(other)
            bound = 2.0 * allowed.reduced(by_position, case.options["reduction"])
            within(ours[0], value, bound, (layout, case))
            within(ours[1], grad, 2.0 * allowed.grad, (layout, case))


def test_one_row_for_all_samples_gets_the_sum_of_their_gradients(cases, examples):
    @cases.for_all(examples, cases.cases(dtypes=(torch.float64,), masks=False))
    def check(case):
        assume(case.class_dim == 1)
        case = case.replace(
            logits=case.logits[:1].expand(case.logits.shape),
            options={**case.options, "reduction": "sum"},
        )
        row = case.logits[:1].clone().requires_grad_()
        grad = torch.autograd.grad(case.loss(row.expand(case.logits.shape)), row)[0]
        _, each = value_and_grad(case)
        within(grad, each.sum(0, keepdim=True), cases.tolerance(case).grad.sum(0)[None], case)


def test_where_nothing_counts_value_and_gradient_are_torchs(cases, examples):
    @cases.for_all(examples, cases.cases(dtypes=FULL, masks=False))
    def check(case):
        assume(not case.soft)
        labels = torch.full_like(case.labels, case.options["ignore_index"])
        z = case.leaf()
        plain = {name: case.options[name] for name in ("weight", "ignore_index", "reduction")}
        loss = F.cross_entropy(z, labels, **plain)
        (grad,) = torch.autograd.grad(loss.sum(), z)
        value, ours = value_and_grad(case.replace(labels=labels))
        assert torch.equal(value.nan_to_num(7.0), loss.detach().nan_to_num(7.0)), case
        assert torch.equal(ours.nan_to_num(7.0), grad.nan_to_num(7.0)), case


def test_reductions_are_of_the_same_losses(cases, examples):
    @cases.for_all(examples, cases.cases())
    def check(case):
        allowed = cases.tolerance(case)
        parts = case.loss(case.logits, reduction="none")
        assert parts.shape == allowed.loss.shape
        assert (parts[torch.from_numpy(ignored(case))] == 0.0).all()
        total = parts.double().sum()
        rounding = cases.SLACK * allowed.eps * parts.numel() * parts[parts.isfinite()].abs().sum()
        within(case.loss(case.logits, reduction="sum"), total, rounding.item(), case)
        mean = case.loss(case.logits, reduction="mean")
        if allowed.divisor == 0.0:
            assert mean.isnan(), case
        else:
            within(mean, total / allowed.divisor, rounding.item() / allowed.divisor, case)


def ignored(case):
    """Where a class index is the one that is ignored."""
    if case.soft:
        return np.zeros(case.labels.movedim(case.class_dim, -1).shape[:-1], dtype=bool)
    return (case.labels == case.options["ignore_index"]).numpy()
