"""Logits whose classes are another dimension than the second, as language models have them."""

from __future__ import annotations

import copy

import double_criteria
import pytest
import torch
import torch.nn.functional as F
from double_criteria import K, Network

import tfkd
from tfkd import penalties

N, L = 3, 4

CRITERIA = {
    **double_criteria.CRITERIA,
    "tf_kd_reg": lambda **own: tfkd.tf_kd_reg(alpha=0.4, temperature=3.0, **own),
    "confidence_penalty": tfkd.confidence_penalty,
    "dual_focal": tfkd.dual_focal,
    "logit_norm": tfkd.logit_norm,
    "margin": lambda **own: tfkd.margin_label_smoothing(margin=0.5, **own),
    "paper_tf_kd_reg": lambda **own: tfkd.paper_tf_kd_reg(alpha=0.4, temperature=3.0, **own),
    "zipf": tfkd.zipf_label_smoothing,
    "top_two": lambda **own: tfkd.top_two_kd(Network(), **own),
}


def batch():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(N, L, K, generator=generator, dtype=torch.float64, requires_grad=True)
    inputs = torch.randn(N, L, 2, generator=generator, dtype=torch.float64)
    labels = torch.randint(K, (N, L), generator=generator)
    labels[0, 1:] = -100
    labels[2, 0] = -100
    return logits, labels, inputs


def value_and_gradient(loss, logits):
    return loss.detach(), *torch.autograd.grad(loss.sum(), logits)


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", CRITERIA)
def test_positions_count_as_samples_of_their_own(name, reduction, weighted, either_way):
    logits, labels, inputs = batch()
    options = {"reduction": reduction}
    if weighted:
        options["weight"] = torch.tensor([1.0, 0.5, 2.0, 3.0, 0.1], dtype=torch.float64)
    criterion = CRITERIA[name](class_dim=-1, **options)
    ours = value_and_gradient(criterion(logits, labels, inputs), logits)
    flat = CRITERIA[name](**options)(logits.flatten(0, 1), labels.flatten(), inputs.flatten(0, 1))
    expected = value_and_gradient(flat, logits)
    torch.testing.assert_close(ours[0].flatten(), expected[0].flatten())
    torch.testing.assert_close(ours[1], expected[1])


def test_values_and_gradients_are_those_of_a_loop_over_the_positions(either_way):
    """L_i = (1 − α)·H(q, p) + α·τ²·KL(t_τ ‖ p_τ), written out for each position."""
    logits, labels, inputs = batch()
    network, alpha, tau, a = Network(), 0.4, 3.0, 0.99
    teachers = {
        "label_smoothing": (0.3, 1.0, lambda row, y: torch.zeros(K, dtype=torch.float64)),
        "tf_kd_reg": (
            alpha,
            tau,
            lambda row, y: torch.where(torch.arange(K) == y, a, (1 - a) / (K - 1)).double().log(),
        ),
        "knowledge_distillation": (alpha, tau, lambda row, y: network(row).detach()),
    }
    for name, (share, t, teacher) in teachers.items():
        total, count = 0.0, 0
        positions = (logits.flatten(0, 1), inputs.flatten(0, 1), labels.flatten())
        for row, own, y in zip(*positions, strict=True):
            if y == -100:
                continue
            log_p, log_p_t = row.log_softmax(0), (row / t).log_softmax(0)
            said = (teacher(own, y) / t).softmax(0)
            divergence = (said * (said.log() - log_p_t)).sum()
            total = total - (1 - share) * log_p[y] + share * t**2 * divergence
            count += 1
        expected = value_and_gradient(total / count, logits)
        loss = CRITERIA[name](class_dim=-1)(logits, labels, inputs)
        torch.testing.assert_close(value_and_gradient(loss, logits), expected)


@pytest.mark.parametrize("class_dim", [-1, 2, 1, -2, 0, -3])
def test_any_dimension_may_be_the_classes(class_dim):
    logits, labels, _ = batch()
    expected = value_and_gradient(F.cross_entropy(logits.flatten(0, 1), labels.flatten()), logits)
    moved = logits.movedim(-1, class_dim)
    criterion = tfkd.cross_entropy(class_dim=class_dim)
    torch.testing.assert_close(value_and_gradient(criterion(moved, labels), logits), expected)


def test_labels_that_are_probabilities_have_the_layout_of_the_logits(either_way):
    logits, _, inputs = batch()
    q = torch.rand(N, L, K, dtype=torch.float64).softmax(-1)
    for make in (CRITERIA["tf_kd_reg"], CRITERIA["knowledge_distillation"], CRITERIA["max_sup"]):
        ours = value_and_gradient(make(class_dim=-1)(logits, q, inputs), logits)
        flat = make()(logits.flatten(0, 1), q.flatten(0, 1), inputs.flatten(0, 1))
        torch.testing.assert_close(ours, value_and_gradient(flat, logits))


