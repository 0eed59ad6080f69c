"""Gaps and shares of each sample, the two parts and the standardised view, in all combinations."""

from __future__ import annotations

import contextlib
import random

import numpy as np
import pytest
import torch
from hypothesis import assume
from hypothesis import strategies as st

import tfkd

GAPS = (0.0, 0.5, 6.8, 50.0, -1.5, float("inf"))
SHARES = (0.0, 1.0, 0.3, 2.5)
ROUNDINGS = 2000
"""How many roundings of numbers of their size two ways may lie apart."""


class Says(tfkd.Teacher):
    """One answer, whatever it is asked."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, batch):
        return self.answer


def of_index_shape(case):
    return case.labels.select(case.class_dim, 0).shape if case.soft else case.labels.shape


def drawn(case, seed):
    """The answer of a teacher to a case, and the options of the loss that go with it."""
    chance = random.Random(seed)
    shape, dtype = of_index_shape(case), case.logits.dtype

    def each(choices):
        numbers = [chance.choice(choices) for _ in range(shape.numel())]
        return torch.tensor(numbers, dtype=dtype).reshape(shape)

    def number_or_each(choices):
        kind = chance.choice(["plain", "number", "each"])
        return (
            1.0
            if kind == "plain"
            else chance.choice(choices)
            if kind == "number"
            else each(choices)
        )

    said = each(GAPS) if chance.random() < 0.5 else case.teacher
    answer = tfkd.Answer(said, number_or_each(SHARES), number_or_each(SHARES))
    options = {}
    if not case.soft and chance.random() < 0.3:
        options["decoupled"] = chance.choice([(1.0, 8.0), (0.0, 2.0), (1.5, 0.0)])
    if chance.random() < 0.2:
        options["standardize"] = True
    return answer, case.options | options


def generated(cases, **narrower):
    return st.tuples(cases.cases(kinds=("ordinary",), **narrower), st.integers(0, 2**62))


def is_torchs_nan(case):
    """Whether the label term, which is torch's, is nan: a class of no weight or mass is masked."""
    return case.loss(case.logits, alpha=0.0, reduction="none").isnan().any()


def is_too_sure(said, options):
    """Whether e^(-gap/τ) is nothing in the reference, where the loss has its logarithm."""
    gaps = torch.as_tensor(said, dtype=torch.float64) / options["temperature"]
    return bool(((gaps > 600.0) & gaps.isfinite()).any())


def loss_of(case, answer, options, logits):
    given = {"share": answer.share, "label_share": answer.label_share}
    return tfkd.distillation_loss(logits, case.labels, answer.logits, **given, **options)


def value_and_grad(loss, z):
    return loss.detach(), torch.autograd.grad(loss.sum(), z)[0]


def size_of(case, options):
    """An upper bound of what is rounded in the loss, and in the gradient."""
    tau, weight = options["temperature"], 3.0 if options["weight"] is not None else 1.0
    largest = options["scale"] * weight * 3.0 * 8.0
    if options.get("standardize"):  # logits that lie close together are torn apart
        largest *= 100.0
    return largest * max(1.0, tau) ** 2


def close(ours, expected, size, eps, note):
    ours, expected = (np.asarray(torch.as_tensor(x).detach().double()) for x in (ours, expected))
    assert ours.shape == expected.shape, note
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(ours[~finite], expected[~finite], err_msg=str(note))
    error = np.abs(ours[finite] - expected[finite])
    assert (error <= ROUNDINGS * eps * (size + np.abs(expected[finite]))).all(), (error.max(), note)


def in_the_reference(reference, case, answer, options):
    """The loss of each position, and its gradient."""
    weight, said = options["weight"], answer.logits
    if not isinstance(said, torch.Tensor):
        teacher = {"by_class": reference.gap_rows(said, case.num_classes)}
    elif said.shape == case.logits.shape:
        teacher = {"dense": said.double().numpy()}
    else:
        teacher = {"gaps": said.double().numpy()}
    shares = {
        name: np.asarray(torch.as_tensor(getattr(answer, name), dtype=torch.float64))
        for name in ("share", "label_share")
    }
    own = {"weight": None if weight is None else weight.double().numpy(), "reduction": "none"}
    labels = case.labels.double() if case.soft else case.labels
    with np.errstate(invalid="ignore", divide="ignore"):
        return reference.distillation(
            case.logits.double().numpy(), labels.numpy(), **teacher, **shares, **(options | own)
        )


