"""Each penalty against its formula in a straight float64 loop, value and gradient; its rules."""

from __future__ import annotations

import copy
import itertools
import math
import pickle

import pytest
import torch
import torch.nn.functional as F

import tfkd
from tfkd.loss.schedules import Linear, Until
from tfkd.penalties import (
    ConfidencePenalty,
    DualFocalLoss,
    FocalLoss,
    LogitNorm,
    MarginLabelSmoothing,
    MaxSup,
    Penalty,
    confidence_penalty_loss,
    dual_focal_loss,
    focal_loss,
    logit_norm_loss,
    margin_label_smoothing_loss,
    max_sup_loss,
)

K = 5
SHAPES = {"unbatched": (K,), "batch": (6, K), "dense": (2, K, 1, 3)}
WEIGHT = torch.tensor([0.5, 2.0, 1.0, 0.25, 3.0], dtype=torch.float64)


# One sample of logits z, labels q and weights w of the classes, written out class by class: torch's
# own operations on single numbers alone, so that the gradient is theirs.


def log_softmax(z):
    shifted = [x - max(z).detach() for x in z]
    total = sum(x.exp() for x in shifted)
    return [x - total.log() for x in shifted]


def cross_entropy(z, q, w):
    return sum(-w[k] * q[k] * log_p for k, log_p in enumerate(log_softmax(z)))


def of_sample(q, w):
    return sum(q[k] * w[k] for k in range(K))


def max_sup(z, q, w, added):
    return cross_entropy(z, q, w) + of_sample(q, w) * added * (max(z) - sum(z) / K)


def confidence(z, q, w, added):
    entropy = -sum(log_p.exp() * log_p for log_p in log_softmax(z))
    return cross_entropy(z, q, w) - of_sample(q, w) * added * entropy


def margin(z, q, w, added, margin):
    beyond = sum(max(max(z) - x - margin, 0.0 * x) for x in z) / K
    return cross_entropy(z, q, w) + of_sample(q, w) * added * beyond


def focal(z, q, w, focusing, unsure=None):
    terms = []
    for k, log_p in enumerate(log_softmax(z)):
        power = unsure if unsure is not None and log_p.exp() < 0.2 else focusing
        terms.append(-w[k] * q[k] * (1.0 - log_p.exp()) ** power * log_p)
    return sum(terms)


def dual_focal(z, q, w, focusing):
    log_p = log_softmax(z)
    y = int(q.argmax())
    p = [each.exp() for each in log_p]
    below = max([each for each in p if each < p[y]], default=0.0)
    return -q[y] * w[y] * (1.0 - p[y] + below) ** focusing * log_p[y]


def logit_norm(z, q, w, temperature):
    length = sum(x**2 for x in z).sqrt() + 1e-7
    return cross_entropy([x / (length * temperature) for x in z], q, w)


ROWS = {
    "max_sup": (MaxSup(added=0.3), lambda *a: max_sup(*a, 0.3)),
    "confidence_penalty": (ConfidencePenalty(added=0.3), lambda *a: confidence(*a, 0.3)),
    "margin": (MarginLabelSmoothing(added=0.3, margin=2.0), lambda *a: margin(*a, 0.3, 2.0)),
    "focal": (FocalLoss(focusing=2.5), lambda *a: focal(*a, 2.5)),
    "focal below 1": (FocalLoss(focusing=0.5), lambda *a: focal(*a, 0.5)),
    "FLSD-53": (FocalLoss(unsure_focusing=5.0), lambda *a: focal(*a, 3.0, 5.0)),
    "dual_focal": (DualFocalLoss(focusing=2.5), lambda *a: dual_focal(*a, 2.5)),
    "logit_norm": (LogitNorm(temperature=0.5), lambda *a: logit_norm(*a, 0.5)),
}
NAMES = list(ROWS)
AT_NOTHING = {
    "max_sup": lambda **o: MaxSup(added=0.0, **o),
    "confidence_penalty": lambda **o: ConfidencePenalty(added=0.0, **o),
    "margin": lambda **o: MarginLabelSmoothing(added=0.0, **o),
    "focal": lambda **o: FocalLoss(focusing=0.0, **o),
    "dual_focal": lambda **o: DualFocalLoss(focusing=0.0, **o),
}
rows = pytest.mark.parametrize("name", NAMES)


