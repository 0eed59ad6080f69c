"""The loss of a linear head against that of its logits, and against a formula written out."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

import tfkd
from tfkd.loss.linear import chunks

N, L, D, K, OWN = 7, 2, 4, 5, 3
WEIGHT = (0.5, 2.0, 1.0, 0.0, 3.0)


@pytest.fixture(autouse=True)
def few_tokens(monkeypatch):
    """Three tokens to a chunk, so that there are several and the last one is not full."""
    monkeypatch.setattr(chunks, "FEWEST_TOKENS", 3)
    monkeypatch.setattr(chunks, "LOGITS", 1)


def drawn(*shape, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def inputs(shape=(N,), dtype=torch.float64):
    """Hidden states, weight and bias of a head, and labels of which two are ignored."""
    head = [drawn(*shape, D, seed=1), drawn(K, D, seed=2), drawn(K, seed=3)]
    labels = torch.arange(math.prod(shape)) * 3 % K
    labels[1:6:4] = -100
    return [part.to(dtype) for part in head], labels.reshape(shape)


def teachers(shape=(N,), dtype=torch.float64):
    """By name: what the head's loss is given, and what that of logits is."""
    hidden, weight, bias = drawn(*shape, OWN, seed=4), drawn(K, OWN, seed=5), drawn(K, seed=6)
    hidden, weight, bias = (3.0 * part.to(dtype) for part in (hidden, weight, bias))
    gaps = drawn(*shape, seed=7).abs().to(dtype)
    logits = F.linear(hidden, weight)
    return {
        "uniform": (0.0, 0.0),
        "virtual": (6.0, 6.0),
        "certain": (math.inf, math.inf),
        "gaps": (gaps, gaps),
        "logits": (logits, logits),
        "head": ((hidden, weight), logits),
        "head with bias": ((hidden, weight, bias), F.linear(hidden, weight, bias)),
    }


def slopes(loss, tensors, upstream=None):
    upstream = torch.ones_like(loss) if upstream is None else upstream
    return torch.autograd.grad(loss, tensors, upstream)


def leaves(tensors):
    return [tensor.detach().clone().requires_grad_() for tensor in tensors]


OPTIONS = {
    "τ 1": {"alpha": 0.3},
    "τ 20": {"alpha": 0.3, "temperature": 20.0},
    "teacher alone": {"alpha": 1.0, "temperature": 2.0},
    "labels alone": {"alpha": 0.0, "scale": 0.5},
    "sum": {"alpha": 0.3, "temperature": 2.0, "scale": 3.0, "reduction": "sum"},
    "none": {"alpha": 0.3, "temperature": 2.0, "reduction": "none"},
    "class weights": {"alpha": 0.3, "temperature": 2.0, "weight": WEIGHT},
    "class weights, none": {"alpha": 0.3, "weight": WEIGHT, "reduction": "none"},
    "decoupled": {"alpha": 0.6, "temperature": 2.0, "decoupled": (1.0, 4.0)},
    "standardized": {"alpha": 0.6, "temperature": 2.0, "standardize": True},
    "ignored": {"alpha": 0.3, "temperature": 2.0, "ignore_index": 3},
}


def options_of(name, dtype):
    options = dict(OPTIONS[name])
    if "weight" in options:
        options["weight"] = torch.tensor(options["weight"], dtype=dtype)
    return options


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("teacher", teachers())
def test_it_is_the_loss_of_the_logits(teacher, options):
    for dtype, shape, rounding in (
        (torch.float64, (N,), 1e-11),
        (torch.float64, (N, L), 1e-11),
        (torch.float32, (N, L), 2e-5),
    ):
        (hidden, weight, bias), labels = inputs(shape, dtype)
        if options == "ignored":
            labels = labels.clamp(min=0)
        given, said = teachers(shape, dtype)[teacher]
        told = options_of(options, dtype)
        for with_bias in (True, False):
            ours, theirs = (leaves([hidden, weight, bias][: 2 + with_bias]) for _ in range(2))
            own = ours[2] if with_bias else None
            found = tfkd.linear_distillation_loss(*ours[:2], labels, given, linear_bias=own, **told)
            logits = F.linear(*theirs)
            expected = tfkd.distillation_loss(logits, labels, said, class_dim=-1, **told)
            close = {"rtol": rounding, "atol": rounding * told.get("temperature", 1.0)}
            torch.testing.assert_close(found, expected, **close)
            upstream = drawn(*expected.shape, seed=8).to(dtype)
            torch.testing.assert_close(
                slopes(found, ours, upstream), slopes(expected, theirs, upstream), **close
            )