@pytest.mark.usefixtures("either_way")
def test_value_and_gradient_are_those_of_the_equation(cases, reference, examples):
    @cases.for_all(2 * examples, generated(cases, dtypes=(torch.float64,)))
    def check(drawn_case):
        case, seed = drawn_case
        answer, options = drawn(case, seed)
        note = (case, answer, options)
        assume(not is_torchs_nan(case))
        assume(not (options.get("standardize") and case.logits.isinf().any()))  # a test of its own
        assume("decoupled" not in options or not is_too_sure(answer.logits, options))
        expected = in_the_reference(reference, case, answer, options)
        assume(not np.isnan(expected.loss).any())
        eps, size = torch.finfo(case.logits.dtype).eps, size_of(case, options)
        z = case.leaf()
        by_position, grad = value_and_grad(
            loss_of(case, answer, options | {"reduction": "none"}, z), z
        )
        assume(not by_position.isnan().any() or np.isfinite(expected.loss).all())
        close(by_position, expected.loss, size, eps, note)
        finite = np.expand_dims(np.isfinite(expected.loss), case.class_dim)
        ours = torch.where(torch.from_numpy(finite), grad, 0.0)
        close(ours, np.where(finite, expected.grad, 0.0), size, eps, note)
        if np.isfinite(expected.loss).all() and expected.divisor > 0.0:
            z = case.leaf()
            reduced, grad = value_and_grad(loss_of(case, answer, options, z), z)
            by = {"mean": expected.divisor, "sum": 1.0, "none": 1.0}[options["reduction"]]
            total = expected.loss if options["reduction"] == "none" else expected.loss.sum() / by
            close(reduced, total, size * by_position.numel(), eps, note)
            close(grad, expected.grad / by, size, eps, note)


def test_the_module_and_no_gradient_give_the_same(cases, examples):
    @cases.for_all(examples, generated(cases, dtypes=(torch.float64,), masks=False))
    def check(drawn_case):
        case, seed = drawn_case
        answer, options = drawn(case, seed)
        z = case.leaf()
        loss = loss_of(case, answer, options, z)
        module = tfkd.DistillationLoss(Says(answer), **options)
        ours = module(z, case.labels)
        if options["alpha"] == 0.0:  # it is not asked
            plain = options | {"reduction": options["reduction"]}
            loss = tfkd.DistillationLoss(tfkd.UniformTeacher(), **plain)(z, case.labels)
        assert torch.equal(ours.nan_to_num(7.0), loss.nan_to_num(7.0)), (case, answer, options)
        close(module(case.logits, case.labels), loss, size_of(case, options), 1e-15, case)


def test_kernels_agree_with_the_equation(cases, examples):
    @cases.for_all(2 * examples, generated(cases, dtypes=(torch.float64, torch.float32)))
    def check(drawn_case):
        case, seed = drawn_case
        answer, options = drawn(case, seed)
        assume(not is_torchs_nan(case))
        both = []
        for around in (contextlib.nullcontext(), tfkd.loss.without_kernels()):
            with around:
                z = case.leaf()
                both.append(
                    value_and_grad(loss_of(case, answer, options | {"reduction": "none"}, z), z)
                )
        (value, grad), (expected, expected_grad) = both
        eps, size = torch.finfo(case.logits.dtype).eps, size_of(case, options)
        # Infinite or not, by probabilities that are too small for the dtype.
        assume(case.logits.dtype == torch.float64 or expected.isfinite().all())
        close(value, expected, size, eps, (case, answer, options))
        finite = expected.isfinite().unsqueeze(case.class_dim)
        ours, theirs = (torch.where(finite, x, 0.0) for x in (grad, expected_grad))
        close(ours, theirs, size, eps, (case, answer, options))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(cases, examples, dtype):
    @cases.for_all(examples, generated(cases, dtypes=(dtype,), alphas=(0.3, 1.0), masks=False))
    def check(drawn_case):
        case, seed = drawn_case
        answer, options = drawn(case, seed)
        assume(options["alpha"] > 0.0)
        exact = case.replace(
            logits=case.logits.double(),
            labels=case.labels.double() if case.soft else case.labels,
            teacher=case.teacher.double()
            if isinstance(case.teacher, torch.Tensor)
            else case.teacher,
        )
        weight = options["weight"]
        wide = options | {"weight": None if weight is None else weight.double()}
        said = tfkd.Answer(*(x.double() if isinstance(x, torch.Tensor) else x for x in answer))
        loss = loss_of(case, answer, options, case.leaf())
        assert loss.dtype == torch.float32
        eps, size = torch.finfo(torch.float32).eps, size_of(case, options)
        close(loss, loss_of(exact, said, wide, exact.leaf()), size, eps, (case, answer, options))