def with_options(name, **options):
    """The criterion of a row with other options."""
    criterion = copy.deepcopy(ROWS[name][0])
    for option, value in options.items():
        setattr(criterion, option, value)
    return criterion


def batch(shape, soft, seed=0):
    g = torch.Generator().manual_seed(seed)
    dim = 0 if len(shape) == 1 else 1
    z = (3 * torch.randn(shape, generator=g)).double().requires_grad_()
    if soft:
        labels = torch.rand(shape, generator=g).double()
        # Some classes without any probability, as in mixup.
        labels = labels * (labels > 0.5)
        return z, labels / labels.sum(dim, keepdim=True)
    return z, torch.randint(0, K, shape[:dim] + shape[dim + 1 :], generator=g)


def by_loop(formula, z, labels, weight, ignore_index, reduction):
    dim = 0 if z.dim() == 1 else 1
    w = torch.ones(K, dtype=torch.float64) if weight is None else weight
    samples = z.movedim(dim, -1).reshape(-1, K)
    soft = labels.is_floating_point()
    q = labels.movedim(dim, -1).reshape(-1, K) if soft else labels.reshape(-1)
    losses, divisor = [], 0.0
    for sample, label in zip(samples, q, strict=True):
        if not soft and label == ignore_index:
            losses.append(sample.sum() * 0.0)
            continue
        own = label if soft else F.one_hot(label, K).double()
        losses.append(formula(list(sample), own, w))
        divisor += 1.0 if soft else float(of_sample(own, w))
    if reduction == "none":
        return torch.stack(losses).reshape(z.shape[:dim] + z.shape[dim + 1 :])
    total = sum(losses)
    return total if reduction == "sum" else total / divisor