@pytest.mark.parametrize("teacher", ["virtual", "gaps", "head with bias"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("temperature", [1.0, 20.0])
def test_it_is_the_formula_written_out(reference, teacher, reduction, temperature):
    tensors, labels = inputs()
    ours = leaves(tensors)
    given, said = teachers()[teacher]
    numbers = {"alpha": 0.3, "temperature": temperature, "scale": 2.0, "reduction": reduction}
    weight = torch.tensor(WEIGHT, dtype=torch.float64)
    loss = tfkd.linear_distillation_loss(
        *ours[:2], labels, given, linear_bias=ours[2], weight=weight, **numbers
    )
    x, w, b = (tensor.numpy() for tensor in tensors)
    if isinstance(said, float):
        taught = {"by_class": reference.gap_rows(said, K)}
    else:
        taught = {"gaps" if said.dim() == 1 else "dense": said.numpy()}
    expected = reference.distillation(
        x @ w.T + b, labels.numpy(), weight=np.array(WEIGHT), **taught, **numbers
    )
    assert loss.item() == pytest.approx(float(expected.loss), rel=1e-10)
    by_hand = (expected.grad @ w, expected.grad.T @ x, expected.grad.sum(0))
    for found, known in zip(slopes(loss, ours), by_hand, strict=True):
        np.testing.assert_allclose(found.numpy(), known, rtol=1e-10, atol=1e-10)


def test_a_gap_teacher_is_cross_entropy_and_one_dot_product_of_a_token():
    """H(q', p) = H(q, p) + ε·(z_y − z̄), and z_y − z̄ = x·(W_y − W̄); two of them for a τ."""
    (x, w, _), labels = inputs()
    counts = labels != -100
    x, y = x[counts], labels[counts]
    alpha, gap = 0.3, 6.0
    for tau in (1.0, 20.0):
        true = 1.0 / (1.0 + (K - 1) * math.exp(-gap / tau))
        target = np.array([true] + [(1.0 - true) / (K - 1)] * (K - 1))
        epsilon = K * (1.0 - true) / (K - 1)
        ahead = (x / tau * (w[y] - w.mean(0))).sum(1).mean()
        soft = F.cross_entropy(x / tau @ w.T, y) + epsilon * ahead
        constant = (target * np.log(target)).sum()
        expected = (1 - alpha) * F.cross_entropy(x @ w.T, y) + alpha * tau**2 * (soft + constant)
        found = tfkd.linear_distillation_loss(x, w, y, gap, alpha=alpha, temperature=tau)
        assert found.item() == pytest.approx(expected.item(), rel=1e-12)


class Largest(TorchDispatchMode):
    """Sees how many numbers the largest tensor of any operation has, and matrix products."""

    numel = products = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.products += "mm" in func.name()
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, tuple | list) else [made]:
            if isinstance(tensor, torch.Tensor):
                self.numel = max(self.numel, tensor.numel())
        return made


@pytest.mark.parametrize("teacher", ["virtual", "gaps", "head"])
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_no_more_than_a_chunk_of_the_logits_exists(teacher, reduction):
    many, classes = 40, 30  # 1200 logits, of which 90 make a chunk; the head has 120
    x, w = leaves([drawn(many, D), drawn(classes, D)])
    labels = torch.arange(many) % classes
    own = (drawn(many, OWN), drawn(classes, OWN))
    taught = {"virtual": 6.0, "gaps": drawn(many).abs(), "head": own}[teacher]
    with Largest() as largest:
        loss = tfkd.linear_distillation_loss(
            x, w, labels, taught, alpha=0.5, temperature=2.0, reduction=reduction
        )
        loss.sum().backward()
    assert many * D <= largest.numel <= many * 4


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("teacher", ["virtual", "gaps", "logits", "head"])
def test_tokens_that_are_ignored_are_not_computed(teacher, reduction):
    (x, w, _), _ = inputs((30,))
    given, said = teachers((30,))[teacher]
    labels = torch.full((30,), -100)
    labels[4], labels[19] = 3, 1
    ours, theirs = leaves([x, w]), leaves([x, w])
    options = {"alpha": 0.3, "temperature": 2.0, "reduction": reduction}
    with Largest() as seen:
        found = tfkd.linear_distillation_loss(*ours, labels, given, **options)
        upstream = drawn(*found.shape)
        found_slopes = slopes(found, ours, upstream)
    expected = tfkd.distillation_loss(F.linear(*theirs), labels, said, **options)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(found_slopes, slopes(expected, theirs, upstream))
    # Of one chunk, not of ten: logits, a teacher's too, and both gradients; for `none` once more.
    assert seen.products <= 3 + 2 * (reduction == "none") + (teacher == "head")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("teacher", ["uniform", "head", "logits"])
@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_half_precision_is_summed_in_float32(dtype, teacher, alpha):
    """Of 200 chunks the gradient of the head is as exact as one number of that dtype can be."""
    many = 600
    x, w, b = (drawn(*shape, dtype=dtype, seed=9) for shape in ((many, D), (K, D), (K,)))
    labels = torch.arange(many) % K
    hidden, own = drawn(many, OWN, dtype=dtype, seed=4), drawn(K, OWN, dtype=dtype, seed=5)
    given = {"uniform": 0.0, "head": (hidden, own), "logits": hidden @ own.T}[teacher]
    said = given if isinstance(given, float) else F.linear(hidden, own).double()
    ours, exact = leaves([x, w, b]), leaves([x.double(), w.double(), b.double()])
    loss = tfkd.linear_distillation_loss(*ours[:2], labels, given, linear_bias=ours[2], alpha=alpha)
    expected = tfkd.distillation_loss(F.linear(*exact), labels, said, alpha=alpha)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected.item(), rel=2e-3)
    rounding = torch.finfo(dtype).eps
    for found, known in zip(slopes(loss, ours), slopes(expected, exact), strict=True):
        assert found.dtype == dtype
        error = (found.double() - known).norm() / known.norm()
        assert error < 2 * rounding


