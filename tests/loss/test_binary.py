"""The loss of several labels at once: torch's own at α = 0, the one loss at two classes above."""

from __future__ import annotations

import cmath
import inspect
import itertools
import math

import pytest
import teacher_table
import torch
import torch.nn.functional as F
from torch import nn

import tfkd
from tfkd.loss.schedules import Linear

SHAPES = [(4,), (4, 3), (2, 3, 2, 2)]
REDUCTIONS = ["mean", "sum", "none"]
IGNORED = -100


def batch(shape, dtype=torch.float64, *, soft=True):
    """Logits of student and teacher, labels, a weight of all, and one of each column."""
    generator = torch.Generator().manual_seed(len(shape))
    made = [torch.randn(shape, generator=generator, dtype=torch.float64) * 2 for _ in range(2)]
    labels = torch.rand(shape, generator=generator, dtype=torch.float64)
    weight = torch.rand(shape, generator=generator, dtype=torch.float64) + 0.1
    column = shape[1:2] + (1,) * len(shape[2:])
    pos_weight = torch.rand(column, generator=generator, dtype=torch.float64) * 4
    labels = labels if soft else labels.round()
    z, t, *others = [tensor.to(dtype) for tensor in (*made, labels, weight, pos_weight)]
    return z.requires_grad_(), t, *others


def value_and_gradient(loss, logits):
    return loss.detach(), torch.autograd.grad(loss.sum(), logits)[0]


def assert_same(ours, expected, **tolerance):
    for one, other in zip(ours, expected, strict=True):
        torch.testing.assert_close(one, other, **tolerance)


@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_at_alpha_0_it_is_that_of_torch(shape, reduction, soft):
    for dtype in (torch.float32, torch.float64):
        z, t, q, weight, pos_weight = batch(shape, dtype, soft=soft)
        weights = (None, weight, pos_weight)
        for w, p in itertools.product(weights, weights):
            theirs = nn.BCEWithLogitsLoss(w, reduction=reduction, pos_weight=p)
            expected = value_and_gradient(theirs(z, q), z)
            options = {"weight": w, "pos_weight": p, "reduction": reduction}
            ours = tfkd.binary_distillation_loss(z, q, t, alpha=0.0, **options)
            assert_same(value_and_gradient(ours, z), expected)
            ours = tfkd.binary_cross_entropy(scale=2.0, **options)(input=z, target=q) / 2.0
            assert_same(value_and_gradient(ours, z), expected)


def written_out(z, q, t, w, p, *, alpha, temperature, confidence=None):
    """L of one label in complex numbers; of a designed teacher with its confidence."""

    def probability(logit):
        return 1.0 / (1.0 + cmath.exp(-logit))

    sure, softened = probability(z), probability(z / temperature)
    label = -w * (p * q * cmath.log(sure) + (1.0 - q) * cmath.log(1.0 - sure))
    if confidence is None:
        target = probability(t / temperature)
    else:
        gap = math.log(confidence / (1.0 - confidence))
        right = probability(gap / temperature)
        target = q * right + (1.0 - q) * (1.0 - right)
    divergence = target * cmath.log(target / softened) + (1.0 - target) * cmath.log(
        (1.0 - target) / (1.0 - softened)
    )
    taught = w * (p * q + 1.0 - q) * temperature**2 * divergence
    return (1.0 - alpha) * label + alpha * taught