def test_the_functions_take_it_too(either_way):
    logits, labels, _ = batch()
    teacher = torch.randn(N, L, K, dtype=torch.float64)
    function = tfkd.distillation_loss
    for said in (teacher, torch.rand(N, L, dtype=torch.float64), 2.0):
        ours = function(logits, labels, said, alpha=0.4, temperature=3.0, class_dim=-1)
        flat = said.flatten(0, 1) if torch.is_tensor(said) else said
        rows = (logits.flatten(0, 1), labels.flatten(), flat)
        expected = function(*rows, alpha=0.4, temperature=3.0)
        torch.testing.assert_close(
            value_and_gradient(ours, logits), value_and_gradient(expected, logits)
        )
    for function in (
        penalties.max_sup_loss,
        penalties.confidence_penalty_loss,
        penalties.margin_label_smoothing_loss,
        penalties.focal_loss,
        penalties.dual_focal_loss,
        penalties.logit_norm_loss,
    ):
        ours = function(logits, labels, class_dim=-1)
        torch.testing.assert_close(ours, function(logits.flatten(0, 1), labels.flatten()))


def test_one_sample_and_a_batch_of_samples_are_read_as_before():
    logits, labels, _ = batch()
    criterion, usual = tfkd.tf_kd_reg(class_dim=-1), tfkd.tf_kd_reg()
    row, label = logits[1, 1], labels[1, 1]
    assert torch.equal(criterion(row, label), usual(row, label))
    assert torch.equal(criterion(logits[1], labels[1]), usual(logits[1], labels[1]))


def test_a_teacher_is_shown_and_answers_with_the_classes_second():
    seen = []

    class Own(tfkd.Teacher):
        def forward(self, batch):
            seen.append((batch.student_logits.shape, batch.class_dim))
            return torch.zeros_like(batch.student_logits)

    logits, labels, _ = batch()
    loss = tfkd.DistillationLoss(Own(), alpha=0.3, class_dim=-1)(logits, labels)
    torch.testing.assert_close(loss, CRITERIA["label_smoothing"](class_dim=-1)(logits, labels))
    assert seen == [((N, K, L), -1)]


def test_teachers_that_look_at_what_a_network_says():
    """The average of the student, and answers on disk."""
    logits, labels, inputs = batch()
    network = Network()
    expected = tfkd.DistillationLoss(tfkd.NetworkTeacher(network), alpha=0.4)(
        logits.flatten(0, 1), labels.flatten(), inputs.flatten(0, 1)
    )
    mean = tfkd.DistillationLoss(tfkd.MeanTeacher(copy.deepcopy(network)), alpha=0.4, class_dim=-1)
    torch.testing.assert_close(mean.eval()(logits, labels, inputs), expected)


def test_answers_on_disk_are_recorded_with_the_classes_second(tmp_path):
    logits, labels, inputs = batch()
    network, indices = Network().float(), torch.arange(N)
    batches = [(inputs.float(), indices, 0)]
    asked = tfkd.DistillationLoss(tfkd.NetworkTeacher(network), alpha=0.4, class_dim=-1)
    for form, error in (("float32", 1e-6), ("float16", 1e-3)):
        teacher = tfkd.CachedTeacher.record(
            tmp_path / form, network, batches, form=form, class_dim=-1
        )
        cached = tfkd.DistillationLoss(teacher, alpha=0.4, class_dim=-1)
        ours = cached(logits.float(), labels, indices=indices)
        expected = asked(logits.float(), labels, inputs.float())
        torch.testing.assert_close(ours, expected, rtol=error, atol=0.0)


def test_what_does_not_fit_is_told_by_name():
    logits, labels, _ = batch()
    for make in (tfkd.cross_entropy, tfkd.tf_kd_reg, tfkd.max_sup):
        with pytest.raises(ValueError, match=r"`labels` of shape \(3, 5\).*`class_dim` 1.*dim=-1"):
            make()(logits, labels)
        with pytest.raises(ValueError, match=r"Expected `class_dim` in \[-3, 2\].*got 3"):
            make(class_dim=3)(logits, labels)
        with pytest.raises(ValueError, match=r"`class_dim` -1.*Write `class_dim=1`"):
            make(class_dim=-1)(logits.mT, labels)
        with pytest.raises(TypeError, match=r"Expected `class_dim` to be an int, .*got 'last'"):
            make(class_dim="last")
        with pytest.raises(TypeError, match="Expected `class_dim` to be an int"):
            make().class_dim = None
    for function in (
        penalties.max_sup_loss,
        lambda *rows, **own: tfkd.distillation_loss(*rows, 0.0, alpha=0.1, **own),
    ):
        with pytest.raises(TypeError, match="Expected `class_dim` to be an int"):
            function(logits, labels, class_dim=1.0)
        with pytest.raises(ValueError, match=r"Expected `class_dim` in"):
            function(logits, labels, class_dim=-4)
    with pytest.raises(ValueError, match=r"`teacher_logits` of the shape.*\(3, 4, 5\)"):
        tfkd.distillation_loss(logits, labels, logits.mT, alpha=0.1, class_dim=-1)


def test_where_there_are_as_many_positions_as_classes_the_default_reads_as_torch_does():
    logits, labels = torch.randn(2, K, K), torch.randint(K, (2, K))
    assert torch.equal(tfkd.cross_entropy()(logits, labels), F.cross_entropy(logits, labels))
    rows = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
    torch.testing.assert_close(tfkd.cross_entropy(class_dim=-1)(logits, labels), rows)


def test_it_is_said_where_it_is_not_the_usual_one():
    assert "class_dim" not in repr(tfkd.cross_entropy())
    assert "class_dim=-1" in repr(tfkd.cross_entropy(class_dim=-1))
    assert "class_dim=-1" in repr(tfkd.max_sup(class_dim=-1))
