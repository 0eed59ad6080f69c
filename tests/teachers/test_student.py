"""The student as its own teacher: live, asked about others, and owned by nobody but the loop."""

import copy
import pickle

import pytest
import torch
from torch import nn

import tfkd

K = 4


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, K))


@pytest.fixture
def student():
    return network()


@pytest.fixture
def images():
    torch.manual_seed(1)
    return torch.randn(6, 3)


@pytest.fixture
def partners():
    torch.manual_seed(2)
    return torch.randn(6, 3)


LABELS = torch.tensor([0, 1, 2, 3, 0, 1])


def ask(teacher, inputs, labels=LABELS):
    return teacher(tfkd.Batch(torch.zeros(len(inputs), K), labels, inputs))


def test_it_asks_the_student_as_it_is_at_this_moment(student, partners):
    teacher = tfkd.StudentTeacher(student)
    before = ask(teacher, partners)
    assert not before.requires_grad
    with torch.no_grad():
        student[3].bias += 1.0
    torch.testing.assert_close(ask(teacher, partners), before + 1.0)
    student.eval()  # in the mode that it is in
    assert torch.equal(ask(teacher, partners), student(partners))


def test_officially_the_partners_move_what_batch_norm_keeps(student, partners):
    twin = copy.deepcopy(student)
    expected = twin(partners)
    assert torch.equal(ask(tfkd.StudentTeacher(student), partners), expected)
    for name, buffer in twin.named_buffers():
        assert torch.equal(dict(student.named_buffers())[name], buffer), name
    assert student[1].num_batches_tracked == 1


def test_otherwise_they_are_normalised_alike_and_move_nothing(student, partners):
    before = {name: buffer.clone() for name, buffer in student.named_buffers()}
    held = [id(buffer) for buffer in student.buffers()]
    expected = copy.deepcopy(student)(partners)
    teacher = tfkd.StudentTeacher(student, moving_norms=False)
    assert torch.equal(ask(teacher, partners), expected)
    for name, buffer in student.named_buffers():
        assert torch.equal(before[name], buffer), name
    assert [id(buffer) for buffer in student.buffers()] == held


@pytest.mark.parametrize("moving_norms", [True, False])
def test_what_lies_between_forward_and_backward_hinders_neither(
    student, images, partners, moving_norms
):
    teacher = tfkd.StudentTeacher(student, moving_norms=moving_norms)
    criterion = tfkd.cs_kd(teacher)
    twin = copy.deepcopy(student)
    logits, answer = twin(images), copy.deepcopy(student)(partners)
    by_hand = tfkd.distillation_loss(logits, LABELS, answer, alpha=0.5, temperature=4.0, scale=2.0)
    by_hand.backward()
    criterion(student(images), LABELS, partners).backward()
    for ours, theirs in zip(student.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_it_holds_nothing_that_is_trained_saved_or_moved(student):
    criterion = tfkd.cs_kd(student)
    assert not list(criterion.parameters())
    assert not criterion.state_dict()
    assert not [own for own in criterion.modules() if isinstance(own, nn.Linear)]
    criterion.double().eval()
    assert student[0].weight.dtype == torch.float32
    assert student.training


def test_a_copy_asks_the_same_student_unless_that_is_copied_with_it(student, partners):
    criterion = tfkd.cs_kd(student)
    assert copy.deepcopy(criterion).teacher.student is student
    model, twin = copy.deepcopy((student, criterion))
    assert twin.teacher.student is model
    assert model is not student
    other = pickle.loads(pickle.dumps(criterion))
    assert torch.equal(ask(other.teacher, partners), ask(criterion.teacher, partners))
    assert other.teacher.student is not student
    model, other = pickle.loads(pickle.dumps((student, criterion)))
    assert other.teacher.student is model
    assert repr(other) == repr(criterion)


def test_of_ddp_the_module_within_is_asked(student, images, partners):
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        model = nn.parallel.DistributedDataParallel(student)
        criterion = tfkd.cs_kd(model)
        assert criterion.teacher.student is student
        criterion(model(images), LABELS, partners).backward()
        assert student[0].weight.grad.isfinite().all()
    finally:
        torch.distributed.destroy_process_group()


def test_a_single_sample_has_a_partner():
    student = nn.Linear(3, K)
    image, partner, label = torch.randn(3), torch.randn(3), torch.tensor(1)
    one = tfkd.cs_kd(student)(student(image), label, partner)
    batch = tfkd.cs_kd(student)(student(image[None]), label[None], partner[None])
    torch.testing.assert_close(one, batch)


@pytest.mark.parametrize("moving_norms", [True, False])
def test_it_compiles_whole(images, partners, moving_norms):
    losses, students = [], []
    for compiled in (True, False):
        student = network()
        criterion = tfkd.cs_kd(tfkd.StudentTeacher(student, moving_norms=moving_norms))

        def step(student=student, criterion=criterion):
            return criterion(student(images), LABELS, partners)

        step = torch.compile(step, backend="eager", fullgraph=True) if compiled else step
        losses.append(step())
        students.append(student)
    torch.testing.assert_close(*losses)
    for ours, plain in zip(*(student.buffers() for student in students), strict=True):
        torch.testing.assert_close(ours, plain)


def test_what_has_no_meaning_is_refused(student, images, partners):
    criterion = tfkd.cs_kd(student)
    logits = student(images)
    with pytest.raises(TypeError, match="`inputs`, the partners of the samples"):
        criterion(logits, LABELS)
    with pytest.raises(ValueError, match=r"class indices of shape \(N,\), got probabilities"):
        criterion(logits, logits.detach().softmax(1), partners)
    with pytest.raises(ValueError, match="got dense ones: a partner is another image"):
        criterion(torch.randn(6, K, 2), LABELS[:, None].expand(6, 2), partners)
    with pytest.raises(ValueError, match=r"as many partners as samples.*\(6, 4\).*\(5, 4\)"):
        criterion(logits, LABELS, partners[:5])
    with pytest.raises(TypeError, match="`student` to be a torch"):
        tfkd.StudentTeacher(3)
    with pytest.raises(TypeError, match=r"`student` to return a tensor, .*got tuple"):
        ask(tfkd.StudentTeacher(nn.LSTM(3, K)), partners)
