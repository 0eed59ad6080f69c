"""Logits of a few classes: the loss and its gradient are those of all logits, however computed."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from few import in_full
from torch.utils._python_dispatch import TorchDispatchMode

import tfkd
from tfkd.loss import without_kernels

K = 7
SHAPES = {"unbatched": (K,), "batch": (6, K), "dense": (2, K, 1, 3)}
INF = math.inf


def make(shape, kept, others, dtype=torch.float64, seed=0):
    """Student logits, few logits and class indices."""
    g = torch.Generator().manual_seed(seed)
    dim = 0 if len(shape) == 1 else 1
    z = 3 * torch.randn(shape, generator=g, dtype=torch.float64)
    classes = torch.rand(shape, generator=g).argsort(dim).narrow(dim, 0, kept)
    values = 2 * torch.randn(classes.shape, generator=g, dtype=torch.float64)
    labels = torch.randint(0, 3, z.select(dim, 0).shape, generator=g)
    if others == "each":
        others = torch.randn(labels.shape, generator=g, dtype=torch.float64).to(dtype)
    return z.to(dtype), tfkd.FewLogits(values.to(dtype), classes, others), labels


def by_hand(z, few, labels, alpha, temperature):
    """The loss of each sample, class by class, of logits (N, K)."""
    losses = []
    for i, (row, label) in enumerate(zip(z, labels, strict=True)):
        others = few.others[i] if isinstance(few.others, torch.Tensor) else few.others
        teacher = [float(others)] * len(row)
        for value, k in zip(few.values[i], few.classes[i], strict=True):
            teacher[int(k)] = float(value)
        weights = [math.exp(t / temperature) for t in teacher]
        log_p = (row / temperature).log_softmax(0)
        divergence = 0.0
        for k, w in enumerate(weights):
            t = w / sum(weights)
            if t > 0.0:
                divergence = divergence + t * (math.log(t) - log_p[k])
        of_label = -row.log_softmax(0)[label]
        losses.append((1 - alpha) * of_label + alpha * temperature**2 * divergence)
    return torch.stack(losses)


def value_and_grad(loss_of, z):
    leaf = z.clone().requires_grad_()
    loss = loss_of(leaf)
    return loss.detach(), torch.autograd.grad(loss.sum(), leaf)[0], loss_of(z)


@pytest.mark.parametrize("others", ["each", -0.5, -INF], ids=str)
@pytest.mark.parametrize("kept", [1, 3, K])
def test_the_loss_is_the_equation_written_out(kept, others, either_way):
    z, few, labels = make((6, K), kept, others)
    for alpha, temperature in itertools.product((0.3, 1.0), (0.5, 1.0, 4.0)):
        leaf = z.clone().requires_grad_()
        expected = by_hand(leaf, few, labels, alpha, temperature)
        (gradient,) = torch.autograd.grad(expected.sum(), leaf)
        ours = value_and_grad(
            lambda x, a=alpha, t=temperature: tfkd.distillation_loss(
                x, labels, few, alpha=a, temperature=t, reduction="none"
            ),
            z,
        )
        for got, wanted in zip(ours, (expected.detach(), gradient, expected.detach()), strict=True):
            torch.testing.assert_close(got, wanted, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("soft", [False, True], ids=["indices", "probabilities"])
@pytest.mark.parametrize("others", ["each", -INF], ids=str)
def test_kernels_agree_with_all_logits_in_the_equation(shape, soft, others):
    z, few, labels = make(shape, 3, others)
    if soft:
        labels = z.flip(0).softmax(0 if z.dim() == 1 else 1)
    share = torch.linspace(0.0, 2.0, few.values.select(min(1, z.dim() - 1), 0).numel())
    share = share.to(z).view(few.values.select(min(1, z.dim() - 1), 0).shape)
    weight = torch.tensor([0.5, 2.0, 1.0, 0.0, 3.0, 1.0, 1.0], dtype=z.dtype)
    ignored = -100 if soft or z.dim() == 1 else 1
    for alpha, temperature, reduction, weighed, shared in itertools.product(
        (0.3, 1.0), (1.0, 4.0), ("mean", "sum", "none"), (False, True), (False, True)
    ):
        options = {
            "alpha": alpha,
            "temperature": temperature,
            "scale": 0.7,
            "reduction": reduction,
            "weight": weight if weighed else None,
            "ignore_index": ignored,
            "share": share if shared else 1.0,
        }

        def loss_of(said, options=options):
            return lambda x: tfkd.distillation_loss(x, labels, said, **options)

        with without_kernels():
            expected = value_and_grad(loss_of(in_full(few, K)), z)
        for ours, wanted in zip(value_and_grad(loss_of(few), z), expected, strict=True):
            torch.testing.assert_close(ours, wanted, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_views_and_parts_are_of_all_logits(temperature):
    z, few, labels = make((6, K), 3, "each")
    for options in ({"decoupled": (1.0, 0.5)}, {"standardize": True}):
        options |= {"alpha": 0.5, "temperature": temperature}
        ours, theirs = (
            value_and_grad(
                lambda x, t=said, o=options: tfkd.distillation_loss(x, labels, t, **o), z
            )
            for said in (few, in_full(few, K))
        )
        for got, wanted in zip(ours, theirs, strict=True):
            torch.testing.assert_close(got, wanted, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("weighed", [False, True], ids=["plain", "weighed, some ignored"])
def test_several_blocks_and_half_precision(temperature, dtype, weighed):
    g = torch.Generator().manual_seed(0)
    z = (3 * torch.randn(400, 3000, generator=g)).to(dtype)
    values, classes = torch.randn(400, 3000, generator=g).topk(5, 1)
    few = tfkd.FewLogits(values, classes, torch.randn(400, generator=g) - 6.0)
    labels = torch.randint(0, 3000, (400,), generator=g)
    labels[::3] = 2
    options = {"alpha": 0.3, "temperature": temperature}
    if weighed:
        options |= {"weight": torch.linspace(0.0, 2.0, 3000, dtype=dtype), "ignore_index": 2}
    ours = value_and_grad(lambda x: tfkd.distillation_loss(x, labels, few, **options), z)
    exact = {name: x.double() if name == "weight" else x for name, x in options.items()}
    few = tfkd.FewLogits(values.double(), classes, few.others.double())
    with without_kernels():
        expected = value_and_grad(
            lambda x: tfkd.distillation_loss(x, labels, in_full(few, 3000), **exact), z.double()
        )
    assert [x.dtype for x in ours] == [torch.float32, dtype, torch.float32]
    rounding = torch.finfo(dtype).eps
    torch.testing.assert_close(ours[0].double(), expected[0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours[1].double(), expected[1], rtol=4 * rounding, atol=1e-7)
    torch.testing.assert_close(ours[2].double(), expected[2], rtol=1e-5, atol=1e-5)


def test_masked_classes_count_as_their_probability_says(either_way):
    z, few, labels = make((4, K), 2, "each")
    first, third = few.classes[0, 0], few.classes[2, 0]
    rest = next(k for k in range(K) if k not in few.classes[1] and k != labels[1])
    labels[0], labels[2] = few.classes[0, 1], few.classes[2, 1]
    few.values[2, 0] = -INF  # what the teacher gives nothing may be masked
    z[0, first], z[1, rest], z[2, third] = -INF, -INF, -INF

    def loss_of(few):
        return lambda x: tfkd.distillation_loss(
            x, labels, few, alpha=0.5, temperature=2.0, reduction="none"
        )

    for loss in value_and_grad(loss_of(few), z)[::2]:
        assert loss[:2].tolist() == [INF, INF]
        torch.testing.assert_close(
            loss[2:], by_hand(z.nan_to_num(neginf=-1e4), few, labels, 0.5, 2.0)[2:]
        )
    assert value_and_grad(loss_of(few), z)[1][2:].isfinite().all()
    alone = few._replace(others=-INF)
    loss, gradient, _ = value_and_grad(loss_of(alone), z)
    assert loss.isfinite().tolist() == [False, True, True, True]
    assert gradient[1:].isfinite().all()


def test_what_is_far_from_0_keeps_its_digits():
    z, few, labels = make((6, K), 3, "each", torch.float32)
    far = few._replace(values=few.values + 8192.0, others=few.others + 8192.0)
    ours, expected = (
        value_and_grad(
            lambda x, f=said: tfkd.distillation_loss(x, labels, f, alpha=0.5, temperature=20.0),
            logits,
        )
        for logits, said in (
            (z + 8192.0, far),
            (
                (z + 8192.0).double(),
                tfkd.FewLogits(far.values.double(), far.classes, far.others.double()),
            ),
        )
    )
    for got, wanted in zip(ours, expected, strict=True):
        torch.testing.assert_close(got.double(), wanted, rtol=1e-5, atol=1e-5)


def test_derivatives_of_every_kind():
    z, few, labels = make((3, K), 2, "each")

    def loss(x):
        return tfkd.distillation_loss(x, labels, few, alpha=0.4, temperature=3.0)

    leaf = z.clone().requires_grad_()
    assert torch.autograd.gradcheck(loss, leaf)
    assert torch.autograd.gradgradcheck(loss, leaf)
    value = loss(leaf)
    (first,) = torch.autograd.grad(value, leaf, retain_graph=True)
    first.zero_()  # nobody else holds it
    (again,) = torch.autograd.grad(value, leaf, 2.0 * torch.ones(()), retain_graph=True)
    torch.testing.assert_close(again, 2.0 * torch.func.grad(loss)(z))
    several = torch.autograd.grad(
        value, leaf, torch.tensor([1.0, -3.0]).to(z), is_grads_batched=True
    )
    torch.testing.assert_close(several[0][1], -1.5 * again)
    hessian = torch.func.jacrev(torch.func.grad(loss))
    every = hessian(z)
    with without_kernels():
        torch.testing.assert_close(every, hessian(z))
    values, classes, others = few
    each = torch.func.vmap(
        torch.func.grad(
            lambda x, y, *said: tfkd.distillation_loss(
                x, y, tfkd.FewLogits(*said), alpha=0.4, temperature=3.0
            )
        )
    )(z, labels, values, classes, others)
    torch.testing.assert_close(each / 3.0, torch.func.grad(loss)(z))


class Storages(TorchDispatchMode):
    """Notes the memory of what runs, by how much of it there is."""

    def __init__(self):
        super().__init__()
        self.sizes = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple | list) else (out,):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                self.sizes[storage.data_ptr()] = storage.nbytes()
        return out


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_nothing_of_the_shape_of_the_logits_is_built_but_the_gradient(temperature):
    z, labels = torch.randn(400, 3000, requires_grad=True), torch.zeros(400, dtype=torch.int64)
    classes = torch.arange(10).expand(400, 10)
    few = tfkd.FewLogits(torch.zeros(400, 10), classes, torch.full((400,), -3.0))
    with Storages() as run:
        tfkd.distillation_loss(z, labels, few, alpha=0.5, temperature=temperature).backward()
    whole = z.untyped_storage().nbytes()
    large = [at for at, size in run.sizes.items() if size >= whole and at != z.data_ptr()]
    assert large == [z.grad.data_ptr()]


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"values": [1.0]}, TypeError, "`values` of few logits to be a tensor, got list"),
        ({"values": torch.zeros(6, 2).long()}, TypeError, "`values` .*floating point.*int64"),
        ({"classes": torch.zeros(6, 2)}, TypeError, "`classes` .*int64, got torch.float32"),
        ({"values": torch.zeros(6, 3)}, ValueError, r"one shape, got \(6, 3\) and \(6, 2\)"),
        ({"classes": torch.tensor([[0, K]] * 6)}, ValueError, rf"in \[0, {K - 1}\], got {K}"),
        ({"classes": torch.tensor([[0, -1]] * 6)}, ValueError, "got -1"),
        ({"classes": torch.tensor([[2, 2]] * 6)}, ValueError, "comes twice"),
        ({"others": torch.zeros(5)}, ValueError, r"`others` .*\(6,\).*got \(5,\)"),
        ({"others": torch.zeros(6).long()}, TypeError, "`others` of a floating point dtype"),
        ({"others": INF}, ValueError, "`others` of few logits below infinity"),
        ({"others": "none"}, TypeError, "`others`"),
    ],
)
def test_what_are_no_few_logits_is_refused(change, kind, message):
    few = tfkd.FewLogits(torch.zeros(6, 2), torch.tensor([[0, 1]] * 6))._replace(**change)
    with pytest.raises(kind, match=message):
        tfkd.distillation_loss(torch.zeros(6, K), torch.zeros(6).long(), few, alpha=0.5)


def test_few_logits_of_other_samples_or_too_many_classes_are_refused():
    for shape in ((5, 2), (6, K + 1), (6, 2, 1), (6,), (6, 0)):
        few = tfkd.FewLogits(torch.zeros(shape), torch.zeros(shape).long())
        with pytest.raises(ValueError, match="but for fewer classes, at least 1, got"):
            tfkd.distillation_loss(torch.zeros(6, K), torch.zeros(6).long(), few, alpha=0.5)
    few = tfkd.FewLogits(torch.zeros(6, 2), torch.tensor([[0, 1]] * 6))
    with pytest.raises(TypeError, match="got few logits"):
        tfkd.binary_distillation_loss(torch.zeros(6, K), torch.zeros(6, K), few, alpha=0.5)
    with pytest.raises(IndexError, match="Target 9 is out of bounds"):
        z = torch.zeros(6, K, requires_grad=True)
        tfkd.distillation_loss(z, torch.full((6,), 9), few, alpha=0.5)


@pytest.mark.parametrize("shape", [(0, K), (0, K, 2), (2, K, 0)], ids=str)
@pytest.mark.parametrize("gap", [False, True])
def test_of_nothing_the_mean_is_undefined_as_torchs(shape, gap, either_way):
    z = torch.zeros(shape, requires_grad=True)
    labels = torch.zeros(shape[0], *shape[2:]).long()
    values = torch.zeros(shape[0], 2, *shape[2:])
    said = 3.0 if gap else tfkd.FewLogits(values, values.long(), torch.zeros(labels.shape))
    for reduction in ("mean", "sum", "none"):
        loss = tfkd.distillation_loss(z, labels, said, alpha=0.5, reduction=reduction)
        expected = F.cross_entropy(z, labels, reduction=reduction)
        torch.testing.assert_close(loss, expected, equal_nan=True)
        assert torch.autograd.grad(loss.sum(), z)[0].shape == shape


def test_classes_last():
    z, few, labels = make((2, K, 3), 2, "each")
    turned = tfkd.FewLogits(few.values.movedim(1, -1), few.classes.movedim(1, -1), few.others)
    last = tfkd.distillation_loss(z.movedim(1, -1), labels, turned, alpha=0.5, class_dim=-1)
    torch.testing.assert_close(last, tfkd.distillation_loss(z, labels, few, alpha=0.5))


class Saying(tfkd.Teacher):
    def __init__(self, said):
        super().__init__()
        self.said = said

    def forward(self, batch):
        return self.said


@pytest.mark.parametrize("others", ["each", -INF], ids=str)
def test_teachers_that_wrap_others_take_few_logits_for_all(others):
    z, few, labels = make((6, K), 3, others)
    wrappers = (
        lambda inner: tfkd.TemperedTeacher(inner, 2.0),
        lambda inner: tfkd.TemperedTeacher(inner, 2.0, weighted=True),
        tfkd.TopTwoTeacher,
        tfkd.NormalizedTeacher,
        tfkd.UntilPassedTeacher,
        lambda inner: tfkd.EnsembleTeacher([inner, tfkd.UniformTeacher()]),
    )
    for wrapped in wrappers:
        losses = [
            tfkd.DistillationLoss(
                wrapped(Saying(said)), alpha=0.5, temperature=2.0, samples_per_epoch="told"
            )(z.clone().requires_grad_(), labels)
            for said in (few, in_full(few, K))
        ]
        torch.testing.assert_close(*losses)


def test_unheard_samples_may_say_anything():
    z, few, labels = make((6, K), 3, "each")
    z.requires_grad_()
    few.values[2], few.others[2], labels[2] = math.nan, math.nan, -100
    loss = tfkd.distillation_loss(z, labels, few, alpha=0.5)
    assert torch.autograd.grad(loss, z)[0].isfinite().all()
    assert loss.isfinite()
    labels[2] = 0
    assert tfkd.distillation_loss(z, labels, few, alpha=0.5).isnan()


def test_what_was_changed_since_the_loss_is_not_used_in_silence():
    z, few, labels = make(SHAPES["batch"], 3, "each")
    loss = tfkd.distillation_loss(z.requires_grad_(), labels, few, alpha=0.5)
    loss.backward(retain_graph=True)
    few.values.mul_(-30.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


class Says(tfkd.Teacher):
    """Answers with what it is given."""

    def __init__(self, said):
        super().__init__()
        self.said = said

    def forward(self, batch):
        return self.said


@pytest.mark.parametrize(
    ("classes", "expected"),
    [([[3, 3]], "each once"), ([[0, 7]], r"in \[0, 6\], got 7"), ([[-1, 0]], "got -1")],
)
def test_classes_of_a_teacher_of_ones_own_are_looked_at(classes, expected):
    said = tfkd.FewLogits(torch.tensor([[1.0, 2.0]]), torch.tensor(classes))
    criterion = tfkd.DistillationLoss(Says(said), alpha=0.5)
    with pytest.raises(ValueError, match=expected):
        criterion(torch.zeros(1, K, requires_grad=True), torch.tensor([0]))