def test_under_autocast_it_is_the_loss_of_the_logits():
    tensors, labels = inputs(dtype=torch.float32)
    given, _ = teachers(dtype=torch.float32)["head"]
    ours, theirs = leaves(tensors), leaves(tensors)
    with torch.autocast("cpu", torch.bfloat16):
        found = tfkd.linear_distillation_loss(
            *ours[:2], labels, given, linear_bias=ours[2], alpha=0.3, temperature=2.0
        )
        expected = tfkd.distillation_loss(
            F.linear(*theirs), labels, F.linear(*given), alpha=0.3, temperature=2.0
        )
    assert found.dtype == expected.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    for ours_, theirs_ in zip(slopes(found, ours), slopes(expected, theirs), strict=True):
        assert ours_.dtype == torch.float32
        torch.testing.assert_close(ours_, theirs_, rtol=2e-2, atol=2e-3)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("teacher", ["virtual", "head"])
def test_where_nothing_counts_it_is_as_torch_has_it_and_no_gradient_is_lost(teacher, reduction):
    (x, w, b), labels = inputs()
    given, _ = teachers()[teacher]
    for tokens in (0, N):
        cut = (given[0][:tokens], given[1]) if isinstance(given, tuple) else given
        ours = leaves([x[:tokens], w, b])
        nothing = torch.full_like(labels[:tokens], -100)
        loss = tfkd.linear_distillation_loss(
            *ours[:2], nothing, cut, linear_bias=ours[2], alpha=0.3, reduction=reduction
        )
        expected = F.cross_entropy(F.linear(x[:tokens], w, b), nothing, reduction=reduction)
        torch.testing.assert_close(loss, expected, equal_nan=True)
        for slope, tensor in zip(slopes(loss, ours), ours, strict=True):
            assert torch.equal(slope, torch.zeros_like(tensor))