@pytest.mark.parametrize("alpha", [0.3, 1.0])
@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("confidence", [None, 0.5, 0.9])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_value_and_gradient_are_those_of_the_formula(shape, confidence, temperature, alpha):
    z, t, q, weight, pos_weight = batch(shape)
    q.view(-1)[0], q.view(-1)[1] = 0.0, 1.0
    q.view(-1)[-1] = IGNORED
    every = [tensor.detach().expand(shape).flatten().tolist() for tensor in (z, q, t)]
    teacher = t if confidence is None else math.log(confidence / (1.0 - confidence))
    for w, p in itertools.product((None, weight), (None, pos_weight)):
        ones = torch.ones(shape, dtype=torch.float64)
        weights = [
            (ones if own is None else own.expand(shape)).flatten().tolist() for own in (w, p)
        ]
        values, slopes = [], []
        for one in zip(*every, *weights, strict=True):
            if one[1] == IGNORED:
                values, slopes = [*values, 0.0], [*slopes, 0.0]
                continue
            options = {"alpha": alpha, "temperature": temperature, "confidence": confidence}
            stepped = written_out(one[0] + 1e-30j, *one[1:], **options)
            values.append(written_out(*one, **options).real)
            slopes.append(stepped.imag / 1e-30)
        expected = [
            torch.tensor(numbers, dtype=torch.float64).view(shape) for numbers in (values, slopes)
        ]
        loss = tfkd.binary_distillation_loss(
            z,
            q,
            teacher,
            alpha=alpha,
            temperature=temperature,
            weight=w,
            pos_weight=p,
            reduction="none",
        )
        assert_same(value_and_gradient(loss, z), expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("teacher", ["logits", "gap"])
def test_it_is_the_one_loss_at_two_classes(teacher, either_way):
    z, t, q, _, _ = batch((6,), soft=False)
    numbers = {"alpha": 0.4, "temperature": 3.0, "scale": 2.0, "reduction": "sum"}
    ours = tfkd.binary_distillation_loss(
        z, q, t if teacher == "logits" else 1.5, pos_weight=torch.tensor(3.0).double(), **numbers
    )
    pairs, taught = (torch.stack([own, torch.zeros_like(own)], 1) for own in (z, t))
    theirs = tfkd.distillation_loss(
        pairs,
        1 - q.long(),
        taught if teacher == "logits" else 1.5,
        weight=torch.tensor([3.0, 1.0]).double(),
        **numbers,
    )
    assert_same(value_and_gradient(ours, z), value_and_gradient(theirs, z))


@pytest.mark.parametrize("alpha", [0.1, 0.7, 1.0])
def test_label_smoothing_is_cross_entropy_with_smoothed_labels(alpha):
    z, _, q, weight, _ = batch((4, 3))
    ours = tfkd.binary_label_smoothing(alpha, weight=weight)(z, q)
    smoothed = (1.0 - alpha) * q + alpha / 2.0
    theirs = F.binary_cross_entropy_with_logits(z, smoothed, weight)
    theirs = theirs - alpha * math.log(2.0) * weight.mean()
    assert_same(value_and_gradient(ours, z), value_and_gradient(theirs, z))


def test_a_weight_does_not_change_what_is_taught():
    _, t, q, weight, pos_weight = batch((4, 3))
    z = t.clone().requires_grad_()
    options = {"weight": weight, "pos_weight": pos_weight}
    loss = tfkd.binary_distillation_loss(z, q, t, alpha=1.0, temperature=2.0, **options)
    value, gradient = value_and_gradient(loss, z)
    assert abs(value) < 1e-12
    assert gradient.abs().max() < 1e-12


@pytest.mark.parametrize("teacher", ["logits", "gap"])
def test_its_derivatives_are_right_to_the_second_also_at_0(teacher):
    z, t, q, weight, pos_weight = batch((2, 3))
    z = z.detach()
    z[0, 0], q[1, 1] = 0.0, IGNORED
    z.requires_grad_()

    def loss(z):
        said = t if teacher == "logits" else 1.5
        options = {"weight": weight, "pos_weight": pos_weight}
        return tfkd.binary_distillation_loss(z, q, said, alpha=0.4, temperature=2.0, **options)

    assert torch.autograd.gradcheck(loss, z)
    assert torch.autograd.gradgradcheck(loss, z)


FAR = [0.0, 5.0, 300.0, 1e4]


@pytest.mark.parametrize("temperature", [1.0, 20.0])
def test_far_logits_lose_no_digits(temperature):
    """Against the formula in float64, whose softplus is exact there."""
    ends = sorted({sign * far for sign in (1, -1) for far in FAR})
    cases = itertools.product(ends, ends, [0.0, 1.0])
    z, t, q = (torch.tensor(own) for own in zip(*cases, strict=True))
    exact = z.double().requires_grad_()

    def log_p(logits):
        return -F.softplus(-logits), -F.softplus(logits)

    target = torch.sigmoid(t.double() / temperature), torch.sigmoid(-t.double() / temperature)
    wanted = zip(target, log_p(t.double() / temperature), log_p(exact / temperature), strict=True)
    divergence = sum(p * (log_t - log_s) for p, log_t, log_s in wanted)
    label = -(q * log_p(exact)[0] + (1.0 - q) * log_p(exact)[1])
    expected = value_and_gradient(0.5 * label + 0.5 * temperature**2 * divergence, exact)
    z.requires_grad_()
    loss = tfkd.binary_distillation_loss(
        z, q, t, alpha=0.5, temperature=temperature, reduction="none"
    )
    ours = value_and_gradient(loss, z)
    assert_same([own.double() for own in ours], expected, rtol=1e-5, atol=2e-4)


def test_a_teacher_may_be_certain():
    z, _, q, _, _ = batch((4, 3))
    certain = torch.where(q > 0.5, math.inf, -math.inf)
    loss = tfkd.binary_distillation_loss(z, q, certain, alpha=1.0)
    theirs = F.binary_cross_entropy_with_logits(z, (q > 0.5).double())
    assert_same(value_and_gradient(loss, z), value_and_gradient(theirs, z))
    hard = q.round()
    assert_same(
        value_and_gradient(tfkd.binary_tf_kd_reg(confidence=1.0, temperature=1.0)(z, hard), z),
        value_and_gradient(F.binary_cross_entropy_with_logits(z, hard), z),
    )


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("alpha", [0.0, 0.4])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_label_that_is_ignored_is_as_if_it_were_not_there(reduction, alpha, weighted):
    z, t, q, weight, _ = batch((4, 3))
    weight = weight if weighted else None
    known = torch.tensor([[1, 1, 0], [1, 0, 1], [1, 1, 1], [0, 0, 0]], dtype=torch.bool)
    numbers = {"alpha": alpha, "temperature": 2.0, "reduction": reduction}
    alone = tfkd.binary_distillation_loss(
        z[known], q[known], t[known], **numbers, weight=weight[known] if weighted else None
    )
    expected = value_and_gradient(alone, z)
    broken = torch.where(known, z, math.nan).detach().requires_grad_()
    for ignored in (IGNORED, -1, 255):
        labels = torch.where(known, q, ignored)
        options = {**numbers, "weight": weight, "ignore_index": ignored}
        for teacher in (torch.where(known, t, math.nan), torch.where(known, t, math.inf)):
            loss = tfkd.binary_distillation_loss(broken, labels, teacher, **options)
            ours = value_and_gradient(loss, broken)
            found = ours[0][known] if reduction == "none" else ours[0]
            assert_same((found, ours[1]), expected)
            assert reduction != "none" or (ours[0][~known] == 0.0).all()


def test_of_no_label_the_mean_is_undefined_as_that_of_torch():
    for alpha in (0.0, 0.5):
        loss = tfkd.binary_label_smoothing(alpha)
        assert loss(torch.zeros(2), torch.full((2,), -100.0)).isnan()
        assert loss(torch.zeros(0, 3), torch.zeros(0, 3)).isnan()
    assert F.binary_cross_entropy_with_logits(torch.zeros(0), torch.zeros(0)).isnan()


@pytest.mark.parametrize("alpha", [0.0, 0.4])
def test_accumulated_batches_add_up_to_one(alpha):
    z, _, q, weight, pos_weight = batch((6, 3))
    q[0, 1:], q[5] = IGNORED, IGNORED
    criterion = tfkd.BinaryDistillationLoss(
        tfkd.VirtualTeacher(0.8), alpha=alpha, weight=weight[0], pos_weight=pos_weight
    )
    items = (q != IGNORED).sum()
    parts = [criterion(z[own], q[own], num_items_in_batch=items) for own in ([0, 1], [2, 3, 4, 5])]
    assert_same(value_and_gradient(sum(parts), z), value_and_gradient(criterion(z, q), z))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32_unless_nobody_teaches(dtype):
    z, t, q, _, pos_weight = batch((4, 3), torch.float32)
    z, t, q = (own.detach().to(dtype) for own in (z, t, q))
    numbers = {"alpha": 0.4, "temperature": 3.0, "pos_weight": pos_weight}
    loss = tfkd.binary_distillation_loss(z, q, t, **numbers)
    assert loss.dtype == torch.float32
    full = tfkd.binary_distillation_loss(z.float(), q.float(), t.float(), **numbers)
    torch.testing.assert_close(loss, full)
    many = torch.full((40, 1000), 9.0, dtype=dtype)  # whose sum float16 has no room for
    theirs = F.binary_cross_entropy_with_logits(many, torch.zeros_like(many))
    torch.testing.assert_close(tfkd.binary_cross_entropy()(many, torch.zeros_like(many)), theirs)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64])
