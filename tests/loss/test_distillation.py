"""The loss against the equation in float64, against torch, and against the paper's identities."""

from __future__ import annotations

import copy
import itertools
import math
import pickle
import shutil

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import tfkd

K = 5
SHAPES = {"unbatched": (K,), "batch": (6, K), "dense": (2, K, 1, 2)}
REDUCTIONS = ("mean", "sum", "none")
WEIGHTS = (None, [0.5, 2.0, 1.0, 0.0, 3.0])
ALPHAS = (0.0, 0.3, 1.0)
TEMPERATURES = (0.5, 1.0, 4.0, 20.0)

shapes = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
kinds = pytest.mark.parametrize("soft", [False, True], ids=["indices", "probabilities"])
reductions = pytest.mark.parametrize("reduction", REDUCTIONS)
either_way = pytest.mark.usefixtures("either_way")


def batch(shape, soft, seed=0):
    """Student logits, labels, inputs and other logits, all float64."""
    g = torch.Generator().manual_seed(seed)
    dim = 0 if len(shape) == 1 else 1
    z = 3 * torch.randn(shape, generator=g).double()
    other = 3 * torch.randn(shape, generator=g).double()
    if soft:
        labels = torch.rand(shape, generator=g).double()
        labels = labels / labels.sum(dim, keepdim=True)
    else:
        # Not class 3, whose weight is 0: alone in an unbatched mean it would divide by 0.
        labels = torch.randint(0, 3, shape[:dim] + shape[dim + 1 :], generator=g)
    inputs = torch.randn((*shape[:dim], 3, *shape[dim + 1 :]), generator=g).double()
    return z.requires_grad_(), labels, inputs, other


def settings(soft, shape):
    """Every weight × ignore_index × alpha × temperature that torch admits together."""
    # Class 1 is ignored in batches; unbatched, that label itself would leave nothing to average.
    ignored = (-100,) if soft or len(shape) == 1 else (-100, 1)
    for weight, ignore_index, alpha, temperature in itertools.product(
        WEIGHTS, ignored, ALPHAS, TEMPERATURES
    ):
        yield {
            "weight": None if weight is None else torch.tensor(weight, dtype=torch.float64),
            "ignore_index": ignore_index,
            "alpha": alpha,
            "temperature": temperature,
        }


def value_and_grad(loss, z):
    (grad,) = torch.autograd.grad(loss.sum(), z)
    return loss.detach(), grad


def close(actual, expected, rtol=1e-9, atol=1e-10, note=""):
    np.testing.assert_allclose(
        torch.as_tensor(actual).detach().double().numpy(),
        torch.as_tensor(expected).detach().double().numpy(),
        rtol=rtol,
        atol=atol,
        err_msg=str(note),
    )


def agrees(loss, z, expected, note):
    value, grad = value_and_grad(loss, z)
    assert value.shape == expected.loss.shape, note
    close(value, expected.loss, note=note)
    close(grad, expected.grad, note=note)


def numpy_settings(options):
    weight = options["weight"]
    return {**options, "weight": None if weight is None else weight.numpy()}


@either_way
@shapes
@kinds
@reductions
def test_value_and_gradient_are_those_of_the_equation(
    reference, teacher_row, shape, soft, reduction
):
    z, labels, inputs, _ = batch(shape, soft)
    teacher = teacher_row.build(K)
    teacher_logits = teacher_row.logits(K, inputs)
    for options in settings(soft, shape):
        criterion = tfkd.DistillationLoss(teacher, scale=0.7, reduction=reduction, **options)
        expected = reference.distillation(
            z.detach().numpy(),
            labels.numpy(),
            **teacher_logits,
            **numpy_settings(options),
            scale=0.7,
            reduction=reduction,
        )
        agrees(criterion(z, labels, inputs), z, expected, options)


