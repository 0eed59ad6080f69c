"""`explain` against the paper's numbers, a brute-force optimum and one step of SGD."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from scipy.optimize import minimize_scalar
from torch import nn

import tfkd
from tfkd.loss.schedules import Linear, RampUp
from tfkd.methods.options import added
from tfkd.penalties import Penalty


def released_reg(alpha, temperature, multiplier):
    return tfkd.released_tf_kd_reg(
        alpha=alpha, temperature=temperature, num_classes=100, multiplier=multiplier
    )


# loss, K, normalised alpha, scale, target of the student, epsilon: from the released settings.
RELEASED = [
    (released_reg(0.1, 20.0, 100), 0.1, 1.0, (0.90105, 0.0009995), 0.0999),
    (released_reg(0.1, 40.0, 50), 0.0526, 0.95, (0.94791, 0.000526), 0.0526),
    (released_reg(0.95, 40.0, 1), 0.160, 0.0595, (0.84197, 0.001596), 0.1596),
    (released_reg(0.95, 10.0, 1), 0.160, 0.0595, (0.84210, 0.001595), 0.1595),
    (tfkd.released_label_smoothing(num_classes=100), 0.101, 1.0, (0.9, 0.0010101), 0.1010),
]
IDS = ["ResNet18", "GoogLeNet", "MobileNetV2", "ShuffleNetV2", "label smoothing"]


@pytest.mark.parametrize(("criterion", "alpha", "scale", "target", "epsilon"), RELEASED, ids=IDS)
def test_released_losses_are_label_smoothing(criterion, alpha, scale, target, epsilon):
    explained = tfkd.explain(criterion, 100)
    assert explained.alpha == pytest.approx(alpha, abs=5e-4)
    assert explained.scale == pytest.approx(scale, rel=1e-9)
    assert explained.target[0] == pytest.approx(target[0], abs=6e-6)
    assert explained.target[1] == pytest.approx(target[1], rel=1e-3)
    assert explained.equivalent_label_smoothing == pytest.approx(epsilon, abs=6e-5)
    assert explained.exact
    assert explained.learning_rate_factor == pytest.approx(scale)
    assert explained.weight_decay_factor == pytest.approx(1 / scale)


LOSSES = [
    tfkd.label_smoothing(0.1),
    tfkd.label_smoothing(1.0),
    tfkd.tf_kd_reg(alpha=0.1),
    tfkd.tf_kd_reg(alpha=0.95, temperature=40.0),
    tfkd.tf_kd_reg(alpha=0.5, temperature=1.0, confidence=0.7),
    tfkd.tf_kd_reg(alpha=0.5, temperature=0.7, confidence=0.9),
    tfkd.tf_kd_reg(alpha=1.0, temperature=20.0),
    tfkd.paper_tf_kd_reg(alpha=0.1, temperature=20.0),
    tfkd.released_tf_kd_reg(alpha=0.95, temperature=40.0, num_classes=10, multiplier=50.0),
    tfkd.DistillationLoss(tfkd.UniformTeacher(), alpha=0.3, temperature=20.0, scale=4.0),
]
LOSS_IDS = [f"{c.teacher}, alpha {c.alpha:g}, temperature {c.temperature:g}" for c in LOSSES]


@pytest.mark.parametrize("criterion", LOSSES, ids=LOSS_IDS)
@pytest.mark.parametrize("num_classes", [10, 100])
def test_gap_is_where_the_loss_of_one_sample_is_smallest(criterion, num_classes):
    explained = tfkd.explain(criterion, num_classes)
    label = torch.tensor([0])

    def loss(gap):
        z = torch.zeros(1, num_classes, dtype=torch.float64)
        z[0, 0] = gap
        return criterion(z, label).item()

    found = minimize_scalar(loss, bounds=(-1, 60), method="bounded", options={"xatol": 1e-9})
    assert loss(explained.gap) <= found.fun + 1e-10
    # A minimum of width √eps: the loss is flat to float64 around it.
    assert explained.gap == pytest.approx(found.x, abs=5e-5, rel=1e-4)
    z = torch.tensor([[explained.gap] + [0.0] * (num_classes - 1)], dtype=torch.float64)
    p = z.softmax(1)[0]
    assert explained.target == pytest.approx((p[0].item(), p[1].item()), rel=1e-9)
    # Label smoothing of the equivalent epsilon has no slope at the same gap.
    z.requires_grad_()
    F.cross_entropy(z, label, label_smoothing=explained.equivalent_label_smoothing).backward()
    torch.testing.assert_close(z.grad, torch.zeros_like(z), rtol=0, atol=1e-9)


@pytest.mark.parametrize("criterion", LOSSES, ids=LOSS_IDS)
def test_exact_means_the_gradient_of_label_smoothing_times_the_scale(criterion):
    explained = tfkd.explain(criterion, 10)
    assert explained.exact == (criterion.temperature == 1.0)
    g = torch.Generator().manual_seed(0)
    z = (3 * torch.randn(8, 10, generator=g)).double().requires_grad_()
    labels = torch.randint(10, (8,), generator=g)
    epsilon = explained.equivalent_label_smoothing
    smoothed = explained.scale * F.cross_entropy(z, labels, label_smoothing=epsilon)
    (ours,) = torch.autograd.grad(criterion(z, labels), z)
    (theirs,) = torch.autograd.grad(smoothed, z)
    assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-12) == explained.exact


def test_plain_cross_entropy_wants_certainty():
    for criterion in (tfkd.cross_entropy(), tfkd.tf_kd_reg(alpha=0.5, confidence=1.0)):
        explained = tfkd.explain(criterion, 10)
        assert explained.gap == math.inf
        assert explained.target == (1.0, 0.0)
        assert explained.equivalent_label_smoothing == 0.0
    assert tfkd.explain(tfkd.cross_entropy(), 10).exact


def test_a_network_teacher_depends_on_the_sample():
    explained = tfkd.explain(tfkd.knowledge_distillation(nn.Linear(3, 10), alpha=0.5), 10)
    assert explained.teacher_target is None
    assert explained.target is None
    assert explained.gap is None
    assert explained.equivalent_label_smoothing is None
    assert not explained.exact
    assert "NetworkTeacher" in explained.teacher


def test_a_scale_is_a_learning_rate_and_a_weight_decay():
    """SGD with momentum: L·s at (lr, wd) takes the steps of L at (lr·s, wd/s)."""
    g = torch.Generator().manual_seed(0)
    inputs, labels = torch.randn(16, 4, generator=g).double(), torch.arange(16) % 5
    start = torch.randn(5, 4, generator=g).double()
    scaled = tfkd.released_tf_kd_reg(alpha=0.6, temperature=20.0, num_classes=5, multiplier=2.0)
    explained = tfkd.explain(scaled, 5)
    assert explained.scale != 1.0
    plain = tfkd.label_smoothing(explained.equivalent_label_smoothing)

    def weights(criterion, lr, weight_decay):
        w = start.clone().requires_grad_()
        sgd = torch.optim.SGD([w], lr=lr, momentum=0.9, weight_decay=weight_decay)
        for _ in range(5):
            sgd.zero_grad()
            criterion(inputs @ w.T, labels).backward()
            sgd.step()
        return w.detach()

    torch.testing.assert_close(
        weights(scaled, 0.1, 5e-2),
        weights(plain, 0.1 * explained.learning_rate_factor, 5e-2 * explained.weight_decay_factor),
        rtol=1e-10,
        atol=1e-12,
    )


PENALTIES = [
    tfkd.max_sup(added=0.2),
    tfkd.max_sup(added=1.5),
    tfkd.confidence_penalty(added=0.1),
    tfkd.confidence_penalty(added=2.0),
    tfkd.margin_label_smoothing(added=0.3, margin=2.0),
    tfkd.margin_label_smoothing(added=0.3, margin=6.0),
]


@pytest.mark.parametrize("criterion", PENALTIES, ids=str)
@pytest.mark.parametrize("num_classes", [2, 10, 100])
def test_a_penalty_leads_where_its_loss_is_smallest(criterion, num_classes):
    explained = tfkd.explain(criterion, num_classes)
    label = torch.tensor([0])

    def loss(logits):
        return criterion(torch.tensor(logits, dtype=torch.float64)[None], label).item()

    found = loss([explained.gap] + [0.0] * (num_classes - 1))
    for gap in (-1.0, 0.0, 0.5, 2.0, 5.0, 8.0, 20.0, explained.gap - 1e-3, explained.gap + 1e-3):
        assert loss([gap] + [0.0] * (num_classes - 1)) >= found
    # Nor do wrong classes that differ, one of them above all, gain anything.
    g = torch.Generator().manual_seed(0)
    for _ in range(20):
        other = torch.randn(num_classes, generator=g).double() * 2.0
        assert loss(other.tolist()) >= found
    assert not explained.exact
    assert (explained.alpha, explained.scale, explained.teacher_target) == (0.0, 1.0, None)


@pytest.mark.parametrize("build", [tfkd.focal, tfkd.dual_focal])
def test_focal_losses_want_certainty(build):
    explained = tfkd.explain(build(scale=2.0), 10)
    assert (explained.gap, explained.target, explained.scale) == (math.inf, (1.0, 0.0), 2.0)
    assert not explained.exact
    assert tfkd.explain(build(focusing=0.0), 10).exact


def test_logit_norm_fixes_no_gap_and_is_farthest_where_it_says():
    explained = tfkd.explain(tfkd.logit_norm(temperature=0.5), 10)
    assert explained.gap is explained.target is explained.equivalent_label_smoothing is None
    z = torch.tensor([9.0] + [-1.0] * 9, dtype=torch.float64)  # of mean 0, towards the label
    normalised = z / z.norm() / 0.5
    assert f"a gap of {normalised[0] - normalised[1]:.4g}" in explained.remark
    assert "not fixed by this loss" in str(explained)


@pytest.mark.parametrize("criterion", [*PENALTIES, tfkd.focal(), tfkd.logit_norm()], ids=str)
def test_a_penalty_is_said_to_be_no_teacher_and_what_it_minimises(criterion):
    assert isinstance(criterion, Penalty)
    text = str(tfkd.explain(criterion, 10))
    assert "none, a penalty" in text
    assert "cross-entropy" in text
    for word in ("None", "alpha", "temperature", "soft target", "sample to sample"):
        assert word not in text


def test_a_schedule_is_named_with_the_number_of_now():
    teacher = tfkd.UniformTeacher()
    growing = Linear(start=0.1, end=0.8, epochs=8)
    criterion = tfkd.DistillationLoss(teacher, alpha=growing, samples_per_epoch="told")
    assert "0.1 now, Linear(epochs=8, start=0.1, end=0.8)" in str(tfkd.explain(criterion, 10))
    assert tfkd.explain(criterion, 10).equivalent_label_smoothing == pytest.approx(0.1)
    for _ in range(7):
        criterion.epoch_ended()
    explained = tfkd.explain(criterion, 10)
    assert explained.alpha == 0.8
    assert explained.equivalent_label_smoothing == pytest.approx(0.8)
    assert explained.schedules == (("alpha", "Linear(epochs=8, start=0.1, end=0.8)"),)
    ramp = added(RampUp(value=3.0, epochs=5))
    criterion = tfkd.DistillationLoss(teacher, **ramp, samples_per_epoch="told")
    assert "ScaleOfAdded(added=RampUp(epochs=5, value=3), scale=1)" in str(
        tfkd.explain(criterion, 10)
    )
    own = tfkd.DistillationLoss(teacher, alpha=lambda progress: 0.5, samples_per_epoch="told")
    assert "0.5 now, <lambda>" in str(tfkd.explain(own, 10))
    penalty = tfkd.max_sup(epochs=5, samples_per_epoch="told")
    assert "as above now, Linear(epochs=5, start=0.1, end=0.2)" in str(tfkd.explain(penalty, 10))


@pytest.mark.parametrize(
    ("weights", "temperature", "scale", "said"),
    [
        (added(45.0), 1.0, 46.0, "1 × cross-entropy + 45 × divergence"),
        ({"alpha": 9 / 9.1, "scale": 9.1}, 2.0, 9.1, "0.1 × cross-entropy + 9 × τ² × divergence"),
        ({"alpha": 0.5, "scale": 2.0}, 1.0, 2.0, "1 × cross-entropy + 1 × divergence"),
    ],
    ids=["TTM", "logit standardisation", "OLS of fine-grained images"],
)
def test_the_hidden_loss_scale_is_said(weights, temperature, scale, said):
    teacher = tfkd.NetworkTeacher(nn.Linear(3, 10))
    criterion = tfkd.DistillationLoss(teacher, temperature=temperature, **weights)
    explained = tfkd.explain(criterion, 10)
    assert explained.scale == explained.learning_rate_factor == pytest.approx(scale)
    assert said in str(explained)


def test_a_share_that_is_known_counts_in_what_the_terms_weigh_together():
    explained = tfkd.explain(tfkd.dlb(), 10)
    assert explained.share == 0.5
    assert explained.learning_rate_factor == pytest.approx(2.0)
    assert explained.weight_decay_factor == pytest.approx(0.5)
    assert "0.5 on average" in str(explained)
    assert "1 × cross-entropy + 1 × τ² × divergence" in str(explained)
    assert "as learning rate × 2 with weight decay × 0.5\n" in str(explained) + "\n"


@pytest.mark.parametrize(
    ("build", "name", "said"),
    [
        (
            tfkd.weighted_transformed_teacher_matching,
            "share",
            "1 × cross-entropy + 4 × share × divergence",
        ),
        (tfkd.normalized_kd, "label share", "1 × label share × cross-entropy + 1.5 × divergence"),
    ],
)
def test_a_share_that_depends_on_the_sample_is_said_to(build, name, said):
    text = str(tfkd.explain(build(nn.Identity()), 10))
    assert f"\n{name:<21}  depends on the sample\n" in text
    assert said in text
    assert text.endswith(f"with the {name} taken as 1")


def test_wrappers_pass_on_shares_and_what_answers_depend_on():
    last, whole = tfkd.LastBatchTeacher(), tfkd.UniformTeacher()
    weighted = tfkd.TemperedTeacher(whole, 2.0, weighted=True)
    by_class = tfkd.ClassTeacher(torch.eye(3))
    for wrap in (
        tfkd.UntilPassedTeacher,
        tfkd.TopTwoTeacher,
        tfkd.NormalizedTeacher,
        lambda teacher: tfkd.TemperedTeacher(teacher, 3.0),
        lambda teacher: tfkd.EnsembleTeacher([teacher, teacher]),
    ):
        found = [wrap(teacher).usual_share for teacher in (last, weighted, whole)]
        assert found == [0.5, None, 1.0]
        assert [wrap(teacher).differs_by for teacher in (by_class, last)] == ["class", "sample"]
    normalized = tfkd.UntilPassedTeacher(tfkd.NormalizedTeacher(whole))
    assert normalized.usual_label_share is None
    assert tfkd.EnsembleTeacher([last, whole]).usual_share == 0.75
    assert tfkd.EnsembleTeacher([weighted, whole]).usual_share is None


class Half(tfkd.Teacher):
    """Says half as loudly what another says."""

    def __init__(self):
        super().__init__()
        self.teacher = tfkd.VirtualTeacher(0.7)

    def forward(self, batch):
        return tfkd.teachers.Answer(self.teacher(batch), share=0.5)

    def gap(self, num_classes):
        return self.teacher.gap(num_classes)

    @property
    def usual_share(self):
        return 0.5


def test_a_share_counts_in_the_optimum_too():
    criterion = tfkd.DistillationLoss(Half(), alpha=0.4)
    explained = tfkd.explain(criterion, 10)
    z = torch.tensor([[explained.gap] + [0.0] * 9], dtype=torch.float64, requires_grad=True)
    criterion(z, torch.tensor([0])).backward()
    torch.testing.assert_close(z.grad, torch.zeros_like(z), rtol=0, atol=1e-9)
    assert explained.exact
    assert explained.learning_rate_factor == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("criterion", "said"),
    [
        (
            tfkd.online_label_smoothing(num_classes=10, samples_per_epoch="told"),
            "depends on the class, and on what the teacher has learnt",
        ),
        (tfkd.class_label_smoothing(torch.eye(10), alpha=0.1), "depends on the class"),
    ],
)
def test_a_teacher_of_classes_depends_on_the_class(criterion, said):
    explained = tfkd.explain(criterion, 10)
    assert explained.unknown == said
    assert "none: the soft target differs from class to class" in str(explained)


@pytest.mark.parametrize("decoupled", [(1.0, 8.0), (0.5, 1.0), (3.0, 0.5)])
@pytest.mark.parametrize("alpha", [0.4, 1.0])
def test_the_optimum_of_a_decoupled_loss(decoupled, alpha):
    criterion = tfkd.DistillationLoss(
        tfkd.VirtualTeacher(0.7), alpha=alpha, temperature=2.0, decoupled=decoupled
    )
    explained = tfkd.explain(criterion, 10)
    z = torch.tensor([[explained.gap] + [0.0] * 9], dtype=torch.float64, requires_grad=True)
    criterion(z, torch.tensor([0])).backward()
    torch.testing.assert_close(z.grad, torch.zeros_like(z), rtol=0, atol=1e-9)
    assert not explained.exact
    assert f"{decoupled[1]:.4g} × among the wrong ones" in str(explained)


def test_a_decoupled_loss_of_the_weights_that_it_has_anyway_is_label_smoothing():
    plain = tfkd.DistillationLoss(tfkd.VirtualTeacher(0.7), alpha=0.4)
    weights = (1.0, 1.0 - 0.7)
    same = tfkd.DistillationLoss(tfkd.VirtualTeacher(0.7), alpha=0.4, decoupled=weights)
    assert tfkd.explain(same, 10).exact
    found, expected = (tfkd.explain(c, 10).equivalent_label_smoothing for c in (same, plain))
    assert found == pytest.approx(expected)
    of_others = tfkd.DistillationLoss(tfkd.VirtualTeacher(0.7), alpha=1.0, decoupled=(0.0, 1.0))
    assert "nothing is said of the true class" in str(tfkd.explain(of_others, 10))


def test_a_standardised_teacher_term_says_nothing_of_how_large_the_gap_is():
    designed = tfkd.VirtualTeacher(0.7)
    criterion = tfkd.DistillationLoss(designed, alpha=1.0, temperature=2.0, standardize=True)
    explained = tfkd.explain(criterion, 10)
    assert explained.gap is None
    assert "does not see how far apart logits lie" in str(explained)
    assert "both logits standardised" in str(explained)
    for gap in (1.0, 5.0):
        z = torch.tensor([[gap] + [0.0] * 9], dtype=torch.float64)
        assert criterion(z, torch.tensor([0])).item() == pytest.approx(0.0, abs=1e-9)
    seen = torch.tensor([math.sqrt(10) / 2] + [0.0] * 9, dtype=torch.float64).softmax(0)
    assert explained.teacher_target == pytest.approx((seen[0].item(), seen[1].item()), rel=1e-6)
    criterion.alpha = 0.5
    assert tfkd.explain(criterion, 10).gap == math.inf


class Remembers(tfkd.Teacher):
    """Says how often it was asked."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.tensor(0.0))

    def forward(self, batch):
        return self.seen.expand(batch.labels.shape)

    def observe(self, batch):
        self.seen += 1

    @property
    def is_silent(self):
        return bool(self.seen == 0)