def test_labels_may_be_whole_numbers(dtype):
    z, t, q, _, _ = batch((4, 3), torch.float32, soft=False)
    for alpha in (0.0, 0.4):
        ours = tfkd.binary_distillation_loss(z, q.to(dtype), t, alpha=alpha)
        assert ours == tfkd.binary_distillation_loss(z, q, t, alpha=alpha)


class Fixed(tfkd.Teacher):
    """Answers with logits, and speaks of some labels more loudly."""

    def __init__(self, logits, share=1.0):
        super().__init__()
        self.said = tfkd.Answer(logits, share)

    def forward(self, batch):
        return self.said


class Within(tfkd.Teacher):
    """Answers as another does."""

    def __init__(self, teacher):
        super().__init__()
        self.teacher = teacher

    def forward(self, batch):
        return self.teacher(batch)


def test_an_own_teacher_speaks_of_each_label_as_loudly_as_it_likes():
    z, t, q, _, pos_weight = batch((4, 3))
    share = torch.rand(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    share[0] = 0.0
    numbers = {"alpha": 0.4, "temperature": 2.0, "reduction": "none", "pos_weight": pos_weight}
    ours = tfkd.BinaryDistillationLoss(Within(Fixed(t, share)), **numbers)(z, q)
    silent = tfkd.binary_distillation_loss(z, q, t, **{**numbers, "alpha": 0.0}) * 0.6
    spoken = tfkd.binary_distillation_loss(z, q, t, **numbers)
    expected = silent + share * (spoken - silent)
    assert_same(value_and_gradient(ours, z), value_and_gradient(expected, z))
    with pytest.raises(ValueError, match=r"`share` to be a number or of shape \(4, 3\)"):
        tfkd.BinaryDistillationLoss(Fixed(t, share[0]), alpha=0.4)(z, q)
    with pytest.raises(ValueError, match=r"\(4, 3\), got \(4, 2\): do teacher and student"):
        tfkd.BinaryDistillationLoss(Fixed(t[:, :2]), alpha=0.4)(z, q)


@pytest.mark.parametrize("average", ["probabilities", "logits"])
def test_an_ensemble_is_averaged_label_by_label(average):
    z, t, q, _, _ = batch((4, 3), soft=False)
    q[0, 0] = IGNORED
    virtual = torch.where(q == 1.0, math.log(9.0), -math.log(9.0))
    teacher = tfkd.EnsembleTeacher([Fixed(t), tfkd.VirtualTeacher(0.9)], average)
    tau = 3.0
    if average == "logits":
        mean = (t + virtual) / 2.0
    else:
        mean = tau * torch.logit((torch.sigmoid(t / tau) + torch.sigmoid(virtual / tau)) / 2.0)
    numbers = {"alpha": 0.4, "temperature": tau}
    ours = tfkd.BinaryDistillationLoss(teacher, **numbers)(z, q)
    expected = tfkd.binary_distillation_loss(z, q, mean, **numbers)
    assert_same(value_and_gradient(ours, z), value_and_gradient(expected, z))


def test_networks_teach_by_their_logits(tmp_path):
    generator = torch.Generator().manual_seed(0)
    inputs, q = torch.randn(6, 4, generator=generator), torch.eye(6, 3)
    student, network = nn.Linear(4, 3), nn.Linear(4, 3)
    at = torch.arange(6)
    caches = {
        form: tfkd.CachedTeacher.record(tmp_path / form, network, [(inputs, at, 0)], form=form)
        for form in ("float32", "float16")
    }
    taught = {
        "network": (tfkd.binary_knowledge_distillation(network), network),
        "cache": (tfkd.binary_knowledge_distillation(caches["float32"]), network),
        "self": (tfkd.binary_tf_kd_self(network, alpha=0.5, temperature=2.0), network),
        "mean": (
            tfkd.BinaryDistillationLoss(tfkd.MeanTeacher(student), alpha=0.5, temperature=2.0),
            student,
        ),
    }
    for name, (criterion, teacher) in taught.items():
        ours = criterion(student(inputs), q, inputs, indices=at)
        expected = tfkd.binary_distillation_loss(
            student(inputs), q, teacher(inputs).detach(), alpha=0.5, temperature=2.0
        )
        torch.testing.assert_close(ours, expected, msg=name)
    with pytest.raises(ValueError, match=r"form float32, .* got float16"):
        tfkd.binary_knowledge_distillation(caches["float16"])


BY_LABEL = {
    "CachedTeacher",
    "EnsembleTeacher",
    "MeanTeacher",
    "NetworkTeacher",
    "UniformTeacher",
    "VirtualTeacher",
}
FIRST = {row.name: row for row in reversed(teacher_table.TABLE)}


@pytest.mark.parametrize("name", [*FIRST, "LastBatchTeacher"])
def test_teachers_of_one_true_class_are_refused_when_the_loss_is_made(name):
    if name == "LastBatchTeacher":
        teacher = tfkd.LastBatchTeacher()
    else:
        make = FIRST[name].make
        taken = inspect.signature(make).parameters
        teacher = make(*[teacher_table.Network()] * ("student" in taken))
    if name in BY_LABEL:
        tfkd.BinaryDistillationLoss(teacher, alpha=0.5, samples_per_epoch="told")
        return
    message = f"`teacher` that speaks of each label by itself, got {name}, which "
    for refused in (
        teacher,
        Within(teacher),
        tfkd.EnsembleTeacher([tfkd.UniformTeacher(), teacher]),
    ):
        with pytest.raises(TypeError, match=message):
            tfkd.BinaryDistillationLoss(refused, alpha=0.5, samples_per_epoch="told")
    criterion = tfkd.binary_cross_entropy()
    with pytest.raises(TypeError, match=message):
        criterion.teacher = teacher


def test_a_designed_teacher_within_ones_own_would_count_the_labels():
    for inner in (tfkd.VirtualTeacher(0.9), tfkd.EnsembleTeacher([teacher_table.network()])):
        with pytest.raises(TypeError, match=f"within Within, got {type(inner).__name__}"):
            tfkd.BinaryDistillationLoss(Within(inner), alpha=0.5)
    with pytest.raises(ValueError, match=r"`confidence` in \[1/K, 1\] = \[0.5, 1\]"):
        tfkd.binary_tf_kd_reg(confidence=0.3)


def test_it_follows_schedules_and_is_resumed():
    z, _, q, weight, _ = batch((4, 3))

    def made():
        return tfkd.BinaryDistillationLoss(
            tfkd.VirtualTeacher(0.9),
            alpha=Linear(start=0.0, end=0.8, epochs=3),
            samples_per_epoch="told",
            pos_weight=weight[0],
        )

    criterion, found = made(), []
    for _ in range(3):
        found.append(criterion(z, q).item())
        criterion.step_ended(nn.Identity())
        criterion.epoch_ended()
    numbers = {"pos_weight": weight[0]}
    expected = [
        tfkd.binary_distillation_loss(z, q, math.log(9.0), alpha=alpha, **numbers).item()
        for alpha in (0.0, 0.4, 0.8)
    ]
    assert found == pytest.approx(expected, rel=1e-9)
    resumed = made()
    resumed.pos_weight = torch.ones_like(weight[0])
    resumed.load_state_dict(criterion.state_dict())
    assert resumed.alpha == criterion.alpha == 0.8
    assert resumed(z, q) == criterion(z, q)
    with pytest.raises(ValueError, match="`samples_per_epoch`, since the schedule of `alpha`"):
        tfkd.BinaryDistillationLoss(tfkd.UniformTeacher(), alpha=Linear(start=0, end=1, epochs=2))


def test_hooks_reach_the_teacher():
    student = nn.Linear(2, 3)
    criterion = tfkd.BinaryDistillationLoss(tfkd.MeanTeacher(student, decay=0.5), alpha=0.5)
    before = criterion.teacher.network.weight.clone()
    with torch.no_grad():
        student.weight += 1.0
    criterion.step_ended(student)
    torch.testing.assert_close(criterion.teacher.network.weight, before + 0.5)


def test_it_goes_through_the_compiler_in_one_graph():
    z, _, q, weight, pos_weight = batch((4, 3), torch.float32)
    q[0, 0] = IGNORED
    criterion = tfkd.BinaryDistillationLoss(
        tfkd.VirtualTeacher(0.9), alpha=0.4, temperature=3.0, weight=weight, pos_weight=pos_weight
    )
    compiled = torch.compile(criterion, fullgraph=True, backend="eager")
    assert_same(value_and_gradient(compiled(z, q), z), value_and_gradient(criterion(z, q), z))


Z = torch.zeros(4, 3)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"student_logits": [0.0]}, TypeError, "`student_logits` to be a tensor, got list"),
        ({"student_logits": Z.long()}, TypeError, "`student_logits` of a floating point dtype"),
        ({"labels": Z.tolist()}, TypeError, "`labels` to be a tensor, got list"),
        ({"labels": Z.to(torch.complex64)}, TypeError, "`labels` of a floating point dtype"),
        ({"labels": Z[:, :2]}, ValueError, r"`labels` of the shape .* \(4, 3\), .*, got \(4, 2\)"),
        ({"labels": torch.arange(4)}, ValueError, "For one class of several use `tfkd.Distil"),
        ({"labels": Z - 1.0}, ValueError, r"`labels` in \[0, 1\], or -100 .* got -1\."),
        ({"labels": Z + 1.5}, ValueError, r"`labels` in \[0, 1\], or -100 .* got 1.5\."),
        ({"labels": Z * math.nan}, ValueError, "nobody knows, got nan"),
        ({"labels": Z.clone().requires_grad_()}, ValueError, r"Write `labels.detach\(\)`"),
        ({"labels": Z.to("meta")}, ValueError, "`labels` on cpu, .* got meta"),
        ({"teacher_logits": Z[:2]}, ValueError, r"\(4, 3\), got \(2, 3\): do teacher and student"),
        ({"teacher_logits": Z.long()}, TypeError, "`teacher_logits` of a floating point dtype"),
        ({"teacher_logits": Z.to("meta")}, ValueError, "`teacher_logits` on cpu, .* got meta"),
        ({"teacher_logits": -1.0}, ValueError, "a gap of at least 0"),
        ({"alpha": 1.5}, ValueError, r"`alpha` in \[0, 1\], got 1.5"),
        ({"temperature": 0.0}, ValueError, "`temperature` to be positive"),
        ({"scale": -1.0}, ValueError, "`scale` to be positive"),
        ({"reduction": "avg"}, ValueError, "`reduction` to be one of mean, sum, none"),
        ({"ignore_index": 1}, ValueError, "`ignore_index` below 0 or above 1"),
        ({"ignore_index": None}, TypeError, "`ignore_index` to be an int"),
        ({"weight": 2.0}, TypeError, "`weight` to be a floating point tensor, got float"),
        ({"weight": torch.ones(2)}, ValueError, r"`weight` to be broadcast .* got \(2,\)"),
        ({"weight": torch.ones(1, 4, 3)}, ValueError, r"to be broadcast .* got \(1, 4, 3\)"),
        ({"pos_weight": torch.ones(3).long()}, TypeError, "`pos_weight` to be a floating point"),
        ({"pos_weight": torch.ones(4)}, ValueError, r"`pos_weight` to be broadcast .* got \(4,\)"),
        ({"pos_weight": torch.ones(3, requires_grad=True)}, ValueError, "`pos_weight` without"),
        ({"weight": torch.tensor([1.0, -2.0, 1.0])}, ValueError, "`weight` of at least 0.* got -2"),
        ({"pos_weight": torch.tensor(math.inf)}, ValueError, "`pos_weight` of at least 0.* got in"),
    ],
)
def test_what_is_wrong_is_named(arguments, error, message):
    right = {"student_logits": Z, "labels": Z, "teacher_logits": Z, "alpha": 0.5}
    assert tfkd.binary_distillation_loss(**right) == 0.5 * math.log(2.0)
    with pytest.raises(error, match=message):
        tfkd.binary_distillation_loss(**{**right, **arguments})
    options = ("alpha", "temperature", "scale", "reduction", "ignore_index", "weight", "pos_weight")
    own = {name: value for name, value in arguments.items() if name in options}
    if own and not isinstance(own.get("weight", own.get("pos_weight")), torch.Tensor):
        with pytest.raises(error, match=message):
            tfkd.BinaryDistillationLoss(tfkd.UniformTeacher(), **{"alpha": 0.5, **own})


