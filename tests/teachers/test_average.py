"""Teachers whose network is the average of the student's weights: what both have in common."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch.distributed.tensor import DTensor

import tfkd

K = 4
TEACHERS = [tfkd.MeanTeacher, tfkd.BetaTeacher]


def network() -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(3, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, K))
    return layers.double()


def data() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(24, 3).double(), torch.randint(K, (24,))


class Loop:
    """Anyone's loop, three batches an epoch."""

    def __init__(self, teacher: type[tfkd.Teacher], **options: float) -> None:
        self.student = network()
        self.criterion = tfkd.DistillationLoss(teacher(self.student, **options), alpha=0.5)
        self.optimizer = torch.optim.SGD(self.student.parameters(), 0.2, momentum=0.9)
        self.inputs, self.labels = data()
        self.losses: list[float] = []

    def loss(self, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return self.criterion(self.student(inputs), labels, inputs)

    def step(self, number: int) -> None:
        torch.manual_seed(number)  # as a loop does that is to be resumed
        part = slice(8 * (number % 3), 8 * (number % 3) + 8)
        inputs = self.inputs[part]
        loss = self.loss(inputs, self.labels[part])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.criterion.step_ended(self.student)
        self.losses.append(loss.item())

    def train(self, numbers: range) -> Loop:
        for number in numbers:
            self.step(number)
        return self

    def state(self) -> dict[str, torch.Tensor]:
        own = {f"student.{k}": v for k, v in self.student.state_dict().items()}
        return copy.deepcopy(own | self.criterion.state_dict())


def assert_same(ours: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> None:
    assert ours.keys() == others.keys()
    for name, value in ours.items():
        assert torch.equal(value, others[name]), name


@pytest.mark.parametrize("kind", TEACHERS)
def test_the_average_is_that_of_torchs_averaged_model(kind):
    """An independent implementation, with the same warm-up of the decay."""
    loop = Loop(kind, decay=0.8)

    def averaged(own, new, number):
        decay = min(1 - 1 / (number.item() + 1), 0.8)
        return decay * own + (1 - decay) * new

    torchs = torch.optim.swa_utils.AveragedModel(copy.deepcopy(loop.student), avg_fn=averaged)
    torchs.n_averaged += 1  # it would take the first student as it is; here the start is averaged
    for number in range(9):
        loop.step(number)
        torchs.update_parameters(loop.student)
    ours = dict(loop.criterion.teacher.network.named_parameters())
    for name, value in torchs.module.named_parameters():
        torch.testing.assert_close(ours[name].data, value.data, rtol=1e-12, atol=1e-14)
    assert loop.criterion.teacher.steps.item() == 9


def test_the_average_is_that_of_timm():
    timm = pytest.importorskip("timm.utils")
    loop = Loop(tfkd.MeanTeacher, decay=0.5)  # from the first step on that is the decay
    timms = timm.ModelEmaV3(loop.student, decay=0.5)
    for number in range(5):
        loop.step(number)
        timms.update(loop.student)
    ours = dict(loop.criterion.teacher.network.named_parameters())
    for name, value in timms.module.named_parameters():
        torch.testing.assert_close(ours[name].data, value.data, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kind", TEACHERS)
def test_an_interrupted_training_ends_as_one_that_is_not(kind):
    whole = Loop(kind).train(range(9))
    begun, resumed = Loop(kind).train(range(5)), Loop(kind)
    file = io.BytesIO()
    torch.save([begun.student.state_dict(), begun.criterion.state_dict()], file)
    file.seek(0)
    student, criterion = torch.load(file, weights_only=True)
    resumed.student.load_state_dict(student)
    resumed.criterion.load_state_dict(criterion)
    resumed.optimizer.load_state_dict(begun.optimizer.state_dict())
    resumed.train(range(5, 9))
    assert_same(whole.state(), resumed.state())
    assert whole.losses[5:] == resumed.losses


@pytest.mark.parametrize("kind", TEACHERS)
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_goes_on_alike_and_alone(kind, copied):
    loop = Loop(kind).train(range(4))
    before, twin = loop.state(), copied(loop.criterion)
    student = copy.deepcopy(loop.student)
    nn.init.zeros_(student[0].weight)
    twin.step_ended(student)
    assert_same(before, loop.state())
    loop.criterion.step_ended(student)
    assert_same(loop.criterion.state_dict(), twin.state_dict())


@pytest.mark.parametrize("kind", TEACHERS)
def test_it_is_no_part_of_what_is_trained_but_of_what_is_saved_and_moved(kind):
    loop = Loop(kind)
    teacher = loop.criterion.teacher
    assert not list(loop.criterion.parameters())
    assert not any(p.requires_grad for p in teacher.network.parameters())
    assert teacher.network[0].weight is not loop.student[0].weight
    names = {f"teacher.network.{name}" for name in loop.student.state_dict()}
    assert set(loop.criterion.state_dict()) == names | {"teacher.steps", "progress"}
    loop.criterion.to(torch.float32)
    assert teacher.network[0].weight.dtype == torch.float32
    assert teacher.steps.dtype == torch.int64
    loop.criterion.to("meta")
    assert teacher.network[0].weight.is_meta and teacher.steps.is_meta


@pytest.mark.parametrize("kind", TEACHERS)
def test_a_state_of_another_network_is_refused(kind):
    criterion = Loop(kind).criterion
    state = criterion.state_dict()
    with pytest.raises(RuntimeError, match=r'Missing.*"teacher.network.0.weight"'):
        criterion.load_state_dict({k: v for k, v in state.items() if k[-8:] != "0.weight"})
    with pytest.raises(RuntimeError, match=r'Unexpected.*"teacher.network.9.weight"'):
        criterion.load_state_dict(state | {"teacher.network.9.weight": torch.ones(1)})
    with pytest.raises(RuntimeError, match="size mismatch"):
        criterion.load_state_dict(state | {"teacher.network.0.bias": torch.ones(1)})
    criterion.load_state_dict({"progress": torch.zeros(3)}, strict=False)


@pytest.mark.parametrize("kind", TEACHERS)
def test_a_wrapped_student_is_the_network_in_it(kind):
    student = network()
    teacher, plain = kind(torch.compile(student, backend="eager")), kind(student)
    nn.init.ones_(student[0].weight)
    plain.step_ended(student)
    for wrapped in (torch.compile(student, backend="eager"), nn.DataParallel(student)):
        own = copy.deepcopy(teacher)
        own.step_ended(wrapped)
        assert_same(plain.state_dict(), own.state_dict())


@pytest.mark.parametrize("kind", TEACHERS)
def test_tied_weights_are_averaged_once_and_stay_tied(kind):
    student = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    student[1].weight = student[0].weight
    nn.init.zeros_(student[0].weight)
    teacher = kind(student)
    nn.init.ones_(student[0].weight)
    teacher.step_ended(student)
    assert teacher.network[0].weight is teacher.network[1].weight
    assert torch.equal(teacher.network[0].weight, torch.full((3, 3), 0.5))


@pytest.mark.parametrize("kind", TEACHERS)
def test_what_is_missing_or_out_of_range_is_said(kind):
    student = network()
    with pytest.raises(TypeError, match=r"`student` to be a torch.nn.Module, got function"):
        kind(network)
    with pytest.raises(ValueError, match=r"`decay` in \[0, 1\], got 1.5"):
        kind(student, decay=1.5)
    with pytest.raises(ValueError, match="`decay` below 1"):
        kind(student, decay=1.0)
    teacher = kind(student)
    with pytest.raises(ValueError, match="got one with other parameters"):
        teacher.step_ended(student[0])
    criterion = tfkd.DistillationLoss(teacher, alpha=0.5)
    inputs, labels = data()
    with pytest.raises(TypeError, match=rf"Expected `inputs`.*{kind.__name__}"):
        criterion(student(inputs), labels)
    with pytest.raises(TypeError, match=r"`student` to return a tensor, .*got tuple"):
        kind(nn.Flatten(0).apply(lambda m: setattr(m, "forward", lambda x: (x,))))(
            tfkd.Batch(inputs, labels, inputs)
        )


@pytest.mark.parametrize("kind", TEACHERS)
def test_forgotten_steps_are_found(kind):
    loop = Loop(kind)
    loop.criterion.step_ended = lambda student: None
    with pytest.raises(RuntimeError, match=r"criterion.step_ended\(model\)"):
        loop.train(range(9))


@pytest.mark.parametrize("kind", TEACHERS)
def test_a_sharded_student_is_refused(kind):
    student = network()
    student[0].weight.device_mesh = None  # what the parameters of FSDP have, and no others
    assert hasattr(DTensor, "device_mesh") or "device_mesh" in DTensor.__annotations__
    with pytest.raises(TypeError, match="whole on each process, got one that is sharded"):
        kind(student)
    wrapper = type("FullyShardedDataParallel", (nn.Sequential,), {})
    with pytest.raises(TypeError, match="sharded"):
        kind(wrapper(network()))


@pytest.mark.parametrize("kind", TEACHERS)
def test_compiled_it_trains_as_it_does_uncompiled(kind):
    loop, compiled = Loop(kind), Loop(kind)
    compiled.loss = torch.compile(compiled.loss, backend="eager", fullgraph=True)
    loop.train(range(3))
    compiled.train(range(3))
    ours, theirs = loop.state(), compiled.state()
    for name, value in ours.items():
        torch.testing.assert_close(theirs[name], value, msg=name)
