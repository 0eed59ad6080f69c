"""What is checked: a teacher, made anew for each check, in a small training of its own."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from tfkd.loss import DistillationLoss
from tfkd.loss.checks import check_classes, check_few_logits
from tfkd.teachers import Answer, Batch, FewLogits, Teacher
from tfkd.teachers.base import answer_of, replaced, taught_by
from tfkd.teachers.gaps import logits_or_gap

Maker = Callable[[], Teacher] | Callable[[nn.Module], Teacher]

BATCH = 8
BATCHES = 3
NEEDS = ("inputs", "indices", "view")
REFUSALS = (TypeError, ValueError, RuntimeError)
HOOKS = ("observe", "step_ended", "epoch_ended")


class LeftOut(Exception):  # noqa: N818, it is no error
    """Says why a check does not apply."""


class _Linear(nn.Module):
    """Logits of the features in dimension 1, or 0 of one sample."""

    def __init__(self, num_features: int, num_classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_classes, num_features))
        self.bias = nn.Parameter(torch.randn(num_classes))

    def forward(self, inputs: Tensor) -> Tensor:
        dim = 0 if inputs.dim() == 1 else 1
        return (inputs.movedim(dim, -1) @ self.weight.T + self.bias).movedim(-1, dim)


def _numbers(shape: tuple[int, ...], features: int = 4) -> Tensor:
    return torch.randn(*shape[:1], features, *shape[1:])


@contextmanager
def seeded(seed: int = 0) -> Iterator[None]:
    """Draw from torch's generator of the CPU as after this seed; give it back as it was."""
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)  # of the CPU alone, which costs little
    try:
        yield
    finally:
        torch.set_rng_state(before)


