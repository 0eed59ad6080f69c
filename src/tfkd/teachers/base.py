"""What every teacher has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from statistics import fmean
from typing import Any, Literal, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from tfkd.teachers.few_logits import FewLogits


class Batch(NamedTuple):
    """What a teacher may look at when it answers.

    Attributes:
        student_logits: `(N, K)` or `(N, K, d1, ...)`, or `(K,)` unbatched; the classes second,
            whatever the `class_dim` of the loss.
        labels: class indices or probabilities, as the loss takes them.
        inputs: the samples as the student saw them, a tensor or a mapping of what a network takes
            by name; None if the caller gave none.
        indices: `(n,)` or `()` unbatched, int64, identity of each sample in its data set; None if
            the caller gave none.
        view: which augmented view of the samples the student saw, from 0; None if the caller said
            nothing.
        temperature: τ of the loss, at which the answer will be softened.
        ignore_index: class index of positions that do not count: nothing is to be learned of them.
        class_dim: which dimension of what a network answers is the classes, as the loss is told;
            of `student_logits`, and of what a teacher answers, it is the second.
        sizes: of a batch that was gathered from several processes, how many of its rows each of
            them had, in their order; else None.
    """

    student_logits: Tensor
    labels: Tensor
    inputs: Any = None
    indices: Tensor | None = None
    view: int | None = None
    temperature: Tensor | float = 1.0
    ignore_index: int = -100
    sizes: tuple[int, ...] | None = None
    class_dim: int = 1


class Answer(NamedTuple):
    """What a teacher says of a batch, and how loudly.

    Attributes:
        logits: the shape of the student's; log-probabilities are valid logits. Or a gap, by which
            the teacher's logit of the true class lies above every other: a number, or one for each
            sample, of the shape of class indices. Or `FewLogits`, of a few classes. With a gap or
            few logits no target of shape `(N, K)` is built.
        share: how loudly it speaks of each sample, at least 0: factor of the teacher term, a number
            or of the shape of class indices; 0 is silence.
        label_share: the same for the label term, where the teacher has an opinion of the labels.
    """

    logits: Tensor | FewLogits | float
    share: Tensor | float = 1.0
    label_share: Tensor | float = 1.0


def is_plain(answer: Answer) -> bool:
    """Whether it speaks of all samples alike, and has no opinion of the labels."""
    # No property of `Answer`, since torch 2.6 compiles none of a named tuple.
    shares = (answer.share, answer.label_share)
    return not any(isinstance(share, Tensor) or share != 1.0 for share in shares)


Row = TypeVar("Row", bound=tuple[Any, ...])


def replaced(row: Row, **changes: Any) -> Row:
    """Return a named tuple with other values; unlike `_replace`, torch 2.6 compiles this."""
    kind: Any = type(row)  # there is no type of all named tuples
    found: Row = kind(**{name: changes.get(name, getattr(row, name)) for name in kind._fields})
    return found


class Teacher(nn.Module, ABC):
    """Answers a batch, and may remember what it saw.

    It answers with a **tensor**, the teacher's logits, with **`FewLogits`**, with a **number**, its
    gap whatever the sample, or with an `Answer` where it speaks of some samples more loudly than of
    others.

    Subclasses are final: they implement `forward` once, and are wrapped rather than overridden.
    What they remember lies in buffers, so that it is saved with the criterion, moves with it and is
    resumed. The hooks are for those that remember; what one overrides, the criterion asks for. A
    teacher that wraps others, kept as its sub-modules, passes every hook on to them.
    """

    @abstractmethod
    def forward(self, batch: Batch) -> Answer | Tensor | FewLogits | float:
        """Return the teacher's logits, its gap, or an answer of either with its shares."""

    def observe(self, batch: Batch) -> None:
        """Look at a batch of training, after it was answered.

        Called without gradients, where a gradient is taken of the student's logits. Of several
        processes each is given the whole batch, in their order, with the `sizes` of their shares,
        but for `inputs`, which stay its own: so what is remembered is the same everywhere.

        Args:
            batch: with detached logits.
        """
        for teacher in taught_by(self):
            teacher.observe(batch)

    def step_ended(self, student: nn.Module) -> None:
        """Look at the student after a step of its optimiser."""
        for teacher in taught_by(self):
            teacher.step_ended(student)

    def epoch_ended(self) -> None:
        """Learn that all samples of an epoch were seen."""
        for teacher in taught_by(self):
            teacher.epoch_ended()

    @property
    def is_silent(self) -> bool:
        """Whether it says nothing of any sample: then the loss is that of the labels, α being 0."""
        return False

    @property
    def usual_share(self) -> float | None:
        """The mean of its shares over a batch of training, above 0; None: depends on the sample.

        1, or of a teacher that wraps others the mean of theirs, unless it says otherwise. By it
        `tfkd.explain` and the controls of studies know what the terms of a loss weigh together.
        """
        return _mean([teacher.usual_share for teacher in taught_by(self)])

    @property
    def usual_label_share(self) -> float | None:
        """The same of its shares of the labels."""
        return _mean([teacher.usual_label_share for teacher in taught_by(self)])

    @property
    def differs_by(self) -> Literal["sample", "class"]:
        """What its answers depend on, unless it has one gap for all: the class alone, or more.

        Of a teacher that wraps others it is what theirs do, unless it says otherwise.
        """
        others = taught_by(self)
        by_class = others and all(teacher.differs_by == "class" for teacher in others)
        return "class" if by_class else "sample"

    def gap(self, num_classes: int) -> float | None:
        """Return the gap if the teacher answers every batch with the same one, else None.

        Args:
            num_classes: the number of classes K, at least 2.
        """
        return None


def _mean(shares: list[float | None]) -> float | None:
    known = [share for share in shares if share is not None]
    if len(known) < len(shares):
        return None
    return fmean(known) if known else 1.0


def check_is_teacher(teacher: Any) -> None:
    """Raise `TypeError` unless something is a teacher."""
    if not isinstance(teacher, Teacher):
        raise TypeError(
            f"Expected `teacher` to be a tfkd.Teacher, got {type(teacher).__name__}. "
            "Wrap a network as `tfkd.NetworkTeacher(model)`."
        )


def taught_by(teacher: nn.Module) -> list[Teacher]:
    """Return the teachers that a teacher wraps, also those in a list of modules."""
    found: list[Teacher] = []
    for child in teacher.children():
        found += [child] if isinstance(child, Teacher) else taught_by(child)
    return found


HOOKS = ("observe", "step_ended", "epoch_ended")
"""What a teacher that remembers may override, to be told of."""


def wants(teacher: Teacher, hook: str) -> bool:
    """Return whether a teacher, or one that it wraps, has a hook of its own."""
    own = getattr(type(teacher), hook) is not getattr(Teacher, hook)
    return own or any(wants(other, hook) for other in taught_by(teacher))


def answer_of(said: Answer | Tensor | FewLogits | float) -> Answer:
    """Return what a teacher said as an `Answer`."""
    return said if isinstance(said, Answer) else Answer(said)


def has_values_at_hand(tensor: Tensor) -> bool:
    """Return whether values may be looked at: on the CPU, for no accelerator is waited for."""
    return tensor.device.type == "cpu" and not is_transformed()


def is_transformed() -> bool:
    """Return whether the call is traced by torch.compile or transformed by torch.func.

    Then a tensor may stand for others: its values cannot be looked at, and inference tensors do
    not go through.
    """
    # As torch.autograd.Function asks; torch.func has no public question.
    return torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()