def test_a_teacher_that_remembers_depends_on_what_it_learnt():
    explained = tfkd.explain(tfkd.DistillationLoss(Remembers(), alpha=0.5), 10)
    assert explained.gap is None
    assert "depends on the sample, and on what the teacher has learnt" in str(explained)
    assert explained.remark == "silent now: the loss is that of the labels"
    assert "sample to sample" in str(explained)


class Wraps(tfkd.Teacher):
    """Says what another says."""

    def __init__(self):
        super().__init__()
        self.teacher = tfkd.VirtualTeacher(0.9)

    def forward(self, batch):
        return self.teacher(batch)


def test_a_teacher_of_a_teacher_has_one_line():
    text = str(tfkd.explain(tfkd.DistillationLoss(Wraps(), alpha=0.5), 10))
    assert text.splitlines()[0].endswith("Wraps((teacher): VirtualTeacher(confidence=0.9))")


def test_explanation_is_frozen_and_compares_by_value():
    explained = tfkd.explain(tfkd.label_smoothing(0.1), 10)
    assert explained == tfkd.explain(tfkd.label_smoothing(0.1), 10)
    with pytest.raises(dataclasses.FrozenInstanceError):
        explained.alpha = 0.2


def test_printout_has_the_numbers():
    text = str(tfkd.explain(released_reg(0.95, 40.0, 1), 100))
    for number in ("100", "0.1597", "0.0595", "0.84197", "0.001596", "0.1596", "16.81"):
        assert number in text
    assert "VirtualTeacher" in text
    assert "exactly" in text
    assert "exactly" not in str(tfkd.explain(tfkd.tf_kd_reg(alpha=0.1), 100))
    network = tfkd.knowledge_distillation(nn.Linear(3, 10), alpha=0.5)
    assert "None" not in str(tfkd.explain(network, 10))