def test_other_arguments_that_are_wrong():
    criterion = tfkd.binary_cross_entropy(torch.ones(3))
    with pytest.raises(TypeError, match="`pos_weight` to be a floating point tensor, got int"):
        criterion.pos_weight = 3
    for wrong in (-1.0, math.nan, math.inf):
        for name in ("weight", "pos_weight"):
            with pytest.raises(
                ValueError, match=f"`{name}` of at least 0 and finite, got {wrong:g}"
            ):
                setattr(criterion, name, torch.tensor([1.0, wrong, 1.0]))
            with pytest.raises(
                ValueError, match=f"`{name}` of at least 0 and finite, got {wrong:g}"
            ):
                tfkd.binary_tf_kd_reg(**{name: torch.tensor([1.0, wrong, 1.0])})
    with pytest.raises(TypeError, match="Expected `weight` once"):
        tfkd.binary_cross_entropy(torch.ones(3), weight=torch.ones(3))
    with pytest.raises(TypeError, match=r"`teacher` to be a tfkd.Teacher, got Linear"):
        tfkd.BinaryDistillationLoss(nn.Linear(2, 2), alpha=0.5)
    with pytest.raises(TypeError, match="Expected `inputs`, which a network teacher looks at"):
        tfkd.binary_knowledge_distillation(nn.Linear(2, 3))(Z, Z)