class Subject:
    """A teacher to be checked; the arguments are those of `check_teacher`."""

    def __init__(
        self,
        teacher: Teacher | Maker,
        num_classes: int,
        num_samples: int = 24,
        student: nn.Module | None = None,
        inputs: Tensor | Callable[[tuple[int, ...]], Tensor] | None = None,
        alike: bool = False,
        compiles: bool = True,
        options: dict[str, Any] | None = None,
    ) -> None:
        if not isinstance(teacher, Teacher) and (
            isinstance(teacher, nn.Module) or not callable(teacher)
        ):
            wrapped = " Wrap a network as `tfkd.NetworkTeacher(model)`."
            raise TypeError(
                "Expected `teacher` to be a tfkd.Teacher, or a function that makes one, got "
                f"{type(teacher).__name__}.{wrapped if isinstance(teacher, nn.Module) else ''}"
            )
        if student is not None and not isinstance(student, nn.Module):
            raise TypeError(
                f"Expected `student` to be a torch.nn.Module, got {type(student).__name__}."
            )
        if inputs is not None and not (isinstance(inputs, Tensor) or callable(inputs)):
            raise TypeError(
                f"Expected `inputs` to be a tensor or a function, got {type(inputs).__name__}."
            )
        self.num_classes, self.num_samples = num_classes, num_samples
        self.alike, self.compiles = alike, compiles
        self.options: dict[str, Any] = {
            "alpha": 0.5,
            "temperature": 2.0,
            "samples_per_epoch": "told",
            **(options or {}),
        }
        self._teacher = teacher
        self._shaped = inputs if callable(inputs) else _numbers if inputs is None else None
        with seeded(1):
            self.inputs = inputs if isinstance(inputs, Tensor) else self._inputs((num_samples,))
            if len(self.inputs) != num_samples:
                raise ValueError(
                    f"Expected `inputs` of {num_samples} samples, got {len(self.inputs)}."
                )
            self._student = student or _Linear(self.inputs.shape[1], num_classes)
            self.indices = torch.randperm(num_samples)[: BATCH * BATCHES]
            self.labels = torch.randint(num_classes, (num_samples,))
        with torch.no_grad():  # half of them, so that there are some that the student knows
            self.labels[::2] = self.fresh()[1](self.inputs).argmax(1)[::2]

    @property
    def name(self) -> str:
        """Of the teacher's class."""
        return type(self.teacher).__name__

    @cached_property
    def teacher(self) -> Teacher:
        """One that nobody trains."""
        return self.fresh()[0]

    def fresh(self) -> tuple[Teacher, nn.Module]:
        """Return the teacher as it is before training, and its student."""
        if isinstance(self._teacher, Teacher):
            return copy.deepcopy((self._teacher, self._student))
        student = copy.deepcopy(self._student)
        takes = inspect.signature(self._teacher).parameters.values()
        wants_student = any(
            one.default is one.empty
            and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
            for one in takes
        )
        with seeded():
            made = self._teacher(*([student] if wants_student else []))
        if not isinstance(made, Teacher):
            raise TypeError(
                "Expected `teacher` to be a tfkd.Teacher, or a function that makes one, got a "
                f"function that makes {type(made).__name__}."
            )
        return made, student

    def by_itself(self) -> Subject:
        """Return the subject without functions, to be pickled."""
        other = copy.copy(self)
        other.__dict__.pop("teacher", None)
        other._teacher, other._student = self.fresh()
        other._shaped = None
        return other

    def _inputs(self, shape: tuple[int, ...]) -> Tensor:
        if self._shaped is None:
            raise LeftOut("`inputs` are a tensor: a function would make them of each shape")
        return self._shaped(shape)

    def batch(self, *dims: int, of: int = BATCH, unbatched: bool = False, seed: int = 2) -> Batch:
        """Return a batch with all that a teacher may ask for; its logits are in 16ths."""
        with seeded(seed):
            shape = () if unbatched else (of, *dims)
            indices = self.indices[0] if unbatched else self.indices[:of]
            if dims:
                inputs, labels = self._inputs(shape), torch.randint(self.num_classes, shape)
            else:
                inputs, labels = self.inputs[indices], self.labels[indices]
            logits = torch.randn(*shape[:1], self.num_classes, *shape[1:])
            logits = (logits * 16.0).round() / 16.0
        temperature = self.options["temperature"]
        temperature = temperature if isinstance(temperature, float) else 1.0
        return Batch(logits, labels, inputs, indices, 0, temperature)

    @cached_property
    def probe(self) -> Batch:
        """A batch of all classes, as far as it goes."""
        batch = self.batch(of=BATCH * BATCHES, seed=5)
        return batch._replace(labels=torch.arange(len(batch.labels)) % self.num_classes)

    def taken(self, act: Callable[[], Any], what: str) -> Any:
        """Do something that a teacher may refuse in a sentence; leave the check out then."""
        try:
            return act()
        except REFUSALS as error:
            if not str(error).startswith("Expected"):
                raise AssertionError(
                    f"{what} are neither taken nor refused in a sentence that begins with "
                    f"`Expected`: {type(error).__name__}: {error}"
                ) from error
            raise LeftOut(f"{what} are refused: {error}") from None

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """What it must be given beside logits and labels, as far as it says so."""
        return tuple(name for name in NEEDS if self.without(name) is not None)

    def without(self, name: str) -> Exception | None:
        """What a trained teacher says to a batch that lacks something; None if it does not mind."""
        run = Training(self)
        run.epoch()
        lacking: dict[str, Any] = {name: None}
        batch = self.batch()._replace(**lacking)
        try:
            ask(run.criterion.teacher, batch)
            run.show(batch)
        except REFUSALS as error:
            return error
        return None

    @cached_property
    def hooks(self) -> tuple[str, ...]:
        """The hooks that it or a teacher within it has of its own."""
        family = [self.teacher, *inner(self.teacher)]
        return tuple(name for name in HOOKS if any(_has(one, name) for one in family))

    def criterion(self, teacher: Teacher, **changed: Any) -> DistillationLoss:
        """Return a criterion that it teaches by."""
        return DistillationLoss(teacher, **(self.options | changed))


def _takes_one(make: Callable[..., Teacher]) -> bool:
    """Whether a function must be given something by its place."""
    for one in inspect.signature(make).parameters.values():
        if (
            one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
            and one.default is one.empty
        ):
            return True
    return False


