"""Every kernel against the equation, and the switch between them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import assume
from torch.utils._python_dispatch import TorchDispatchMode

import tfkd
from tfkd.loss import without_kernels

K = 5
SHAPES = {"unbatched": (K,), "batch": (6, K), "dense": (2, K, 1, 2)}
DTYPES = (torch.float64, torch.float32)
ROUNDINGS = 32
"""How many roundings two ways to compute a loss may lie apart: of numbers of the size of τ² in the
loss, where logarithms that nearly cancel are multiplied by it, and of τ in the gradient."""
WEIGHT = (0.5, 2.0, 1.0, 0.0, 3.0)


def batch(shape, soft, dtype, seed=0):
    """Student logits, labels and inputs."""
    g = torch.Generator().manual_seed(seed)
    dim = 0 if len(shape) == 1 else 1
    z = 3 * torch.randn(shape, generator=g, dtype=torch.float64)
    if soft:
        labels = torch.randn(shape, generator=g, dtype=torch.float64).softmax(dim).to(dtype)
    else:
        labels = torch.randint(0, 3, shape[:dim] + shape[dim + 1 :], generator=g)
    inputs = torch.randn((*shape[:dim], 3, *shape[dim + 1 :]), generator=g, dtype=torch.float64)
    return z.to(dtype), labels, inputs


def value_and_grad(loss_of, z):
    """The loss with a gradient, the gradient, and the loss without one."""
    leaf = z.clone().requires_grad_()
    loss = loss_of(leaf)
    return loss.detach(), torch.autograd.grad(loss.sum(), leaf)[0], loss_of(z)


def by_equation(loss_of, z):
    with without_kernels():
        return value_and_grad(loss_of, z)


def agree(loss_of, z, temperature, note):
    rounding = ROUNDINGS * torch.finfo(z.dtype).eps
    sizes = (max(1.0, temperature**power) for power in (2, 1, 2))
    pairs = zip(value_and_grad(loss_of, z), by_equation(loss_of, z), sizes, strict=True)
    for ours, expected, size in pairs:
        torch.testing.assert_close(
            ours, expected, rtol=rounding, atol=rounding * size, msg=lambda m: f"{m}\n{note}"
        )


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("soft", [False, True], ids=["indices", "probabilities"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_kernels_agree_with_the_equation_for_every_teacher(teacher_row, shape, soft, dtype):
    z, labels, inputs = batch(shape, soft, dtype)
    teacher = teacher_row.build(K)
    ignored = (-100,) if soft or len(shape) == 1 else (-100, 1)
    for alpha, temperature, weight, ignore_index, reduction in itertools.product(
        (0.0, 0.3, 1.0), (0.5, 1.0, 20.0), (None, WEIGHT), ignored, ("mean", "sum", "none")
    ):
        criterion = tfkd.DistillationLoss(
            teacher,
            alpha=alpha,
            temperature=temperature,
            scale=0.7,
            weight=None if weight is None else torch.tensor(weight, dtype=dtype),
            ignore_index=ignore_index,
            reduction=reduction,
        )
        agree(
            lambda x, criterion=criterion: criterion(x, labels, inputs), z, temperature, criterion
        )


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("weighed", [False, True], ids=["plain", "weighed, some ignored"])
@pytest.mark.parametrize("temperature", [1.0, 20.0])
def test_a_sweep_in_several_blocks_agrees_with_the_equation(dtype, weighed, temperature):
    shape = (400, 3000)  # more than two blocks
    z, labels, _ = batch(shape, False, dtype)
    options = {}
    if weighed:
        options = {"weight": torch.linspace(0.0, 2.0, shape[1], dtype=dtype), "ignore_index": 2}
    agree(
        lambda x: tfkd.distillation_loss(
            x, labels, 6.8, alpha=0.1, temperature=temperature, **options
        ),
        z,
        temperature,
        options,
    )


def test_kernels_agree_with_the_equation_on_generated_cases(cases, examples):
    @cases.for_all(4 * examples, cases.cases())
    def check(case):
        allowed = cases.tolerance(case)
        if case.options["reduction"] == "mean" and allowed.divisor == 0.0:
            assert all(x.isnan() for x in (case.loss(case.leaf()), case.loss(case.logits)))
            return
        if case.options["alpha"] < 1.0:
            # nan by torch's label term, where a class of no weight, or no mass, is masked.
            assume(not case.loss(case.logits, alpha=0.0, reduction="none").isnan().any())
        by_sample = case.loss(case.logits, reduction="none").double()
        with np.errstate(invalid="ignore", divide="ignore"):
            loss = 2.0 * allowed.reduced(by_sample.numpy(), case.options["reduction"])
        bounds = [torch.as_tensor(bound) for bound in (loss, 2.0 * allowed.grad, loss)]
        assume(not allowed.vanishing.any())  # infinite or not, by probabilities too small
        of_classes = by_sample.isfinite().unsqueeze(case.class_dim)
        ours, expected = value_and_grad(case.loss, case.logits), by_equation(case.loss, case.logits)
        for i, (x, y, bound) in enumerate(zip(ours, expected, bounds, strict=True)):
            assert x.dtype == y.dtype and x.shape == y.shape
            x, y = x.double(), y.double()
            if i == 1:  # where a loss is infinite its gradient is undefined
                x, y = (torch.where(of_classes, g, 0.0) for g in (x, y))
            finite = y.isfinite()
            assert torch.equal(x[~finite].nan_to_num(7.0), y[~finite].nan_to_num(7.0)), case
            assert ((x - y).abs() <= bound)[finite].all(), case


class Operations(TorchDispatchMode):
    """Notes the names of the operations that run."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def operations(loss_of, z):
    with Operations() as run:
        loss_of(z)
    return run.names


