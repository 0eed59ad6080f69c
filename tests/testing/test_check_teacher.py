"""`check_teacher` passes right teachers, and catches each planted fault by the check for it."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

import tfkd
from tfkd.testing import check_teacher
from tfkd.testing.answers import every_device_is_taken
from tfkd.testing.check import run_check
from tfkd.testing.subject import Subject

K, SAMPLES = 5, 24
ONE = 2**32


class ByClass(tfkd.Teacher):
    """What the student says of each class on average, of the last epoch; right in all."""

    def __init__(self):
        super().__init__()
        self.register_buffer("told", torch.full((K, K), 1.0 / K))
        self.register_buffer("sums", torch.zeros(K, K, dtype=torch.int64))
        self.register_buffer("counts", torch.zeros(K, dtype=torch.int64))

    def forward(self, batch):
        if batch.labels.is_floating_point():
            dim = 0 if batch.student_logits.dim() == 1 else 1
            rows = batch.labels.float().movedim(dim, -1) @ self.told
        else:
            rows = self.told[batch.labels.clamp(0, K - 1)]
            dim = 0 if batch.labels.dim() == 0 else 1
        return rows.log().movedim(-1, dim)

    def observe(self, batch):
        logits, labels = batch.student_logits, batch.labels
        if labels.is_floating_point():
            return
        logits = (logits if logits.dim() == 1 else logits.movedim(1, -1)).reshape(-1, K)
        labels = labels.flatten()
        counts = labels != batch.ignore_index
        self.add(logits.double().softmax(-1), torch.where(counts, labels, 0), counts)

    def add(self, p, labels, counts):
        fixed = (p * ONE).round().long() * counts.unsqueeze(1)
        self.sums.index_add_(0, labels, fixed)
        self.counts.index_add_(0, labels, counts.long())

    def epoch_ended(self):
        mean = self.sums.double() / ONE / self.counts.clamp(min=1).unsqueeze(1)
        self.told.copy_(torch.where(self.counts.unsqueeze(1) > 0, mean, 1.0 / K))
        self.sums.zero_()
        self.counts.zero_()


class ByIndex(tfkd.Teacher):
    """What the student said of each sample when it last saw it; silence at first."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(SAMPLES, dtype=torch.bool))
        self.register_buffer("said", torch.zeros(SAMPLES, K))

    def check(self, batch):
        if batch.indices is None:
            raise TypeError("Expected `indices`, got None.")
        if batch.student_logits.dim() > 2:
            raise ValueError("Expected `student_logits` of shape (N, K), got more dimensions.")

    def forward(self, batch):
        self.check(batch)
        indices = batch.indices.to(self.said.device)
        return tfkd.Answer(self.said[indices], share=self.seen[indices].float())

    def observe(self, batch):
        self.check(batch)
        logits, indices = batch.student_logits.reshape(-1, K), batch.indices.reshape(-1)
        if not batch.labels.is_floating_point():
            counts = batch.labels.reshape(-1) != batch.ignore_index
            logits, indices = (
                torch.where(counts.unsqueeze(1), logits.float(), self.said[indices]),
                indices,
            )
            self.seen[indices] |= counts
        self.said[indices] = logits.float()


class ByWeights(tfkd.Teacher):
    """A running average of the student."""

    def __init__(self, student):
        super().__init__()
        self.average = copy.deepcopy(student).requires_grad_(False)
        for name, parameter in list(self.average.named_parameters()):
            delattr(self.average, name)
            self.average.register_buffer(name, parameter.detach())

    def forward(self, batch):
        if batch.inputs is None:
            raise TypeError("Expected `inputs`, got None.")
        return self.average(batch.inputs)

    def step_ended(self, student):
        for name, parameter in student.named_parameters():
            getattr(self.average, name).lerp_(parameter, 0.1)


class Within(tfkd.Teacher):
    """Another teacher's answers, softer."""

    def __init__(self, teacher):
        super().__init__()
        self.teachers = nn.ModuleList([teacher])

    def forward(self, batch):
        return self.teachers[0](batch) / 2.0


RIGHT = {
    "by class": ByClass,
    "by index": ByIndex,
    "by weights": ByWeights,
    "within": lambda: Within(ByClass()),
}


@pytest.mark.parametrize("make", RIGHT.values(), ids=RIGHT)
def test_a_right_teacher_passes(make):
    checks = check_teacher(make, num_classes=K, alike=make not in (ByWeights,), compiles=False)
    assert len(checks) == len({check.name for check in checks}) > 20
    done = {check.name for check in checks if check.left_out is None}
    assert {"answers are constants", "resumed training is training without a break"} <= done
    assert all(check.left_out is None or check.left_out for check in checks)