@pytest.mark.parametrize(
    ("criterion", "num_classes", "error", "message"),
    [
        (nn.CrossEntropyLoss(), 10, TypeError, "`criterion` .*got CrossEntropyLoss"),
        (tfkd.cross_entropy(), 10.0, TypeError, "`num_classes` .*int, got float"),
        (tfkd.cross_entropy(), 1, ValueError, "`num_classes` .*2, got 1"),
        (tfkd.tf_kd_reg(alpha=0.5, confidence=0.2), 4, ValueError, r"`confidence` .*got 0\.2"),
    ],
)
def test_explain_refuses_what_it_cannot_explain(criterion, num_classes, error, message):
    with pytest.raises(error, match="^Expected " + message):
        tfkd.explain(criterion, num_classes)


def test_a_loss_of_several_labels_is_explained_label_by_label():
    """As the loss of one label at two classes, whatever the number of labels."""
    pairs = [
        (tfkd.binary_label_smoothing(0.2), tfkd.label_smoothing(0.2)),
        (tfkd.binary_tf_kd_reg(scale=2.0), tfkd.tf_kd_reg(scale=2.0)),
        (tfkd.binary_cross_entropy(), tfkd.cross_entropy()),
        (
            tfkd.binary_knowledge_distillation(nn.Linear(2, 3)),
            tfkd.knowledge_distillation(nn.Linear(2, 3)),
        ),
    ]
    for binary, one_label in pairs:
        explained = tfkd.explain(binary)
        assert explained == tfkd.explain(binary, 80)
        assert explained.remark == "of each label by itself, whose classes are present and absent"
        assert dataclasses.replace(explained, remark="") == tfkd.explain(one_label, 2)
    with pytest.raises(TypeError, match="Expected `num_classes`, the number of classes, got None"):
        tfkd.explain(tfkd.label_smoothing())