@either_way
@shapes
@kinds
@pytest.mark.parametrize("gap", [0.0, 0.5, 6.8, math.inf, None], ids=str)
def test_the_function_takes_a_gap_or_logits(reference, shape, soft, gap):
    z, labels, _, t = batch(shape, soft, seed=1)
    if gap is None:
        teacher, written_out = t, {"dense": t.numpy()}
    else:
        teacher, written_out = gap, {"by_class": reference.gap_rows(gap, K)}
    for options in settings(soft, shape):
        expected = reference.distillation(
            z.detach().numpy(), labels.numpy(), **written_out, **numpy_settings(options)
        )
        agrees(tfkd.distillation_loss(z, labels, teacher, **options), z, expected, options)


@either_way
@shapes
@kinds
@reductions
def test_alpha_0_is_cross_entropy(shape, soft, reduction):
    z, labels, _, t = batch(shape, soft)
    for options in settings(soft, shape):
        if options["alpha"] != 0.0:
            continue
        plain = {name: options[name] for name in ("weight", "ignore_index")}
        for teacher in (0.0, t):
            expected = F.cross_entropy(z, labels, reduction=reduction, **plain)
            loss = tfkd.distillation_loss(z, labels, teacher, reduction=reduction, **options)
            for ours, theirs in zip(
                value_and_grad(loss, z), value_and_grad(expected, z), strict=True
            ):
                assert torch.equal(ours, theirs), options


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_alpha_0_answers_in_the_dtype_of_cross_entropy(dtype):
    z, labels, _, _ = batch(SHAPES["batch"], False)
    z = z.detach().to(dtype)
    ours, theirs = tfkd.cross_entropy()(z, labels), F.cross_entropy(z, labels)
    assert ours.dtype == theirs.dtype
    assert torch.equal(ours, theirs)


@either_way
@pytest.mark.parametrize("weight", WEIGHTS, ids=["plain", "weighted"])
@pytest.mark.parametrize("alpha", [0.0, 0.4, 1.0])
@reductions
def test_module_stands_in_for_torchs_where_nothing_counts(weight, alpha, reduction):
    w = None if weight is None else torch.tensor(weight)
    theirs = nn.CrossEntropyLoss(w, reduction=reduction)
    ours = tfkd.DistillationLoss(tfkd.UniformTeacher(), alpha=alpha, weight=w, reduction=reduction)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert ours.weight is w
    empty = torch.randn(0, K)
    for z, labels in (
        (empty, torch.zeros(0, dtype=torch.int64)),
        (empty, torch.rand(0, K)),
        (torch.randn(3, K), torch.full((3,), -100)),
        (torch.randn(0, K, 4), torch.zeros(0, 4, dtype=torch.int64)),
    ):
        close(ours(z, labels), theirs(z, labels))


def test_module_moves_and_loads_its_weight():
    ours = tfkd.cross_entropy(weight=torch.ones(K))
    ours.load_state_dict(nn.CrossEntropyLoss(torch.full((K,), 2.0)).state_dict())
    assert ours.weight.tolist() == [2.0] * K
    assert ours.double().weight.dtype == torch.float64
    assert "weight" not in tfkd.cross_entropy().state_dict()


@either_way
def test_label_of_class_156_is_not_ignored_where_labels_are_uint8():
    # -100 taken modulo 256 is 156.
    z = torch.randn(4, 200, dtype=torch.float64)
    labels = torch.tensor([156, 3, 199, 156], dtype=torch.uint8)
    for alpha in (0.0, 0.5, 1.0):
        close(
            tfkd.distillation_loss(z, labels, 1.0, alpha=alpha),
            tfkd.distillation_loss(z, labels.long(), 1.0, alpha=alpha),
        )


# The paper's identities.


@either_way
@shapes
@kinds
@reductions
@pytest.mark.parametrize("epsilon", [0.1, 0.7])
def test_uniform_teacher_is_label_smoothing_less_a_constant(shape, soft, reduction, epsilon):
    z, labels, _, _ = batch(shape, soft)
    ours = tfkd.label_smoothing(epsilon, reduction=reduction)(z, labels)
    theirs = F.cross_entropy(z, labels, label_smoothing=epsilon, reduction=reduction)
    positions = z.numel() // K if reduction == "sum" else 1
    close(ours, theirs - positions * epsilon * math.log(K))
    close(value_and_grad(ours, z)[1], value_and_grad(theirs, z)[1])


