"""Every teacher is a constant; a network teacher is a frozen copy that nothing around it moves."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch
from few import in_full
from torch import nn

import tfkd

K = 5


class Noisy(nn.Module):
    """A network whose training mode shows: dropout and batch norm."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, K)
        )

    def forward(self, inputs):
        return self.layers(inputs)


@pytest.fixture
def inputs():
    torch.manual_seed(0)
    return torch.randn(16, 3)


@pytest.fixture
def model(inputs):
    model = Noisy()
    model(inputs)  # running statistics that are not the initial ones
    return model


@pytest.fixture
def teacher(teacher_row):
    return teacher_row.build(K)


@pytest.fixture(params=["float32", "float16", "top-2", "sampled-4"])
def cached(request, model, inputs, tmp_path):
    batches = [(inputs, torch.arange(len(inputs)), 0)]
    drawn = {"temperature": 1.0} if request.param == "sampled-4" else {}
    return tfkd.CachedTeacher.record(
        tmp_path / "cache", model, batches, form=request.param, **drawn
    )


def ask(teacher, inputs):
    n = len(inputs)
    z, labels = torch.zeros(n, K), torch.zeros(n, dtype=torch.int64)
    said = teacher(tfkd.Batch(z, labels, inputs, indices=torch.arange(n), view=0))
    return in_full(said, K)


# Every teacher.


def has_nothing_to_train_or_save(teacher, inputs):
    criterion = tfkd.DistillationLoss(teacher, alpha=0.5)
    assert not list(criterion.parameters())
    assert not criterion.state_dict()


def answers_with_its_gap_or_with_detached_logits(teacher, inputs):
    answer = ask(teacher, inputs)
    if teacher.gap(K) is None:
        assert answer.shape == (len(inputs), K)
        assert not answer.requires_grad
        assert not answer.is_inference()  # autograd may save it
    else:
        assert isinstance(answer, float)
        assert answer == teacher.gap(K)


def test_a_gap_is_the_difference_of_the_teachers_logits(teacher_row):
    if teacher_row.by_class is None:
        pytest.skip("answers with logits")
    for num_classes in (2, K, 100):
        logits = teacher_row.build(num_classes).gap(num_classes)
        row = teacher_row.by_class(num_classes)[0]
        assert logits == pytest.approx(row[0] - row[1], abs=1e-12)


def answers_alike_whatever_the_mode_of_the_loss(teacher, inputs):
    criterion = tfkd.DistillationLoss(teacher, alpha=0.5)
    before = torch.as_tensor(ask(criterion.train().teacher, inputs))
    assert torch.equal(torch.as_tensor(ask(criterion.eval().teacher, inputs)), before)


def is_the_same_after_copy_and_pickle(teacher, inputs):
    expected = torch.as_tensor(ask(teacher, inputs))
    for twin in (copy.deepcopy(teacher), pickle.loads(pickle.dumps(teacher))):
        assert torch.equal(torch.as_tensor(ask(twin, inputs)), expected)
        assert repr(twin) == repr(teacher)


EVERY_TEACHER = pytest.mark.parametrize(
    "holds",
    [
        has_nothing_to_train_or_save,
        answers_with_its_gap_or_with_detached_logits,
        answers_alike_whatever_the_mode_of_the_loss,
        is_the_same_after_copy_and_pickle,
    ],
)


@EVERY_TEACHER
def test_every_teacher(holds, teacher, inputs):
    holds(teacher, inputs)


@EVERY_TEACHER
def test_a_cached_teacher_is_a_teacher(holds, cached, inputs):
    holds(cached, inputs)


# Uniform and virtual.


@pytest.mark.parametrize("num_classes", [2, 10, 100])
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.99])
def test_eq_8_softmax_of_the_gap_gives_the_confidence(num_classes, confidence):
    gap = tfkd.VirtualTeacher(confidence).gap(num_classes)
    p = torch.tensor([gap] + [0.0] * (num_classes - 1), dtype=torch.float64).softmax(0)
    assert p[0].item() == pytest.approx(confidence, rel=1e-12)
    assert p[1].item() == pytest.approx((1 - confidence) / (num_classes - 1), rel=1e-9)