def loss_of(labels, teacher, alpha=0.3, **options):
    return lambda z: tfkd.distillation_loss(
        z, labels, teacher, alpha=alpha, temperature=4.0, **options
    )


@pytest.mark.parametrize("gradient", [False, True], ids=["value", "gradient"])
@pytest.mark.parametrize("soft", [False, True], ids=["indices", "probabilities"])
def test_the_switch_changes_the_path_of_a_gap_teacher(gradient, soft):
    z, labels, _ = batch(SHAPES["batch"], soft, torch.float64)
    z.requires_grad_(gradient)
    loss = loss_of(labels, 6.8)
    before = operations(loss, z)
    with without_kernels():
        within = operations(loss, z)
        with without_kernels():
            assert operations(loss, z) == within
        assert operations(loss, z) == within
    # The equation takes a target's logarithms, and their exponentials; the kernels do not.
    taken = {"_log_softmax", "exp", "log" if soft else "log_sigmoid_forward"}
    assert taken <= within
    assert not taken <= before
    assert operations(loss, z) == before


@pytest.mark.parametrize("decoupled", [None, (1.0, 8.0)], ids=["divergence", "in two parts"])
@pytest.mark.parametrize("soft", [False, True], ids=["indices", "probabilities"])
def test_the_switch_changes_the_path_of_a_teachers_logits(decoupled, soft):
    if soft and decoupled is not None:
        pytest.skip("of a mixture no class is the true one")
    z, labels, _ = batch(SHAPES["batch"], soft, torch.float64)
    loss = loss_of(labels, z.flip(0), decoupled=decoupled)
    assert "exp2_" in operations(loss, z.requires_grad_())
    with without_kernels():
        assert "exp2_" not in operations(loss, z)
    assert "exp2_" not in operations(loss, z.detach())  # without a gradient there is no need


@pytest.mark.parametrize("kind", ["standardised logits", "gap"])
def test_the_switch_changes_nothing_where_there_is_no_kernel(kind):
    z, labels, _ = batch(SHAPES["batch"], False, torch.float64)
    # Others have kernels but where alpha is 0.
    loss = loss_of(labels, 6.8, alpha=0.0)
    if kind == "standardised logits":
        loss = loss_of(labels, z.flip(0), standardize=True)
    before = operations(loss, z)
    with without_kernels():
        assert operations(loss, z) == before
    assert all(
        torch.equal(x, y)
        for x, y in zip(value_and_grad(loss, z), by_equation(loss, z), strict=True)
    )


def test_the_switch_turns_back_after_an_error_and_decorates():
    z, labels, _ = batch(SHAPES["batch"], False, torch.float64)
    loss = loss_of(labels, 6.8)
    before = operations(loss, z)
    with pytest.raises(ValueError, match="alpha"), without_kernels():
        loss_of(labels, 6.8, alpha=2.0)(z)
    assert operations(loss, z) == before
    assert operations(without_kernels()(loss), z) != before


def test_the_switch_may_change_between_the_passes():
    z, labels, _ = batch(SHAPES["batch"], False, torch.float64)
    loss_of_z = loss_of(labels, 6.8)
    _, expected, _ = value_and_grad(loss_of_z, z)
    leaf = z.requires_grad_()
    loss = loss_of_z(leaf)
    with without_kernels():
        (gradient,) = torch.autograd.grad(loss, leaf)
    assert torch.equal(gradient, expected)


def test_what_is_compiled_follows_the_switch():
    torch.compiler.reset()
    z, labels, _ = batch(SHAPES["batch"], False, torch.float64)
    graphs = []

    def backend(graph, _):
        graphs.append({node.target.__name__ for node in graph.graph.nodes if callable(node.target)})
        return graph

    loss = torch.compile(loss_of(labels, 6.8), fullgraph=True, backend=backend)
    expected = value_and_grad(loss, z)
    for ours, theirs in zip(by_equation(loss, z), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    assert {"log_softmax" in names for names in graphs} == {False, True}


class Calls(TorchDispatchMode):
    """Notes the operations that run, in their order, with the shapes that they give."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        shape = tuple(out.shape) if isinstance(out, torch.Tensor) else None
        self.calls.append((func.name(), shape))
        return out


def test_a_teacher_without_state_costs_what_its_function_costs(teacher_row):
    z, labels, inputs = batch(SHAPES["batch"], False, torch.float64)
    criterion = tfkd.DistillationLoss(teacher_row.build(K), alpha=0.3, temperature=4.0)
    gap = criterion.teacher.gap(K)
    if gap is None:
        pytest.skip("answers with logits")
    with Calls() as ours:
        criterion(z.clone().requires_grad_(), labels, inputs).backward()
    with Calls() as function:
        loss_of(labels, gap)(z.clone().requires_grad_()).backward()
    assert ours.calls == function.calls
    assert "aten::exp2_" in {name for name, _ in ours.calls}  # of the sweep alone


def test_a_gap_of_each_sample_builds_no_target():
    z, labels, _ = batch(SHAPES["batch"], False, torch.float64)
    gaps, leaf = torch.linspace(0.0, 9.0, len(z), dtype=z.dtype), z.clone().requires_grad_()
    with Calls() as run:
        loss_of(labels, gaps)(leaf).backward()
    filled = ("zeros", "ones", "full", "eye", "one_hot", "scatter", "fill", "arange")
    made = [name for name, shape in run.calls if shape == tuple(z.shape)]
    # But for the gradient of the logit of the true class, which torch makes itself.
    assert not [name for name in made if name.split("::")[1].split(".")[0].strip("_") in filled]
    assert made.count("aten::nll_loss_backward") <= 1