@kinds
def test_eq_6_at_temperature_1_the_teacher_is_mixed_into_the_label(soft):
    z, labels, _, t = batch(SHAPES["batch"], soft)
    alpha, p_t = 0.35, t.softmax(1)
    q = labels if soft else F.one_hot(labels, K).double()
    mixed = F.cross_entropy(z, (1 - alpha) * q + alpha * p_t)
    teacher_entropy = -(p_t * p_t.log()).sum(1).mean()
    ours = tfkd.distillation_loss(z, labels, t, alpha=alpha)
    close(ours, mixed - alpha * teacher_entropy)
    close(value_and_grad(ours, z)[1], value_and_grad(mixed, z)[1])


@kinds
def test_virtual_teacher_at_temperature_1_is_label_smoothing(soft):
    z, labels, _, _ = batch(SHAPES["batch"], soft)
    alpha, a = 0.4, 0.9
    epsilon = alpha * (1 - a) * K / (K - 1)
    ours = tfkd.DistillationLoss(tfkd.VirtualTeacher(a), alpha=alpha)(z, labels)
    theirs = F.cross_entropy(z, labels, label_smoothing=epsilon)
    close(value_and_grad(ours, z)[1], value_and_grad(theirs, z)[1])


def test_high_temperature_is_half_the_mean_square_of_centred_logits():
    z, labels, _, t = batch(SHAPES["batch"], False)
    centred = (z - z.mean(1, keepdim=True)) - (t - t.mean(1, keepdim=True))
    limit = (centred**2).sum(1).mean() / (2 * K)
    ours = tfkd.distillation_loss(z, labels, t, alpha=1.0, temperature=1e4)
    close(ours, limit, rtol=1e-3)
    close(value_and_grad(ours, z)[1], value_and_grad(limit, z)[1], rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_a_student_that_equals_its_teacher_has_no_loss_and_no_gradient(temperature):
    z, labels, _, _ = batch(SHAPES["batch"], False)
    same = z.detach() + torch.arange(6.0).unsqueeze(1)  # logits count up to a constant
    ours = tfkd.distillation_loss(z, labels, same, alpha=1.0, temperature=temperature)
    value, grad = value_and_grad(ours, z)
    close(value, 0.0)
    close(grad, torch.zeros_like(grad))


def test_teacher_term_is_never_negative(teacher_row):
    z, labels, inputs, _ = batch((64, K), False)
    criterion = tfkd.DistillationLoss(
        teacher_row.build(K), alpha=1.0, temperature=3.0, reduction="none"
    )
    assert criterion(z, labels, inputs).min() >= 0


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_one_hot_teacher_is_cross_entropy_with_its_class(temperature):
    z, labels, _, _ = batch(SHAPES["batch"], False)
    said = (labels + 1) % K
    t = torch.full((6, K), -math.inf, dtype=torch.float64).scatter(1, said.unsqueeze(1), 0.0)
    ours = tfkd.distillation_loss(z, labels, t, alpha=1.0, temperature=temperature)
    theirs = temperature**2 * F.cross_entropy(z / temperature, said)
    close(ours, theirs)
    close(value_and_grad(ours, z)[1], value_and_grad(theirs, z)[1])


# Numerics and autograd.


@either_way
@kinds
def test_gradients_of_both_orders_agree_with_finite_differences(teacher_row, soft):
    z, labels, inputs, _ = batch((2, K), soft)
    criterion = tfkd.DistillationLoss(
        teacher_row.build(K), alpha=0.3, temperature=2.0, weight=torch.tensor(WEIGHTS[1]).double()
    )
    assert torch.autograd.gradcheck(lambda x: criterion(x, labels, inputs), (z,))
    assert torch.autograd.gradgradcheck(lambda x: criterion(x, labels, inputs), (z,))


def test_no_gradient_reaches_the_teacher():
    z, labels, _, t = batch(SHAPES["batch"], False)
    t.requires_grad_()
    loss = tfkd.distillation_loss(z, labels, t, alpha=0.5, temperature=2.0)
    assert torch.autograd.grad(loss, t, allow_unused=True) == (None,)
    assert not tfkd.distillation_loss(z.detach(), labels, t, alpha=0.5).requires_grad


@either_way
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("temperature", [1.0, 20.0])
def test_half_precision_logits_of_10000_stay_finite(reference, teacher_row, dtype, temperature):
    z = (1e4 * torch.eye(K)[[0, 1, 2]]).to(dtype).requires_grad_()
    labels, inputs = torch.tensor([0, 0, 2]), torch.randn(3, 3)
    teacher = teacher_row.build(K)
    loss = tfkd.DistillationLoss(teacher, alpha=0.5, temperature=temperature)(z, labels, inputs)
    expected = reference.distillation(
        z.detach().double().numpy(),
        labels.numpy(),
        **teacher_row.logits(K, inputs),
        alpha=0.5,
        temperature=temperature,
    )
    value, grad = value_and_grad(loss, z)
    assert value.dtype == torch.float32
    assert grad.dtype == dtype
    close(value, expected.loss, rtol=1e-4)
    close(grad, expected.grad, rtol=1e-2, atol=1e-2)


@either_way
@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("alpha", [0.3, 1.0])
@pytest.mark.parametrize("teacher", ["logits", "one-hot gap"])
@kinds
def test_a_class_masked_for_all_is_a_class_left_out(teacher, soft, alpha, temperature):
    z, labels, _, t = batch((6, K - 1), soft)
    pad = {"pad": (0, 1), "value": -math.inf}
    wide = F.pad(z.detach(), **pad).requires_grad_()
    options = {"alpha": alpha, "temperature": temperature}
    narrow_t, wide_t = (t, F.pad(t, **pad)) if teacher == "logits" else (math.inf, math.inf)
    wide_labels = F.pad(labels, (0, 1)) if soft else labels
    value, grad = value_and_grad(tfkd.distillation_loss(wide, wide_labels, wide_t, **options), wide)
    expected, expected_grad = value_and_grad(
        tfkd.distillation_loss(z, labels, narrow_t, **options), z
    )
    close(value, expected)
    close(grad, F.pad(expected_grad, (0, 1)))


@either_way
@kinds
@pytest.mark.parametrize("gap", [0.0, 2.0])
@pytest.mark.parametrize("masked", ["label", "other"])
def test_a_masked_class_that_the_teacher_believes_in_costs_infinity(gap, soft, masked):
    z, labels, _, _ = batch(SHAPES["batch"], soft)
    z = z.detach()
    column = (labels.argmax(1) if soft else labels) + (0 if masked == "label" else 1)
    z[torch.arange(6), column % K] = -math.inf
    assert tfkd.distillation_loss(z, labels, gap, alpha=0.1).item() == math.inf
    assert tfkd.distillation_loss(z, labels, gap, alpha=1.0, temperature=3.0).item() == math.inf


@either_way
def test_an_ignored_position_counts_nothing_even_where_it_is_infinite(teacher_row):
    z, labels, inputs, _ = batch(SHAPES["batch"], False)
    kept = z.detach()[1:].requires_grad_()
    z = z.detach()
    z[0, 1] = -math.inf
    z.requires_grad_()
    masked = labels.clone()
    masked[0] = -100
    criterion = tfkd.DistillationLoss(teacher_row.build(K), alpha=0.5, temperature=2.0)
    value, grad = value_and_grad(criterion(z, masked, inputs), z)
    expected, expected_grad = value_and_grad(criterion(kept, labels[1:], inputs[1:]), kept)
    close(value, expected)
    close(grad, F.pad(expected_grad, (0, 0, 1, 0)))


@either_way
def test_autocast_computes_the_loss_in_float32(reference, teacher_row):
    _, labels, inputs, _ = batch(SHAPES["batch"], False)
    student, inputs = reference.Scores(K, seed=7).float(), inputs.float()
    criterion = tfkd.DistillationLoss(teacher_row.build(K).float(), alpha=0.5, temperature=4.0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z = student(inputs)
        loss = criterion(z, labels, inputs)
    loss.backward()
    assert z.dtype == torch.bfloat16
    assert loss.dtype == torch.float32
    expected = reference.distillation(
        z.detach().double().numpy(),
        labels.numpy(),
        **teacher_row.logits(K, inputs),
        alpha=0.5,
        temperature=4.0,
    )
    # A network teacher runs under autocast too, so its own logits carry bfloat16's 3 digits.
    close(loss, expected.loss, rtol=2e-2)
    assert student.matrix.grad.isfinite().all()


# Compilation, copies, memory.


@either_way
def test_compiles_in_one_graph(teacher_row):
    torch.compiler.reset()
    z, labels, inputs, _ = batch(SHAPES["batch"], False)
    criterion = tfkd.DistillationLoss(
        teacher_row.build(K), alpha=0.3, temperature=4.0, ignore_index=1
    )
    compiled = torch.compile(criterion, fullgraph=True, backend="aot_eager")
    ours, expected = compiled(z, labels, inputs), criterion(z, labels, inputs)
    close(ours, expected)
    close(value_and_grad(ours, z)[1], value_and_grad(expected, z)[1])


@either_way
@pytest.mark.parametrize("gap", [None, 2.0], ids=["logits", "gap"])
@kinds
def test_function_compiles_in_one_graph(soft, gap):
    torch.compiler.reset()
    z, labels, _, t = batch(SHAPES["batch"], soft)
    teacher = t if gap is None else gap
    options = {"alpha": 0.3, "temperature": 2.0, "weight": torch.tensor(WEIGHTS[1]).double()}
    compiled = torch.compile(tfkd.distillation_loss, fullgraph=True, backend="aot_eager")
    ours = compiled(z, labels, teacher, **options)
    expected = tfkd.distillation_loss(z, labels, teacher, **options)
    close(ours, expected)
    close(value_and_grad(ours, z)[1], value_and_grad(expected, z)[1])


@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler")
# torch 2.6 pickles what it compiled, which asks every loaded module for names, old ones too.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_inductor_agrees_with_eager():
    torch.compiler.reset()
    z, labels, _, _ = batch(SHAPES["batch"], False)
    criterion = tfkd.tf_kd_reg(alpha=0.3)
    with torch.no_grad():  # one graph to compile: its gradient is a test of aot_eager
        close(torch.compile(criterion, fullgraph=True)(z, labels), criterion(z, labels))


def test_criterion_survives_copy_and_pickle(teacher_row):
    z, labels, inputs, _ = batch(SHAPES["batch"], False)
    criterion = tfkd.DistillationLoss(teacher_row.build(K), alpha=0.3, temperature=4.0)
    expected = criterion(z, labels, inputs)
    for twin in (copy.deepcopy(criterion), pickle.loads(pickle.dumps(criterion))):
        assert torch.equal(twin(z, labels, inputs), expected)
        assert repr(twin) == repr(criterion)


class NewTensors(TorchDispatchMode):
    """Notes every tensor that is filled rather than computed from others: shape and storage."""

    FILLS = ("zeros", "ones", "full", "empty", "one_hot", "scatter", "eye", "arange", "fill")

    def __init__(self):
        super().__init__()
        self.shapes = []
        self.storages = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        name = func.name().split("::")[1].split(".")[0].removeprefix("new_").removesuffix("_like")
        if name.startswith(self.FILLS) and isinstance(out, torch.Tensor):
            self.shapes.append(tuple(out.shape))
            if out.dim() > 1:
                self.storages.add(out.untyped_storage().data_ptr())
        return out


def test_the_recorder_of_new_tensors_sees_a_smoothed_target():
    z, labels, _, _ = batch(SHAPES["batch"], False)
    with NewTensors() as new:
        torch.full_like(z, 0.1).scatter_(1, labels.unsqueeze(1), 0.9)
    assert new.shapes.count((6, K)) == 2


def test_a_teacher_with_a_gap_builds_no_target(teacher_row):
    teacher = teacher_row.build(K)
    if teacher.gap(K) is None:
        pytest.skip("answers with logits")
    z, labels, _, _ = batch(SHAPES["batch"], False)
    criterion = tfkd.DistillationLoss(teacher, alpha=0.3, temperature=4.0)
    with NewTensors() as new:
        criterion(z.detach(), labels)
    assert not [shape for shape in new.shapes if len(shape) > 1]
    # With a gradient to come, it is the one tensor of this shape that is made; at another
    # temperature than 1 there is room for a block of exponentials beside it.
    for temperature, beside in ((1.0, 0), (4.0, 1)):
        criterion.temperature = temperature
        with NewTensors() as new:
            loss = criterion(z, labels)
        (gradient,) = torch.autograd.grad(loss, z)
        assert gradient.untyped_storage().data_ptr() in new.storages
        assert len(new.storages) == 1 + beside


def test_a_loss_scale_saves_float16_gradients_from_underflow(teacher_row):
    teacher = teacher_row.build(1000)
    if teacher.gap(1000) is None:
        pytest.skip("answers with logits")
    torch.manual_seed(0)
    logits, labels = torch.randn(1024, 1000).half(), torch.randint(1000, (1024,))
    criterion = tfkd.DistillationLoss(teacher, alpha=0.1, temperature=4.0)
    half, exact = logits.clone().requires_grad_(), logits.double().requires_grad_()
    (criterion(half, labels) * 2.0**16).backward()
    (criterion(exact, labels) * 2.0**16).backward()
    # Unscaled, nearly all of them are below the smallest float16 of full precision, 6e-5.
    assert (exact.grad.abs() / 2.0**16 < 6e-5).double().mean() > 0.9
    torch.testing.assert_close(half.grad.double(), exact.grad, rtol=2e-3, atol=1e-5)


def test_peak_memory_is_at_most_that_of_plain_cross_entropy(teacher_row):
    teacher = teacher_row.build(1000)
    if teacher.gap(1000) is None:
        pytest.skip("answers with logits")
    logits, labels = torch.randn(512, 1000), torch.randint(1000, (512,))

    def peak(criterion):
        with torch.profiler.profile(profile_memory=True) as record:
            criterion(logits.detach().requires_grad_(), labels).backward()
        held = [0]
        for event in record.profiler.kineto_results.events():
            if event.name() == "[memory]":
                held.append(held[-1] + event.nbytes())
        return max(held)

    plain = peak(F.cross_entropy)
    assert plain >= 2 * logits.nbytes  # log-probabilities and gradient
    for temperature in (1.0, 20.0):
        assert peak(tfkd.DistillationLoss(teacher, alpha=0.1, temperature=temperature)) <= plain


# What is refused.

Z, Y = torch.zeros(3, K), torch.zeros(3, dtype=torch.int64)
REFUSED = [
    ({"alpha": 1.5}, ValueError, r"`alpha` in \[0, 1\], got 1\.5"),
    ({"alpha": -0.1}, ValueError, r"`alpha` in \[0, 1\], got -0\.1"),
    ({"alpha": math.nan}, ValueError, r"`alpha` .*got nan"),
    ({"alpha": "0.5"}, TypeError, r"`alpha` .*number, got str"),
    ({"alpha": True}, TypeError, r"`alpha` .*number, got bool"),
    ({"teacher_logits": -0.5}, ValueError, r"`teacher_logits` .*at least 0.*got -0\.5"),
    ({"teacher_logits": math.nan}, ValueError, r"`teacher_logits` .*got nan"),
    ({"temperature": 0.0}, ValueError, r"`temperature` .*positive.*got 0\.0"),
    ({"temperature": -1.0}, ValueError, r"`temperature` .*positive.*got -1\.0"),
    ({"temperature": math.inf}, ValueError, r"`temperature` .*finite.*got inf"),
    ({"temperature": math.nan}, ValueError, r"`temperature` .*got nan"),
    ({"temperature": None}, TypeError, r"`temperature` .*number, got NoneType"),
    ({"scale": 0}, ValueError, r"`scale` .*positive.*got 0"),
    ({"scale": math.inf}, ValueError, r"`scale` .*finite.*got inf"),
    ({"reduction": "batchmean"}, ValueError, r"`reduction` .*mean, sum, none, got 'batchmean'"),
    ({"weight": torch.ones(K + 1)}, ValueError, r"`weight` .*\(5,\).*got \(6,\)"),
    ({"weight": torch.ones(K, dtype=torch.int64)}, TypeError, r"`weight` .*got torch\.int64"),
    ({"weight": [1.0] * K}, TypeError, r"`weight` .*got list"),
    ({"weight": torch.ones(K, device="meta")}, ValueError, r"`weight` on cpu.*got meta"),
    ({"student_logits": [[0.0, 1.0]]}, TypeError, r"`student_logits` .*tensor, got list"),
    ({"student_logits": Z.long()}, TypeError, r"`student_logits` .*floating.*got torch\.int64"),
    ({"student_logits": torch.tensor(1.0)}, ValueError, r"`student_logits` .*got a scalar"),
    ({"student_logits": torch.zeros(3, 1)}, ValueError, r"`student_logits` .*2.*got .*\(3, 1\)"),
    ({"labels": [0, 0, 0]}, TypeError, r"`labels` .*tensor, got list"),
    ({"labels": Y[:2]}, ValueError, r"`labels` of shape \(3,\).*\(3, 5\).*got \(2,\)"),
    ({"labels": torch.zeros(3, K + 1)}, ValueError, r"`labels` .*got \(3, 6\)"),
    ({"labels": Y.int()}, TypeError, r"`labels` .*torch\.int64, got torch\.int32"),
    ({"labels": Y.float()}, TypeError, r"`labels` .*torch\.int64, got torch\.float32"),
    ({"labels": Z.long()}, TypeError, r"`labels` .*floating.*got torch\.int64"),
    ({"labels": Y.to("meta")}, ValueError, r"`labels` on cpu.*got meta"),
    ({"teacher_logits": torch.zeros(3, K + 1)}, ValueError, r"`teacher_logits` .*got \(3, 6\)"),
    ({"teacher_logits": Z[:2, 0]}, ValueError, r"`teacher_logits` .*\(3, 5\).*got \(2,\)"),
    ({"teacher_logits": Z.long()}, TypeError, r"`teacher_logits` .*got torch\.int64"),
    ({"teacher_logits": Z.to("meta")}, ValueError, r"`teacher_logits` on cpu.*got meta"),
    ({"teacher_logits": "uniform"}, TypeError, r"`teacher_logits` .*got str"),
    ({"teacher_logits": None}, TypeError, r"`teacher_logits` .*got NoneType"),
    (
        {"teacher_logits": Z.topk(2, 1)},
        TypeError,
        r"`teacher_logits` .*got topk. Write `tfkd.FewL",
    ),
    ({"teacher_logits": torch.nn.Flatten()}, TypeError, r"`teacher_logits` .*got Flatten. Call"),
    ({"teacher_logits": math.nan}, ValueError, r"`teacher_logits` .*got nan"),
]


@pytest.mark.parametrize(
    ("wrong", "error", "message"), REFUSED, ids=[next(iter(wrong)) for wrong, _, _ in REFUSED]
)
def test_an_error_names_the_argument_what_was_expected_and_what_came(wrong, error, message):
    right = {"student_logits": Z, "labels": Y, "teacher_logits": 0.0, "alpha": 0.5}
    tfkd.distillation_loss(**right)
    with pytest.raises(error, match=r"^Expected " + message):
        tfkd.distillation_loss(**{**right, **wrong})
    options = {"alpha": 0.5, **wrong}
    if set(wrong) <= {"alpha", "temperature", "scale", "reduction"}:
        with pytest.raises(error, match=r"^Expected " + message):
            tfkd.DistillationLoss(tfkd.UniformTeacher(), **options)


def test_settings_are_keyword_only():
    with pytest.raises(TypeError, match="positional"):
        tfkd.distillation_loss(Z, Y, 0.0, 0.5)
    with pytest.raises(TypeError, match="positional"):
        tfkd.DistillationLoss(tfkd.UniformTeacher(), 0.5)


def test_a_bare_network_is_no_teacher():
    with pytest.raises(TypeError, match=r"`teacher` .*got Linear\. .*NetworkTeacher"):
        tfkd.DistillationLoss(nn.Linear(3, K), alpha=0.5)


@either_way
@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("label", [K, -1])
def test_a_class_index_out_of_range_is_refused_as_torch_does(alpha, label):
    for teacher in (0.0, 2.0, Z):
        with pytest.raises(IndexError, match="out of bounds"):
            tfkd.distillation_loss(Z, Y + label, teacher, alpha=alpha)


@either_way
@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_ignore_index_of_a_class_is_refused_with_probabilities_as_torch_does(alpha):
    with pytest.raises((RuntimeError, ValueError), match="ignore_index"):
        tfkd.distillation_loss(Z, Z.softmax(1), 0.0, alpha=alpha, ignore_index=1)


@either_way
def test_the_mean_of_an_empty_batch_is_undefined_as_torchs_is():
    z, labels = torch.zeros(0, 3, requires_grad=True), torch.zeros(0, dtype=torch.int64)
    assert F.cross_entropy(z, labels).isnan()
    assert tfkd.distillation_loss(z, labels, 2.0, alpha=0.5).isnan()
    assert tfkd.distillation_loss(z, labels, 2.0, alpha=0.5, reduction="sum") == 0.0


# Settings after construction.


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("reduction", "meen", ValueError, r"`reduction` .*got 'meen'. Did you mean mean\?"),
        ("reduction", None, ValueError, "`reduction` to be one of mean, sum, none"),
        ("alpha", 1.7, ValueError, r"`alpha` in \[0, 1\], got 1.7"),
        ("alpha", "0.5", TypeError, "`alpha` to be a number, got str"),
        ("temperature", 0.0, ValueError, "`temperature` to be positive"),
        ("scale", math.nan, ValueError, "`scale` to be positive"),
        ("alpha", lambda progress: 2.0, ValueError, r"`alpha` in \[0, 1\], got 2.0"),
    ],
)
def test_settings_are_checked_after_construction_too(name, value, error, message):
    z, labels, _, _ = batch(SHAPES["batch"], False)
    criterion = tfkd.label_smoothing(0.3)
    before = criterion(z, labels)
    with pytest.raises(error, match=f"^Expected {message}"):
        setattr(criterion, name, value)
    criterion.epoch_ended()  # nor is a refused schedule followed
    assert (criterion.alpha, criterion.temperature, criterion.scale) == (0.3, 1.0, 1.0)
    assert torch.equal(criterion(z, labels), before)