@pytest.mark.parametrize("num_classes", [2, 3, 7, 10, 49, 100, 1000])
def test_a_virtual_teacher_of_chance_confidence_is_uniform(num_classes):
    assert tfkd.VirtualTeacher(1 / num_classes).gap(num_classes) == pytest.approx(0, abs=1e-12)
    assert tfkd.UniformTeacher().gap(num_classes) == 0.0
    assert tfkd.VirtualTeacher(1.0).gap(num_classes) == math.inf


def test_confidence_is_checked_at_once_and_against_the_number_of_classes():
    assert tfkd.VirtualTeacher().confidence == 0.99
    for confidence in (0.0, -0.5, 1.01, math.nan):
        with pytest.raises(ValueError, match=rf"`confidence` in \(0, 1\], got {confidence}"):
            tfkd.VirtualTeacher(confidence)
    with pytest.raises(TypeError, match=r"`confidence` .*number, got str"):
        tfkd.VirtualTeacher("high")
    with pytest.raises(ValueError, match=r"`confidence` in \[1/K, 1\] .*K = 10 .*got 0\.05"):
        tfkd.VirtualTeacher(0.05).gap(10)
    with pytest.raises(ValueError, match=r"`confidence` in \[1/K, 1\] .*K = 5 .*got 0\.19"):
        tfkd.tf_kd_reg(confidence=0.19)(torch.zeros(2, K), torch.tensor([0, 1]))


# Network.


def test_network_teacher_stays_in_eval_mode(model, inputs):
    expected = copy.deepcopy(model).eval()(inputs)
    teacher = tfkd.NetworkTeacher(model.train())
    criterion = tfkd.DistillationLoss(teacher, alpha=0.5)
    statistics = copy.deepcopy(dict(teacher.model.named_buffers()))
    student = nn.Sequential(nn.Linear(3, K), criterion)
    for around in (teacher, criterion, student):
        around.train()
        assert torch.equal(ask(teacher, inputs), expected)
    student.requires_grad_(True)
    assert not ask(teacher, inputs).requires_grad
    for name, buffer in teacher.model.named_buffers():
        assert torch.equal(buffer, statistics[name])


def test_network_teacher_leaves_the_original_as_it_was(model):
    before = copy.deepcopy(model.state_dict())
    tfkd.NetworkTeacher(model)
    assert all(module.training for module in model.modules())
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_training_the_original_does_not_change_the_teacher(model, inputs):
    teacher = tfkd.NetworkTeacher(model)
    before = ask(teacher, inputs)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    model(inputs).square().sum().backward()
    optimizer.step()
    assert torch.equal(ask(teacher, inputs), before)


def test_network_teacher_is_no_part_of_what_is_trained(model, inputs):
    teacher = tfkd.NetworkTeacher(model)
    student = nn.Linear(3, K)
    student.criterion = tfkd.DistillationLoss(teacher, alpha=1.0)
    assert {name for name, _ in student.named_parameters()} == {"weight", "bias"}
    assert set(student.state_dict()) == {"weight", "bias"}
    inside = {id(module) for module in teacher.model.modules()}
    assert not inside & {id(module) for module in student.modules()}
    student.criterion(student(inputs), torch.zeros(16, dtype=torch.int64), inputs).backward()
    assert all(parameter.grad is None for parameter in teacher.model.parameters())


def test_network_teacher_follows_dtype_and_device(model, inputs):
    teacher = tfkd.NetworkTeacher(model)
    criterion = tfkd.DistillationLoss(teacher, alpha=0.5)
    criterion.double()
    assert ask(teacher, inputs.double()).dtype == torch.float64
    nn.ModuleList([criterion]).to(torch.float32)
    assert ask(teacher, inputs).dtype == torch.float32
    assert model.layers[0].weight.dtype == torch.float32
    criterion.to("meta")
    assert teacher.model.layers[0].weight.is_meta
    assert not model.layers[0].weight.is_meta


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_network_teacher_follows_to_the_gpu(model, inputs):
    criterion = tfkd.DistillationLoss(tfkd.NetworkTeacher(model), alpha=0.5)
    z, labels = torch.randn(16, K), torch.zeros(16, dtype=torch.int64)
    expected = criterion(z, labels, inputs)
    on_gpu = criterion.cuda()(z.cuda(), labels.cuda(), inputs.cuda())
    torch.testing.assert_close(on_gpu.cpu(), expected)