def _has(teacher: Teacher, hook: str) -> bool:
    return getattr(type(teacher), hook) is not getattr(Teacher, hook)


def inner(teacher: Teacher) -> list[Teacher]:
    """Return the teachers within a teacher, at any depth."""
    found = []
    for child in taught_by(teacher):
        found += [child, *inner(child)]
    return found


def with_tensors(batch: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    """Return a batch with each of its tensors changed."""
    fields = batch._asdict().items()
    changed: dict[str, Any] = {name: change(x) for name, x in fields if isinstance(x, Tensor)}
    return batch._replace(**changed)


def in_order(batch: Batch, order: Tensor) -> Batch:
    """Return a batch with its samples in another order, or fewer of them."""
    return with_tensors(batch, lambda x: x[order])


def ask(teacher: Teacher, batch: Batch) -> Answer:
    """Return what a teacher says, nothing where it is silent; chance is the same each time.

    Few logits are looked at by themselves, and become those of all classes.
    """
    if teacher.is_silent:
        return Answer(0.0, share=0.0)
    with seeded(3):
        answer = answer_of(teacher(batch))
    if isinstance(answer.logits, FewLogits):
        _check_few(answer.logits, batch)
    return replaced(answer, logits=logits_or_gap(answer, batch))


def _check_few(few: FewLogits, batch: Batch) -> None:
    """Few logits are of the classes that there are, each once in a sample, and constants."""
    for name, said in few._asdict().items():
        if isinstance(said, Tensor):
            assert not said.is_inference(), f"`{name}` is an inference tensor: clone it"
    check_few_logits(batch.student_logits, few)
    here = FewLogits(few.values, few.classes.cpu(), few.others)
    check_classes(batch.student_logits, here)


class Training:
    """A student, its teacher and their criterion, trained in small."""

    def __init__(self, subject: Subject, **options: Any) -> None:
        self.subject = subject
        self.teacher, self.student = subject.fresh()
        self.criterion = subject.criterion(self.teacher, **options)
        self.optimizer = torch.optim.SGD(self.student.parameters(), 0.25)
        self.loss = self.criterion.forward

    def step(self, number: int, *, share: slice = slice(None), ends: bool = True) -> Tensor:
        """Train by one batch of the epoch, or a share of it; return its loss."""
        subject = self.subject
        indices = subject.indices[number * BATCH : (number + 1) * BATCH][share]
        inputs = subject.inputs[indices]
        with seeded(number):
            loss = self.loss(
                self.student(inputs), subject.labels[indices], inputs, indices=indices, view=0
            )
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.optimizer.step()
        if ends:
            self.criterion.step_ended(self.student)
        return loss.detach()

    def epoch(self) -> Training:
        """Train for one epoch."""
        for number in range(BATCHES):
            self.step(number)
        self.criterion.epoch_ended()
        return self

    def show(self, batch: Batch) -> None:
        """Show a batch of training, whose logits are as they are; no step follows."""
        logits = batch.student_logits.detach().clone().requires_grad_()
        with seeded(4):
            loss = self.criterion(
                logits, batch.labels, batch.inputs, indices=batch.indices, view=batch.view
            )
        if loss.isfinite():
            loss.backward()

    def tell(self) -> Training:
        """Tell of a step and of the end of an epoch, though the student did not change."""
        self.criterion.step_ended(self.student)
        self.criterion.epoch_ended()
        return self

    def loss_of(self, batch: Batch) -> Tensor:
        """Return the loss of a batch that is not trained on."""
        was, _ = self.criterion.training, self.criterion.eval()
        with seeded(3):
            loss = self.criterion(
                batch.student_logits,
                batch.labels,
                batch.inputs,
                indices=batch.indices,
                view=batch.view,
            )
        self.criterion.train(was)
        assert isinstance(loss, Tensor)
        return loss

    def state(self) -> dict[str, Tensor]:
        """Return a copy of what the criterion saves."""
        return {name: value.clone() for name, value in self.criterion.state_dict().items()}

    def answer(self) -> Answer:
        """What the teacher says now, of a batch of all classes that is always the same."""
        return ask(self.criterion.teacher, self.subject.probe)