@pytest.mark.parametrize("asked", [True, False], ids=["with a gradient", "without"])
def test_settings_that_are_changed_count_from_then_on(asked):
    z, labels, _, _ = batch(SHAPES["batch"], False)
    z = z.detach().requires_grad_(asked)
    criterion = tfkd.label_smoothing(0.3)
    criterion.alpha, criterion.temperature, criterion.scale = 0.6, 2.0, 3.0
    criterion.reduction = "sum"
    expected = tfkd.distillation_loss(
        z, labels, 0.0, alpha=0.6, temperature=2.0, scale=3.0, reduction="sum"
    )
    close(criterion(z, labels), expected)


@pytest.mark.parametrize("wrong", [1.5, "a", True, None])
def test_an_ignore_index_that_is_no_int_is_refused(wrong):
    with pytest.raises(TypeError, match="Expected `ignore_index` to be an int, the class"):
        tfkd.distillation_loss(
            torch.zeros(1, 2), torch.tensor([0]), 0.0, alpha=0.5, ignore_index=wrong
        )
    for criterion in (tfkd.label_smoothing(alpha=0.5), tfkd.focal()):
        with pytest.raises(TypeError, match="Expected `ignore_index` to be an int, the class"):
            criterion.ignore_index = wrong
        assert criterion.ignore_index == -100


@pytest.mark.parametrize("wrong", ["no", 1, None])
def test_a_standardize_that_is_no_bool_is_refused(wrong):
    sentence = "Expected `standardize` to be True or False, got "
    with pytest.raises(TypeError, match=sentence):
        tfkd.distillation_loss(
            torch.zeros(1, 2), torch.tensor([0]), 0.0, alpha=0.5, standardize=wrong
        )
    with pytest.raises(TypeError, match=sentence):
        tfkd.DistillationLoss(tfkd.UniformTeacher(), alpha=0.5, standardize=wrong)