def test_network_teacher_needs_inputs_only_where_it_is_asked(model, inputs):
    z, labels = torch.zeros(16, K), torch.zeros(16, dtype=torch.int64)
    criterion = tfkd.knowledge_distillation(model, alpha=0.5)
    with pytest.raises(TypeError, match=r"`inputs`.*got None.*criterion\(student_logits, labels"):
        criterion(z, labels)
    unasked = tfkd.knowledge_distillation(model, alpha=0.0)(z, labels)
    assert unasked.item() == pytest.approx(math.log(K))


def test_network_of_other_classes_is_refused(inputs):
    criterion = tfkd.knowledge_distillation(nn.Linear(3, K + 1), alpha=0.5)
    with pytest.raises(ValueError, match=r"\(16, 5\), got \(16, 6\).*same classes"):
        criterion(torch.zeros(16, K), torch.zeros(16, dtype=torch.int64), inputs)


def test_network_teacher_wants_a_module_that_answers_with_a_tensor(inputs):
    with pytest.raises(TypeError, match=r"`model` .*Module, got function"):
        tfkd.NetworkTeacher(ask)

    class Pair(nn.Module):
        def forward(self, inputs):
            return inputs, inputs

    with pytest.raises(TypeError, match=r"`model` .*tensor, .*got tuple"):
        ask(tfkd.NetworkTeacher(Pair()), inputs)


def test_copies_of_a_network_teacher_are_frozen_and_independent(model, inputs):
    teacher = tfkd.NetworkTeacher(model)
    expected = ask(teacher, inputs)
    for twin in (copy.deepcopy(teacher), pickle.loads(pickle.dumps(nn.Sequential(teacher)))[0]):
        twin.train()
        assert torch.equal(ask(twin, inputs), expected)
        assert not any(parameter.requires_grad for parameter in twin.model.parameters())
        with torch.no_grad():
            next(twin.model.parameters()).zero_()
        assert torch.equal(ask(teacher, inputs), expected)


def test_a_teacher_of_ones_own_may_look_at_the_students_logits():
    class Flattened(tfkd.Teacher):
        def forward(self, batch):
            return batch.student_logits / 2

    z = torch.randn(4, K, dtype=torch.float64, requires_grad=True)
    loss = tfkd.DistillationLoss(Flattened(), alpha=1.0)(z, torch.zeros(4, dtype=torch.int64))
    (grad,) = torch.autograd.grad(loss, z)
    torch.testing.assert_close(grad, (z.softmax(1) - (z / 2).softmax(1)).detach() / 4)


def test_the_interface_cannot_be_built():
    with pytest.raises(TypeError, match="abstract"):
        tfkd.Teacher()


# Inference mode.


def test_network_teacher_answers_bit_for_bit_what_its_network_says(model, inputs):
    teacher = tfkd.NetworkTeacher(model)
    with torch.no_grad():
        expected = copy.deepcopy(model).eval()(inputs)
    assert torch.equal(ask(teacher, inputs), expected)


def test_what_a_network_teacher_says_may_be_saved_by_autograd(model, inputs):
    said = ask(tfkd.NetworkTeacher(model), inputs)
    z = torch.ones(len(inputs), K, requires_grad=True)
    (z * said).sum().backward()
    assert torch.equal(z.grad, said)


def test_network_teacher_goes_through_vmap_and_grad(inputs):
    torch.manual_seed(1)
    criterion = tfkd.knowledge_distillation(nn.Linear(3, K), alpha=0.5)
    z, labels = torch.randn(16, K), torch.arange(16) % K
    each = torch.func.vmap(torch.func.grad(criterion))(z, labels, inputs)
    whole = torch.func.grad(criterion)(z, labels, inputs)
    torch.testing.assert_close(each / 16, whole)