@pytest.mark.parametrize("teacher", teachers(()))
def test_one_token_needs_no_batch(teacher):
    (x, w, _), labels = inputs()
    given, said = teachers(())[teacher]
    expected = tfkd.distillation_loss(F.linear(x[0], w), labels[0], said, alpha=0.3)
    for reduction in ("mean", "none"):
        found = tfkd.linear_distillation_loss(
            x[0], w, labels[0], given, alpha=0.3, reduction=reduction
        )
        torch.testing.assert_close(found, expected)


def test_only_what_is_asked_for_gets_a_gradient():
    (x, w, b), labels = inputs()
    for wanted in ([True, False, False], [False, True, False], [False, False, True]):
        tensors = [part.clone() for part in (x, w, b)]
        for tensor, own in zip(tensors, wanted, strict=True):
            tensor.requires_grad_(own)
        loss = tfkd.linear_distillation_loss(
            *tensors[:2], labels, 6.0, linear_bias=tensors[2], alpha=0.3
        )
        loss.backward()
        assert [tensor.grad is not None for tensor in tensors] == wanted
    assert not tfkd.linear_distillation_loss(x, w, labels, 6.0, alpha=0.3).requires_grad


# Of torch itself, when it first loads what forward-mode derivatives need.
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")
@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("teacher", ["virtual", "head"])
def test_derivatives_of_every_kind_are_right(teacher, reduction):
    (x, w, b), labels = inputs((3,))
    given, said = teachers((3,))[teacher]
    options = {"alpha": 0.3, "temperature": 2.0, "reduction": reduction}

    def ours(*head):
        return tfkd.linear_distillation_loss(
            *head[:2], labels, given, linear_bias=head[2], **options
        )

    def theirs(*head):
        return tfkd.distillation_loss(F.linear(*head), labels, said, **options)

    assert torch.autograd.gradcheck(ours, leaves([x, w, b]), check_batched_grad=True)
    assert torch.autograd.gradgradcheck(ours, leaves([x, w, b]))
    which = (0, 1, 2)
    for derived in (torch.func.jacrev, torch.func.jacfwd):
        found, expected = (derived(f, argnums=which)(x, w, b) for f in (ours, theirs))
        torch.testing.assert_close(found, expected)
    (found, slope), (expected, known) = (
        torch.autograd.functional.jvp(f, (x, w, b), (x.cos(), w.cos(), b.cos()))
        for f in (ours, theirs)
    )
    torch.testing.assert_close((found, slope), (expected, known))


def test_a_graph_that_is_kept_can_be_asked_again():
    tensors, labels = inputs()
    ours = leaves(tensors[:2])
    loss = tfkd.linear_distillation_loss(*ours, labels, 6.0, alpha=0.3, temperature=2.0)
    first = [slope.clone() for slope in torch.autograd.grad(loss, ours, retain_graph=True)]
    again = torch.autograd.grad(3.0 * loss, ours)
    torch.testing.assert_close([slope / 3.0 for slope in again], first)


@pytest.mark.parametrize("equation", [False, True])
def test_the_equation_gives_the_same(equation):
    tensors, labels = inputs()
    ours, theirs = leaves(tensors[:2]), leaves(tensors[:2])
    with tfkd.loss.without_kernels() if equation else contextlib.nullcontext():
        found = tfkd.linear_distillation_loss(*ours, labels, 6.0, alpha=0.3, temperature=2.0)
    expected = tfkd.distillation_loss(F.linear(*theirs), labels, 6.0, alpha=0.3, temperature=2.0)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(slopes(found, ours), slopes(expected, theirs))