def test_a_teacher_may_be_given_as_it_is_and_is_left_so():
    teacher = ByClass()
    before = copy.deepcopy(teacher.state_dict())
    check_teacher(teacher, num_classes=K, compiles=False)
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())


# Each has one fault; the check that is named must be the one that finds it.


class Leaks(ByClass):
    def forward(self, batch):
        return super().forward(batch) + 0.0 * batch.student_logits


class Trainable(ByClass):
    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(K))


class WrongShape(ByClass):
    def forward(self, batch):
        return super().forward(batch)[:1]


class IntegerShare(ByClass):
    def forward(self, batch):
        return tfkd.Answer(super().forward(batch), share=torch.ones_like(batch.labels))


class Inference(ByWeights):
    def forward(self, batch):
        with torch.inference_mode():
            return super().forward(batch)


class OtherInEvalMode(ByClass):
    def forward(self, batch):
        return super().forward(batch) * (1.0 if self.training else 0.5)


class OtherGap(tfkd.Teacher):
    def forward(self, batch):
        return 2.0

    def gap(self, num_classes):
        return 1.0


class ByPlace(ByClass):
    def forward(self, batch):
        said = super().forward(batch)
        return said * torch.linspace(0.5, 1.0, len(said)).view(-1, *[1] * (said.dim() - 1))


class PrefersFirst(tfkd.Teacher):
    def forward(self, batch):
        said = torch.zeros_like(batch.student_logits)
        said.select(min(1, said.dim() - 1), 0).add_(1.0)
        return said


class RawOnSoftLabels(ByClass):
    def forward(self, batch):
        return self.told[batch.labels.clamp(0, K - 1)].log().movedim(-1, min(1, batch.labels.dim()))


class OtherOnSoftLabels(ByClass):
    def forward(self, batch):
        said = super().forward(batch)
        return said.flip(0) if batch.labels.is_floating_point() else said


class RawOnDense(ByClass):
    def observe(self, batch):
        if batch.labels.is_floating_point():
            return
        self.add(batch.student_logits.double().softmax(1), batch.labels, batch.labels >= 0)


class OtherWhereDense(ByClass):
    def forward(self, batch):
        said = super().forward(batch)
        return said.roll(1, 2) if said.dim() > 2 else said


class RawOnUnbatched(ByClass):
    def forward(self, batch):
        return super().forward(batch).transpose(0, 1).transpose(0, 1)


class RawOnHalf(ByIndex):
    def observe(self, batch):
        self.check(batch)
        self.seen[batch.indices] = True
        self.said.index_copy_(0, batch.indices.reshape(-1), batch.student_logits.reshape(-1, K))


class UndefinedWhereMasked(ByIndex):
    def observe(self, batch):
        centred = batch.student_logits - batch.student_logits.mean(-1, keepdim=True)
        super().observe(batch._replace(student_logits=centred))


class Address(ByClass):
    def extra_repr(self):
        return repr(object())


class SilentWithoutIndices(ByIndex):
    def forward(self, batch):
        if batch.indices is None:
            raise ValueError("no identity")
        return super().forward(batch)


class SilentlyConstant(ByClass):
    def epoch_ended(self):
        pass

    def add(self, p, labels, counts):
        pass


class KeepsHooksToItself(Within):
    def observe(self, batch):
        pass


class SumsFloats(ByClass):
    def __init__(self):
        super().__init__()
        self.sums = self.sums.float()

    def add(self, p, labels, counts):
        self.sums.index_add_(0, labels, p.float() * counts.unsqueeze(1))
        self.counts.index_add_(0, labels, counts.long())

    def epoch_ended(self):
        self.sums *= ONE
        super().epoch_ended()


class CountsIgnored(ByClass):
    def add(self, p, labels, counts):
        super().add(p, labels, torch.ones_like(counts))


class CountsAsked(ByClass):
    def forward(self, batch):
        self.counts += 1
        return super().forward(batch)


class MovesInEvalMode(ByClass):
    def forward(self, batch):
        self.counts += not self.training
        return super().forward(batch)


class Forgets(ByClass):
    def __init__(self):
        super().__init__()
        self.register_buffer("told", self.told.clone(), persistent=False)


class ForgetsInMidEpoch(ByClass):
    def __init__(self):
        super().__init__()
        self.register_buffer("sums", self.sums.clone(), persistent=False)


class SharesItsBuffer(ByClass):
    def __deepcopy__(self, memo):
        twin = type(self)()
        twin._buffers = dict(self._buffers)
        return twin


class ChangesWhenPickled(ByClass):
    def __reduce__(self):
        return type(self), ()


