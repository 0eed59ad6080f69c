"""A criterion that is told of steps and epochs: what it passes on, counts, notices and refuses."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn

import tfkd
from tfkd.loss.schedules import Linear

Z = torch.tensor([[2.0, 0.0, -1.0], [0.5, 1.0, 0.0]])
Y = torch.tensor([0, 2])


class Notes(tfkd.Teacher):
    """Writes down what it is told."""

    def __init__(self):
        super().__init__()
        self.told = []

    def forward(self, batch):
        self.told.append("asked")
        return 1.0

    def observe(self, batch):
        assert not torch.is_grad_enabled()
        assert not batch.student_logits.requires_grad
        self.told.append("observed")

    def step_ended(self, student):
        assert not torch.is_grad_enabled()
        self.told.append("step")

    def epoch_ended(self):
        self.told.append("epoch")


class Epochs(tfkd.Teacher):
    """Counts epochs."""

    def __init__(self):
        super().__init__()
        self.register_buffer("epochs", torch.zeros((), dtype=torch.int64))

    def forward(self, batch):
        return 1.0

    def epoch_ended(self):
        self.epochs += 1


class Steps(tfkd.Teacher):
    """Is told of steps, and does nothing."""

    def forward(self, batch):
        return 1.0

    def step_ended(self, student):
        pass


class Around(tfkd.Teacher):
    """Another teacher, or several in a list."""

    def __init__(self, *teachers):
        super().__init__()
        self.teachers = nn.ModuleList(teachers)

    def forward(self, batch):
        return self.teachers[0](batch)


def loss(teacher, **options):
    return tfkd.DistillationLoss(teacher, alpha=0.5, **({"samples_per_epoch": "told"} | options))


def leaf():
    return Z.clone().requires_grad_()


def test_hooks_come_in_their_order_and_in_training_alone():
    teacher = Notes()
    criterion, student = loss(teacher), nn.Linear(1, 1)
    criterion(leaf(), Y).backward()
    criterion.step_ended(student)
    criterion.epoch_ended()
    assert teacher.told == ["asked", "observed", "step", "epoch"]
    teacher.told.clear()
    criterion(Z, Y)
    with torch.no_grad():
        criterion(leaf(), Y)
    with torch.inference_mode():
        criterion(Z, Y)
    criterion.eval()(leaf(), Y)
    assert teacher.told == ["asked"] * 4
    teacher.told.clear()
    silent = tfkd.DistillationLoss(teacher, alpha=0.0, samples_per_epoch="told")
    silent(leaf(), Y)
    assert teacher.told == ["observed"]


def test_hooks_reach_a_teacher_within_others_once():
    teacher = Notes()
    criterion = loss(Around(Around(teacher), tfkd.UniformTeacher()))
    criterion(leaf(), Y)
    criterion.step_ended(nn.Linear(1, 1))
    criterion.epoch_ended()
    assert teacher.told == ["asked", "observed", "step", "epoch"]
    with pytest.raises(ValueError, match=r"`samples_per_epoch`, since Around counts epochs"):
        loss(Around(Epochs()), samples_per_epoch=None)


def test_a_teacher_that_is_set_later_is_told_as_well():
    criterion = tfkd.label_smoothing()
    with pytest.raises(ValueError, match=r"`samples_per_epoch`, since Notes counts epochs"):
        criterion.teacher = Notes()
    criterion.samples_per_epoch = "told"
    criterion.teacher = teacher = Notes()
    criterion(leaf(), Y)
    assert teacher.told == ["asked", "observed"]


def test_epochs_end_by_the_number_of_samples():
    criterion = loss(Epochs(), samples_per_epoch=5)
    seen = []
    for _ in range(8):
        criterion(leaf(), Y)
        seen.append(criterion.teacher.epochs.item())
    # Six samples are five at least: the seventh is of the next epoch, which so has six, too.
    assert seen == [0, 0, 0, 1, 1, 1, 2, 2]
    criterion(leaf(), Y)
    criterion.eval()(leaf(), Y)
    criterion.train()(Z, Y)
    assert criterion.teacher.epochs == 2


def test_epochs_that_are_counted_may_be_told_of_too():
    criterion = loss(Epochs(), samples_per_epoch=5)
    for epoch, batches in enumerate((3, 1, 3)):  # six samples, one of them twice; too few; six
        for _ in range(batches):
            criterion(leaf(), Y)
        assert criterion.teacher.epochs == epoch
        criterion.epoch_ended()
        assert criterion.teacher.epochs == epoch + 1


def test_an_epoch_that_would_count_twice_is_refused():
    criterion = tfkd.ps_kd(num_classes=3, num_samples=4, epochs=10)
    for first in (0, 2, 0, 2):
        criterion(leaf(), Y, indices=torch.arange(first, first + 2))
    resumed = tfkd.ps_kd(num_classes=3, num_samples=4, epochs=10)
    resumed.load_state_dict(criterion.state_dict())
    for one in (criterion, resumed, copy.deepcopy(criterion)):
        with pytest.raises(RuntimeError, match=r"the 4 `samples_per_epoch`, got 8 .*=\"told\"`"):
            one.epoch_ended()
        assert one.progress.epochs == 1
        one.samples_per_epoch = "told"
        one.epoch_ended()
        assert one.progress.epochs == 2


def test_samples_of_every_shape_are_counted():
    for logits, labels, each in (
        (torch.zeros(3, requires_grad=True), torch.tensor(0), 1),
        (torch.zeros(4, 3, 2, requires_grad=True), torch.zeros(4, 2, dtype=torch.int64), 4),
        (torch.zeros(2, 3, requires_grad=True), torch.full((2, 3), 1 / 3), 2),
    ):
        criterion = loss(Epochs(), samples_per_epoch=3 * each)
        for batch in range(7):
            criterion(logits, labels)
            assert criterion.teacher.epochs == batch // 3


def test_a_batch_that_is_refused_is_not_counted():
    criterion = loss(Epochs(), samples_per_epoch=2)
    for _ in range(3):
        with pytest.raises(ValueError, match="`labels`"):
            criterion(leaf(), Y[:1])
    assert criterion.state_dict()["progress"].tolist() == [0, 0, 0, 0]
    network = tfkd.NetworkTeacher(nn.Identity())
    criterion = tfkd.DistillationLoss(
        network, alpha=Linear(start=0.1, end=1.0, epochs=5), samples_per_epoch=2
    )
    for _ in range(3):
        with pytest.raises(TypeError, match="`inputs`"):
            criterion(leaf(), Y)
    assert criterion.state_dict()["progress"].tolist() == [0, 0, 0, 0]


def test_counting_goes_on_where_it_was():
    criterion = loss(Epochs(), samples_per_epoch=6)
    criterion(leaf(), Y)
    criterion(leaf(), Y)
    fresh = loss(Epochs(), samples_per_epoch=6)
    fresh.load_state_dict(criterion.state_dict())
    for one in (criterion, fresh, copy.deepcopy(fresh), pickle.loads(pickle.dumps(fresh))):
        one(leaf(), Y)
        assert one.teacher.epochs == 0
        one(leaf(), Y)
        assert one.teacher.epochs == 1
        assert one.state_dict()["progress"].tolist() == [1, 0, 2, 8]


@pytest.mark.parametrize("value", [0, -3, 2.5, "tell", "Told", True])
def test_a_wrong_number_of_samples_is_refused(value):
    with pytest.raises((TypeError, ValueError), match="`samples_per_epoch`"):
        loss(Epochs(), samples_per_epoch=value)
    criterion = loss(Epochs())
    with pytest.raises((TypeError, ValueError), match="`samples_per_epoch`"):
        criterion.samples_per_epoch = value


def test_a_misspelt_told_is_answered_with_what_is_taken():
    with pytest.raises(TypeError, match="at least 1, or \"told\", got 'Told'"):
        loss(Epochs(), samples_per_epoch="Told")


@pytest.mark.parametrize(
    "make",
    [
        lambda: tfkd.decoupled_kd(nn.Identity()),
        lambda: tfkd.mean_teacher(nn.Linear(2, 2)),
        lambda: tfkd.online_label_smoothing(num_classes=3),
        lambda: tfkd.released_online_label_smoothing(num_classes=3),
        lambda: tfkd.weak_to_strong_kd(nn.Identity()),
    ],
)
def test_a_method_that_counts_epochs_says_so_where_nobody_tells_of_them(make):
    with pytest.raises(ValueError, match=r"^Expected `samples_per_epoch`, since .* counts epochs"):
        make()


def test_indices_that_are_no_tensor_are_refused():
    with pytest.raises(TypeError, match=r"^Expected `indices` to be a tensor .* got list"):
        loss(Notes())(leaf(), Y, indices=[0, 1])


# Steps that nobody tells of.


class Student:
    """A network with its optimiser, trained by a criterion."""

    def __init__(self, criterion, model=None):
        self.criterion = criterion
        torch.manual_seed(0)
        self.model = model or nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        self.optimizer = torch.optim.SGD(self.model.parameters(), 0.1)

    def backward(self):
        self.criterion(self.model(torch.ones(2, 4)), Y).backward()

    def step(self):
        self.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


MISSING = r"^Expected `criterion\.step_ended\(model\)` after each step"


@pytest.mark.parametrize("by_schedule", [False, True], ids=["teacher", "schedule"])
def test_a_loop_that_does_not_tell_of_steps_is_stopped_at_its_third_batch(by_schedule):
    if by_schedule:
        alpha = Linear(start=0.1, end=0.9, steps=5)
        student = Student(tfkd.DistillationLoss(tfkd.UniformTeacher(), alpha=alpha))
    else:
        student = Student(loss(Steps(), samples_per_epoch=None))
    student.step()
    student.step()
    with pytest.raises(RuntimeError, match=MISSING):
        student.step()


def test_a_loop_that_tells_of_steps_goes_on():
    student = Student(loss(Steps()))
    for _ in range(10):
        student.step()
        student.criterion.step_ended(student.model)


@pytest.mark.parametrize("frozen", ["head", "body"])
def test_steps_of_a_student_that_is_frozen_in_part_are_noticed(frozen):
    student = Student(loss(Steps()))
    student.model[-1 if frozen == "head" else 0].requires_grad_(False)
    student.step()
    student.step()
    with pytest.raises(RuntimeError, match=MISSING):
        student.step()


def test_accumulated_gradients_are_one_step():
    student = Student(loss(Steps()))
    for _ in range(3):
        for _ in range(64):
            student.backward()
        student.optimizer.step()
        student.criterion.step_ended(student.model)


def test_steps_are_missed_at_last_where_no_parameter_is_to_be_seen():
    criterion = loss(Steps())
    for _ in range(1000):
        criterion(leaf(), Y)
    with pytest.raises(RuntimeError, match=MISSING[:-1] + ".*1000 batches"):
        criterion(leaf(), Y)


def test_a_checkpoint_may_be_loaded_between_two_batches():
    student = Student(loss(Steps()))
    weights = copy.deepcopy(student.model.state_dict())
    state = student.criterion.state_dict()
    for _ in range(3):
        student.backward()
        student.model.load_state_dict(weights)
        student.criterion.load_state_dict(state)
    student.backward()
    student.model.load_state_dict(weights)
    student.backward()
    student.optimizer.step()
    student.criterion.step_ended(student.model)


def test_copies_notice_for_themselves_and_hold_no_student():
    student = Student(loss(Steps()))
    student.step()
    student.step()
    for twin in (copy.deepcopy(student.criterion), pickle.loads(pickle.dumps(student.criterion))):
        other = Student(twin)
        other.step()
        other.step()
        with pytest.raises(RuntimeError, match=MISSING):
            other.step()
    # The criterion is no larger for what it has seen.
    fresh = len(pickle.dumps(loss(Steps())))
    assert abs(len(pickle.dumps(student.criterion)) - fresh) < 50


# What wants to be told of nothing.


@pytest.mark.parametrize("make", [tfkd.cross_entropy, tfkd.label_smoothing, tfkd.tf_kd_reg])
def test_a_plain_criterion_may_be_told_and_does_nothing(make):
    criterion, student = make(), Student(make())
    before, words = criterion(Z, Y), repr(criterion)
    for _ in range(3):
        assert criterion.step_ended(student.model) is None
        assert criterion.epoch_ended() is None
        student.step()  # and is not missed where it is not told
    assert torch.equal(criterion(Z, Y), before)
    assert repr(criterion) == words
    assert not criterion.state_dict()


def test_settings_are_checked_where_they_are_set():
    criterion = tfkd.tf_kd_reg()
    for name, value in (("alpha", 1.7), ("temperature", 0.0), ("scale", -1.0), ("reduction", "x")):
        before = getattr(criterion, name)
        with pytest.raises(ValueError, match=f"`{name}`"):
            setattr(criterion, name, value)
        assert getattr(criterion, name) == before
    for wrong in (1.0, (1.0,), (1.0, -1.0)):
        with pytest.raises((TypeError, ValueError), match="`decoupled`"):
            criterion.decoupled = wrong
    criterion.decoupled = [1, 8]
    assert criterion.decoupled == (1.0, 8.0)


def test_a_teacher_put_into_a_wrapper_later_learns_from_then_on():
    wrappers = [
        (tfkd.TemperedTeacher(tfkd.UniformTeacher(), 2.0), "teacher"),
        (tfkd.EnsembleTeacher([tfkd.UniformTeacher()]), "0"),
        (tfkd.EnsembleTeacher([tfkd.UniformTeacher()]), "1"),
    ]
    for wrapper, name in wrappers:
        criterion = loss(wrapper, samples_per_epoch=2)
        logits = Z.clone().requires_grad_()
        criterion(logits, Y)
        late = tfkd.OnlineTeacher(3)
        wrapper.add_module(name, late)
        criterion(logits, Y)
        assert late.counts.sum() == 1  # Z is right of one of the two
        criterion(logits, Y)  # of the next epoch
        assert late.matrix[0].tolist() == pytest.approx(Z[0].double().softmax(0).tolist())
        assert "progress" in criterion.state_dict()


def test_a_teacher_put_into_a_wrapper_later_asks_for_samples_per_epoch_at_the_next_call():
    criterion = loss(tfkd.EnsembleTeacher([tfkd.UniformTeacher()]), samples_per_epoch=None)
    criterion.teacher.add_module("1", Epochs())
    for call in (lambda: criterion(Z.clone().requires_grad_(), Y), criterion.epoch_ended):
        with pytest.raises(ValueError, match=r"Expected `samples_per_epoch`, since Ensemble"):
            call()
    criterion.samples_per_epoch = "told"
    criterion.epoch_ended()
    assert criterion.teacher.teachers[1].epochs == 1


def test_what_is_no_teacher_is_refused_alike_whenever_it_comes():
    sentence = r"Expected `teacher` to be a tfkd.Teacher, got Linear. Wrap a network as"
    with pytest.raises(TypeError, match=sentence):
        loss(nn.Linear(2, 2))
    criterion = loss(tfkd.UniformTeacher())
    with pytest.raises(TypeError, match=sentence):
        criterion.teacher = nn.Linear(2, 2)
    assert isinstance(criterion.teacher, tfkd.UniformTeacher)


def test_out_of_torch_func_nothing_is_remembered_and_a_sentence_says_so():
    criterion = loss(tfkd.OnlineTeacher(3))
    gradient = torch.func.grad(lambda z: criterion(z, Y[0]))
    for function, logits in ((gradient, Z[0]), (torch.func.vmap(gradient), Z)):
        with pytest.raises(RuntimeError, match=r"OnlineTeacher remembers what it sees, got a tran"):
            function(logits)
    assert criterion.teacher.counts.sum() == 0
    criterion.eval()
    logits = Z.clone().requires_grad_()
    (expected,) = torch.autograd.grad(criterion(logits, Y), logits)
    torch.testing.assert_close(torch.func.grad(lambda z: criterion(z, Y))(Z), expected)