def test_compiled_it_stands_outside_of_the_graph():
    tensors, labels = inputs()
    criterion = tfkd.LinearDistillationLoss(tfkd.VirtualTeacher(), alpha=0.3, temperature=20.0)
    ours, theirs = leaves(tensors[:2]), leaves(tensors[:2])

    def of_head(x, w):
        return criterion(torch.tanh(x), w, labels)

    graphs = []

    def counted(graph, example_inputs):
        graphs.append(graph)
        return graph.forward

    found = torch.compile(of_head, backend=counted)(*ours)
    expected = of_head(*theirs)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(slopes(found, ours), slopes(expected, theirs))
    assert graphs
    assert not any("softmax" in graph.code or "log" in graph.code for graph in graphs)
    torch.compiler.reset()


def test_a_criterion_has_the_settings_of_a_method():
    (x, w, b), labels = inputs((N, L))
    weight = torch.tensor(WEIGHT, dtype=torch.float64)
    for method in (
        tfkd.label_smoothing(0.2, class_dim=-1),
        tfkd.tf_kd_reg(alpha=0.3, temperature=20.0, weight=weight, class_dim=-1),
        tfkd.released_tf_kd_reg(alpha=0.1, temperature=20.0, num_classes=K, class_dim=-1),
    ):
        criterion = tfkd.LinearDistillationLoss.of(method)
        found = criterion(x, w, labels, linear_bias=b)
        torch.testing.assert_close(found, method(F.linear(x, w, b), labels))
        found = criterion(x, w, labels, linear_bias=b, num_items_in_batch=30)
        expected = method(F.linear(x, w, b), labels, num_items_in_batch=torch.tensor(30))
        torch.testing.assert_close(found, expected)
        assert criterion(x, w, labels, num_items_in_batch=torch.tensor(0)).isfinite()


def test_a_network_teaches_at_each_call_and_numbers_follow_schedules():
    (x, w, _), labels = inputs()
    given, said = teachers()["head"]
    alpha = tfkd.loss.schedules.Linear(start=0.0, end=0.6, epochs=4)
    criterion = tfkd.LinearDistillationLoss(alpha=alpha, temperature=2.0, samples_per_epoch="told")
    w.requires_grad_()
    for epoch in range(3):
        found = criterion(x, w, labels, teacher=given)
        now = 0.2 * epoch
        expected = tfkd.distillation_loss(F.linear(x, w), labels, said, alpha=now, temperature=2.0)
        torch.testing.assert_close(found, expected)
        criterion.epoch_ended()
    assert not tfkd.LinearDistillationLoss(alpha=0.0)(x, w, labels).isnan()


def test_a_teacher_that_would_have_to_see_logits_is_refused():
    network = tfkd.NetworkTeacher(torch.nn.Linear(D, K))
    for build in (
        lambda: tfkd.LinearDistillationLoss(network, alpha=0.5),
        lambda: tfkd.LinearDistillationLoss(torch.nn.Linear(D, K), alpha=0.5),
        lambda: tfkd.LinearDistillationLoss.of(tfkd.knowledge_distillation(network)),
        lambda: tfkd.LinearDistillationLoss.of(tfkd.tf_kd_self(torch.nn.Linear(D, K))),
        lambda: tfkd.LinearDistillationLoss(
            tfkd.UntilPassedTeacher(tfkd.UniformTeacher()), alpha=0.5, samples_per_epoch=9
        ),
    ):
        with pytest.raises(TypeError, match=r"one gap whatever the sample.*`criterion\(\."):
            build()
    with pytest.raises(TypeError, match="got CrossEntropyLoss"):
        tfkd.LinearDistillationLoss.of(torch.nn.CrossEntropyLoss())


def test_it_is_explained_as_the_loss_of_logits_is():
    method = tfkd.tf_kd_reg(alpha=0.3, temperature=20.0)
    of_head = tfkd.LinearDistillationLoss.of(method)
    assert tfkd.explain(of_head, K) == tfkd.explain(method, K)
    with pytest.raises(TypeError, match="at each call: what that leads to"):
        tfkd.explain(tfkd.LinearDistillationLoss(alpha=0.3), K)