@rows
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("soft", [False, True], ids=["indices", "probabilities"])
def test_value_and_gradient_are_those_of_the_formula(name, shape, soft):
    if soft and name == "dual_focal":
        with pytest.raises(ValueError, match="class indices for the dual focal loss"):
            ROWS[name][0](*batch(shape, soft))
        return
    for weight, reduction, ignored in itertools.product(
        (None, WEIGHT), ("mean", "sum", "none"), (-100,) if soft else (-100, 1)
    ):
        z, labels = batch(shape, soft)
        if len(shape) == 1 and not soft and labels == ignored:
            continue  # nothing is left to average
        options = {"weight": weight, "reduction": reduction, "ignore_index": ignored}
        ours = with_options(name, scale=0.7, **options)(z, labels)
        theirs = 0.7 * by_loop(ROWS[name][1], z, labels, weight, ignored, reduction)
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)
        (own,) = torch.autograd.grad(ours.sum(), z)
        (expected,) = torch.autograd.grad(theirs.sum(), z)
        torch.testing.assert_close(own, expected, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("name", AT_NOTHING)
@pytest.mark.parametrize("soft", [False, True], ids=["indices", "probabilities"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_with_nothing_to_add_it_is_torchs_to_the_last_bit(name, soft, dtype):
    for shape, reduction, weight in itertools.product(
        SHAPES.values(), ("mean", "sum", "none"), (None, WEIGHT.to(dtype))
    ):
        z, labels = batch(shape, soft)
        z, labels = z.detach().to(dtype).requires_grad_(), labels.to(dtype) if soft else labels
        ours = AT_NOTHING[name](weight=weight, reduction=reduction)(z, labels)
        theirs = F.cross_entropy(z, labels, weight, reduction=reduction)
        assert ours.dtype == theirs.dtype
        assert torch.equal(ours, theirs)
        (own,) = torch.autograd.grad(ours.sum(), z)
        assert torch.equal(own, torch.autograd.grad(theirs.sum(), z)[0])


@rows
def test_a_weight_of_2_is_the_sample_twice(name):
    """The rule of weights: whatever is added to a sample counts as its label does."""
    z, labels = batch(SHAPES["batch"], False)
    twice = torch.tensor([1.0, 1.0, 2.0, 1.0, 1.0], dtype=torch.float64)
    again = torch.cat([z, z[labels == 2]]), torch.cat([labels, labels[labels == 2]])
    assert 0 < (labels == 2).sum() < len(labels)
    ours = with_options(name, weight=twice)(z, labels)
    torch.testing.assert_close(ours, with_options(name)(*again), rtol=1e-12, atol=0)


@rows
@pytest.mark.parametrize("soft", [False, True], ids=["indices", "probabilities"])
def test_a_class_masked_for_all_is_a_class_left_out(name, soft):
    if soft and name == "dual_focal":
        return
    z, labels = batch(SHAPES["batch"], soft)
    wide = F.pad(z.detach(), (0, 1), value=-math.inf).requires_grad_()
    wide_labels = F.pad(labels, (0, 1)) if soft else labels
    ours, theirs = ROWS[name][0](wide, wide_labels), ROWS[name][0](z, labels)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)
    (own,) = torch.autograd.grad(ours, wide)
    torch.testing.assert_close(own, F.pad(torch.autograd.grad(theirs, z)[0], (0, 1)))


@rows
def test_an_ignored_position_counts_nothing_even_where_it_is_infinite(name):
    z, labels = batch(SHAPES["batch"], False)
    masked = z.detach().clone()
    masked[0, :4] = -math.inf
    masked.requires_grad_()
    ignored = labels.clone()
    ignored[0] = -100
    ours, theirs = ROWS[name][0](masked, ignored), ROWS[name][0](z[1:], labels[1:])
    torch.testing.assert_close(ours, theirs)
    (own,) = torch.autograd.grad(ours, masked)
    torch.testing.assert_close(own, torch.autograd.grad(theirs, z)[0])


@rows
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_computed_in_float32(name, dtype):
    z = torch.tensor([[300.0, 0.0, -300.0, 1.0, 2.0], [0.5, 0.25, 4.0, -1.0, 0.0]]).to(dtype)
    labels = torch.tensor([0, 1])
    half, full = z.clone().requires_grad_(), z.double().requires_grad_()
    loss = ROWS[name][0](half, labels)
    assert loss.dtype == torch.float32
    expected = ROWS[name][0](full, labels)
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=1e-6)
    (own,) = torch.autograd.grad(loss, half)
    (theirs,) = torch.autograd.grad(expected, full)
    torch.testing.assert_close(own.double(), theirs, rtol=1e-2, atol=1e-3)


@rows
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_certain_sample_has_a_finite_gradient(name, dtype):
    for far in (1e4, 40.0):
        z = torch.zeros(2, K, dtype=dtype)
        z[:, 0] = far
        z.requires_grad_()
        loss = ROWS[name][0](z, torch.tensor([0, 1]))
        (own,) = torch.autograd.grad(loss, z)
        assert loss.isfinite() and own.isfinite().all()


@rows
def test_it_is_called_as_every_loss_and_looks_at_nothing_else(name):
    z, labels = batch(SHAPES["batch"], False)
    criterion = ROWS[name][0]
    assert isinstance(criterion, Penalty) and isinstance(criterion, tfkd.loss.Criterion)
    plain = criterion(z, labels)
    full = criterion(z, labels, torch.ones(6, 3), indices=torch.arange(6), view=1)
    assert torch.equal(full, plain)
    assert torch.equal(criterion(z, labels.to(torch.uint8)), plain)
    criterion.step_ended(torch.nn.Identity())
    criterion.epoch_ended()
    assert torch.equal(criterion(z, labels), plain)
    for copied in (copy.deepcopy(criterion), pickle.loads(pickle.dumps(criterion))):
        assert torch.equal(copied(z, labels), plain)
        assert list(copied.state_dict()) == []


def test_modules_are_their_functions():
    z, labels = batch(SHAPES["batch"], False)
    for ours, function in (
        (ROWS["max_sup"][0], lambda **o: max_sup_loss(z, labels, added=0.3, **o)),
        (ROWS["confidence_penalty"][0], lambda **o: confidence_penalty_loss(z, labels, added=0.3)),
        (
            ROWS["margin"][0],
            lambda **o: margin_label_smoothing_loss(z, labels, added=0.3, margin=2.0),
        ),
        (ROWS["FLSD-53"][0], lambda **o: focal_loss(z, labels, unsure_focusing=5.0)),
        (ROWS["dual_focal"][0], lambda **o: dual_focal_loss(z, labels, focusing=2.5)),
        (ROWS["logit_norm"][0], lambda **o: logit_norm_loss(z, labels, temperature=0.5)),
    ):
        assert torch.equal(ours(z, labels), function())


@pytest.mark.parametrize("build", [lambda added: MaxSup(added=added, samples_per_epoch="told")])
def test_a_schedule_is_followed_saved_and_resumed(build):
    z, labels = batch(SHAPES["batch"], False)
    criterion = build(Linear(start=0.1, end=0.2, epochs=3))
    for expected in (0.1, 0.15, 0.2, 0.2):
        assert criterion.added == pytest.approx(expected)
        assert torch.equal(criterion(z, labels), MaxSup(added=criterion.added)(z, labels))
        again = build(Linear(start=0.1, end=0.2, epochs=3))
        again.load_state_dict(criterion.state_dict())
        assert again.added == criterion.added
        criterion.epoch_ended()
    with pytest.raises(ValueError, match="`samples_per_epoch`, since the schedule of `added`"):
        MaxSup(added=Linear(start=0.1, end=0.2, epochs=3))


def test_max_sup_grows_to_twice_its_weight_by_the_last_epoch():
    criterion = tfkd.max_sup(epochs=11, samples_per_epoch=6)
    z, labels = batch(SHAPES["batch"], False)
    found = []
    for _ in range(11):
        criterion(z, labels)
        found.append(criterion.added)
    assert found == pytest.approx([0.1 + 0.1 * epoch / 10 for epoch in range(11)])
    assert tfkd.max_sup(added=0.3).added == 0.3


def test_it_compiles_whole_also_with_a_schedule():
    z, labels = batch(SHAPES["batch"], False)
    for criterion in (
        *(row[0] for row in ROWS.values()),
        MarginLabelSmoothing(
            margin=Until(value=2.0, after=1.0, epochs=1), samples_per_epoch="told"
        ),
    ):
        torch._dynamo.reset()
        compiled = torch.compile(criterion, backend="eager", fullgraph=True)
        for _ in range(2):
            torch.testing.assert_close(compiled(z, labels), criterion(z, labels))
            criterion.epoch_ended()


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: MaxSup(added=-0.1), ValueError, "`added` of at least 0, got -0.1"),
        (lambda: MaxSup(added=torch.tensor(0.1)), TypeError, "`added` to be a number, got Tensor"),
        (lambda: MarginLabelSmoothing(margin=-1.0), ValueError, "`margin` of at least 0"),
        (lambda: FocalLoss(focusing=math.nan), ValueError, "`focusing` of at least 0"),
        (lambda: FocalLoss(unsure_focusing=-5.0), ValueError, "`unsure_focusing` of at least 0"),
        (lambda: LogitNorm(temperature=0.0), ValueError, "`temperature` to be positive"),
        (lambda: MaxSup(scale=0.0), ValueError, "`scale` to be positive"),
        (lambda: MaxSup(reduction="meen"), ValueError, "`reduction` .*Did you mean mean"),
        (lambda: MaxSup()(torch.zeros(2, 3), torch.zeros(3).long()), ValueError, r"`labels` of sh"),
        (lambda: LogitNorm()(torch.zeros(2, 3).long(), torch.zeros(2).long()), TypeError, "float"),
        (
            lambda: max_sup_loss(torch.zeros(2, 3), torch.zeros(2).long(), added=-1),
            ValueError,
            "ad",
        ),
        (lambda: focal_loss(torch.zeros(1, 3), torch.tensor([3])), (IndexError, RuntimeError), "3"),
    ],
)
def test_what_is_refused(build, error, message):
    with pytest.raises(error, match=message):
        build()


def test_settings_are_checked_after_construction_too():
    criterion = MaxSup()
    with pytest.raises(ValueError, match="`added` of at least 0"):
        criterion.added = -1.0
    with pytest.raises(ValueError, match="`reduction`"):
        criterion.reduction = "meen"
    assert (criterion.added, criterion.reduction) == (0.1, "mean")