class LooksAtValues(ByClass):
    def observe(self, batch):
        if batch.student_logits.sum().item() != 0.0:
            super().observe(batch)


FAULTS = [
    (Leaks, "answers are constants"),
    (Inference, "answers are constants"),
    (Trainable, "nothing of it is trained"),
    (WrongShape, "answers have the shape of the logits"),
    (IntegerShare, "answers have the shape of the logits"),
    (OtherInEvalMode, "answers are the same when asked again"),
    (OtherGap, "the gap is what it answers"),
    (ByPlace, "answers follow the order of samples"),
    (PrefersFirst, "answers follow the order of classes"),
    (RawOnSoftLabels, "probability labels are taken or refused"),
    (OtherOnSoftLabels, "probability labels are taken or refused"),
    (RawOnDense, "dense logits are taken or refused"),
    (OtherWhereDense, "dense logits are taken or refused"),
    (RawOnUnbatched, "unbatched logits are taken or refused"),
    (RawOnHalf, "every dtype is taken or refused"),
    (UndefinedWhereMasked, "masked classes make nothing undefined"),
    (Address, "it is printed without addresses"),
    (SilentWithoutIndices, "what a batch lacks is said"),
    (SilentlyConstant, "training changes what it remembers"),
    (lambda: KeepsHooksToItself(ByClass()), "hooks reach the teachers within"),
    (SumsFloats, "order of samples changes no state"),
    (CountsIgnored, "ignored labels change no state"),
    (CountsAsked, "asking changes no state"),
    (MovesInEvalMode, "evaluation changes no state"),
    (Forgets, "a fresh teacher takes over the state"),
    (ForgetsInMidEpoch, "resumed training is training without a break"),
    (SharesItsBuffer, "copies are equal and apart"),
    (ChangesWhenPickled, "copies are equal and apart"),
    (LooksAtValues, "compiled training is training"),
]


@pytest.mark.parametrize(
    ("make", "name"), FAULTS, ids=[getattr(make, "__name__", "") for make, _ in FAULTS]
)
def test_a_planted_fault_is_found_by_the_check_that_is_named(make, name):
    with pytest.raises(AssertionError) as caught:
        check_teacher(make, num_classes=K, alike=True, compiles=make is LooksAtValues)
    assert f": {name}: " in str(caught.value)


def test_samples_that_the_student_does_not_take_are_no_fault_of_the_teacher():
    student = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, K))
    checks = check_teacher(
        lambda student: tfkd.MeanTeacher(student, decay=0.5),
        num_classes=K,
        student=student,
        inputs=torch.randn(24, 3, 2, 2),
        compiles=False,
    )
    (reason,) = [check.left_out for check in checks if check.name.startswith("unbatched")]
    assert reason.startswith("the `student` does not take a sample without a batch")


@pytest.mark.parametrize("make", RIGHT.values(), ids=RIGHT)
def test_a_device_is_asked_where_there_is_one(monkeypatch, make):
    monkeypatch.setattr("tfkd.testing.answers.ACCELERATORS", ("cpu",))  # as if it were one
    assert run_check(every_device_is_taken, Subject(make, K)).left_out is None
    monkeypatch.setattr("tfkd.testing.answers.ACCELERATORS", ())
    assert run_check(every_device_is_taken, Subject(make, K)).left_out is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"teacher": nn.Linear(4, K)}, r"`teacher` .*got Linear\. Wrap .*NetworkTeacher"),
        ({"teacher": 5}, r"`teacher` .*got int"),
        ({"teacher": lambda: nn.Linear(4, K)}, r"`teacher` .*a function that makes Linear"),
        ({"student": 5}, r"`student` to be a torch.nn.Module, got int"),
        ({"inputs": [1.0]}, r"`inputs` to be a tensor or a function, got list"),
    ],
)
def test_what_is_of_another_kind_is_refused(arguments, message):
    with pytest.raises(TypeError, match=f"^Expected {message}"):
        check_teacher(**{"teacher": tfkd.UniformTeacher(), "num_classes": K, **arguments})


def test_what_is_wrong_about_the_arguments_is_said():
    with pytest.raises(TypeError, match=r"`num_classes` .*int, got str"):
        check_teacher(ByClass, num_classes="5")
    with pytest.raises(ValueError, match=r"`num_samples` of at least 24, got 3"):
        check_teacher(ByClass, num_classes=K, num_samples=3)
    with pytest.raises(ValueError, match=r"`inputs` of 24 samples, got 3"):
        check_teacher(ByClass, num_classes=K, inputs=torch.zeros(3, 4))
    with pytest.raises(ValueError, match=r"`num_processes` .*1 or 2, got 3"):
        check_teacher(ByClass, num_classes=K, num_processes=3)