def wrong(**changes):
    """A call whose arguments are right but for what is changed."""
    (x, w, b), labels = inputs()
    head = {"hidden": x, "linear_weight": w, "labels": labels, "teacher": 6.0, "linear_bias": b}
    return tfkd.linear_distillation_loss(**{**head, "alpha": 0.3, **changes})


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"hidden": [1.0]}, TypeError, "`hidden` to be a tensor, got list"),
        ({"hidden": torch.zeros(N, D).long()}, TypeError, "`hidden` of a floating point dtype"),
        ({"hidden": torch.tensor(1.0)}, ValueError, "`hidden` of shape"),
        ({"linear_weight": torch.nn.Linear(D, K)}, TypeError, "Give its `.weight`, and"),
        ({"linear_weight": drawn(D, K)}, ValueError, r"of shape \(K, D\).*got \(4, 5\) and \(7, 4"),
        ({"linear_weight": drawn(D, K)}, ValueError, "Is the weight transposed?"),
        ({"hidden": drawn(N, 6)}, ValueError, r"\(7, 6\)\. Hidden states .* not its logits"),
        ({"bias": drawn(K)}, TypeError, "bias of the last layer as `linear_bias=`, got `bias=`"),
        ({"linear_weight": drawn(1, D), "linear_bias": None}, ValueError, "at least 2 classes"),
        ({"linear_weight": drawn(K, D).float()}, TypeError, "`linear_weight` of the dtype of `hid"),
        ({"linear_bias": drawn(D)}, ValueError, r"`linear_bias` of shape \(5,\).*got \(4,\)"),
        ({"labels": torch.zeros(N, K)}, TypeError, r"class indices.*`tfkd.distillation_loss`"),
        ({"labels": torch.zeros(K).long()}, ValueError, r"`labels` of shape \(7,\).*got \(5,\)"),
        ({"labels": [0]}, TypeError, "`labels` to be a tensor"),
        ({"labels": torch.zeros(N).int()}, TypeError, r"got torch.int32. Write `labels.long\(\)`"),
        ({"labels": torch.zeros(N)}, TypeError, r"got torch.float32. Write `labels.long\(\)`"),
        ({"labels": torch.full((N,), K)}, IndexError, "out of bounds"),
        ({"weight": torch.ones(3)}, ValueError, r"`weight` of shape \(5,\)"),
        ({"ignore_index": None}, TypeError, "`ignore_index`"),
        ({"alpha": 1.5}, ValueError, r"`alpha` in \[0, 1\]"),
        ({"reduction": "Mean"}, ValueError, "Did you mean mean"),
        ({"standardize": 1}, TypeError, "`standardize`"),
        ({"teacher": -1.0}, ValueError, "gap of at least 0"),
        ({"teacher": "uniform"}, TypeError, r"a gap, logits, or a tuple `\(hidden, .*, got str"),
        ({"teacher": [drawn(N, OWN), drawn(K, OWN)]}, TypeError, r"got list. Write `tuple\("),
        ({"teacher": torch.nn.Embedding(K, D)}, TypeError, "got Embedding. Give what the last l"),
        ({"teacher": drawn(N, K).topk(2)}, TypeError, r"got topk. Few .*`tfkd.distillation_loss`"),
        ({"teacher": tfkd.FewLogits(*drawn(N, K).topk(2))}, TypeError, "got FewLogits. Few logits"),
        ({"teacher": torch.zeros(N).long()}, TypeError, "`teacher` of a floating point dtype"),
        ({"teacher": drawn(N, D)}, ValueError, r"\(7,\), a gap .* \(7, 5\), logits, got \(7, 4\)"),
        ({"teacher": (drawn(N, OWN),)}, ValueError, r"\(hidden, linear_weight\).*got 1"),
        ({"teacher": (drawn(N, OWN), 1.0)}, TypeError, "its linear weight to be a tensor"),
        ({"teacher": (drawn(K, OWN), drawn(K, OWN))}, ValueError, r"of shape \(7,\) and its own D"),
        ({"teacher": (drawn(N, OWN), drawn(D, OWN))}, ValueError, "the 5 classes.*tokenizer"),
    ],
)
def test_what_is_wrong_is_named(changes, kind, said):
    assert wrong().isfinite()
    with pytest.raises(kind, match=said):
        wrong(**changes)


def test_a_criterion_names_the_parts_of_a_head():
    (x, w, b), labels = inputs()
    criterion = tfkd.LinearDistillationLoss(tfkd.UniformTeacher(), alpha=0.5)
    with pytest.raises(TypeError, match="weight of the last layer as `linear_weight=`"):
        criterion(x, weight=w, labels=labels)
    with pytest.raises(TypeError, match="as `linear_bias=`, got `bias=`"):
        criterion(x, w, labels, bias=b)
    with pytest.raises(TypeError, match=r"what follows the first arguments by name, .*got 1 more"):
        criterion(x, w, labels, b)
    weighed = tfkd.linear_distillation_loss(x, w, labels, 0.0, alpha=0.5, weight=torch.ones(K))
    torch.testing.assert_close(criterion(x, linear_weight=w, labels=labels), weighed)


def test_who_teaches_is_said_once():
    (x, w, _), labels = inputs()
    with pytest.raises(TypeError, match=r"Expected `teacher` at the call.*alpha is 0.5"):
        tfkd.LinearDistillationLoss(alpha=0.5)(x, w, labels)
    with pytest.raises(TypeError, match=r"one teacher, got one at the call.*UniformTeacher"):
        tfkd.LinearDistillationLoss(tfkd.UniformTeacher(), alpha=0.5)(x, w, labels, teacher=1.0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("teacher", ["virtual", "gaps", "head with bias"])
def test_on_a_gpu_it_is_the_same(monkeypatch, dtype, teacher):
    monkeypatch.setattr(chunks, "LOGITS_ON_ACCELERATOR", 1)
    tensors, labels = inputs(dtype=dtype)
    given, _ = teachers(dtype=dtype)[teacher]
    on_gpu = given
    if not isinstance(given, float):
        on_gpu = tree_map(torch.Tensor.cuda, given)
    options = {"alpha": 0.3, "temperature": 2.0}
    ours, exact = leaves([part.cuda() for part in tensors]), leaves(tensors)
    found = tfkd.linear_distillation_loss(
        *ours[:2], labels.cuda(), on_gpu, linear_bias=ours[2], **options
    )
    expected = tfkd.linear_distillation_loss(
        *exact[:2], labels, given, linear_bias=exact[2], **options
    )
    rounding = 20 * torch.finfo(dtype).eps
    close = {"rtol": rounding, "atol": rounding, "check_device": False}
    torch.testing.assert_close(found, expected, **close)
    torch.testing.assert_close(slopes(found, ours), slopes(expected, exact), **close)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_class_weights_of_half_precision_are_summed_in_float32(dtype):
    (hidden, weight, _), labels = inputs((200,), dtype)
    class_weight = torch.linspace(900.0, 1100.0, K).to(dtype)
    loss = tfkd.linear_distillation_loss(
        hidden, weight, labels, 3.0, alpha=0.5, weight=class_weight
    )
    logits = F.linear(hidden.double(), weight.double())
    expected = tfkd.distillation_loss(logits, labels, 3.0, alpha=0.5, weight=class_weight.double())
    torch.testing.assert_close(loss.double(), expected, rtol=2e-3, atol=0)


def test_class_weights_are_not_learned():
    (hidden, weight, _), labels = inputs()
    learned = torch.ones(K, dtype=hidden.dtype, requires_grad=True)
    with pytest.raises(ValueError, match="`weight` without gradient"):
        tfkd.linear_distillation_loss(hidden, weight, labels, 3.0, alpha=0.5, weight=learned)
