"""A teacher that falls silent once its student has passed it."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor

from tfkd.teachers.base import Answer, Batch, Teacher, answer_of
from tfkd.teachers.draws import check_no_draws
from tfkd.teachers.few_logits import FewLogits
from tfkd.teachers.gaps import logits_of
from tfkd.teachers.logits import class_dim
from tfkd.teachers.processes import summed_over_processes

ONE = 2**24
"""How much a right answer counts: whole numbers, whose sum does not depend on the order."""


@final
class UntilPassedTeacher(Teacher):
    """Answers as another teacher does, until the student is as accurate; then never again.

    Over each epoch of training it counts how often both are right, on the same batches: the
    student in its mode of training, before the step, and the teacher as it answers. At the end of
    the first epoch in which the student is right at least as often, it falls silent for good: from
    then on the loss is that of the labels, and the other teacher is no more asked.

    An answer is right in as far as the label gives its class: for probability labels by that
    probability. Ignored positions count in neither.

    Args:
        teacher: who is asked, meant to be weaker than the student will be.

    Raises:
        ValueError: for a teacher cache of draws, which are right less often than their network.

    Source: after Li et al., 2026, arXiv 2604.15451, as its abstract says it.

    Example:
        >>> import torch, tfkd
        >>> weak = tfkd.NetworkTeacher(torch.nn.Identity())
        >>> teacher = tfkd.UntilPassedTeacher(weak)
        >>> criterion = tfkd.DistillationLoss(teacher, alpha=0.5, samples_per_epoch="told")
        >>> logits, labels = torch.eye(2, requires_grad=True), torch.tensor([0, 1])
        >>> _ = criterion(logits, labels, torch.eye(2))
        >>> criterion.epoch_ended()
        >>> teacher.is_silent
        True
    """

    counts: Tensor
    passed: Tensor

    def __init__(self, teacher: Teacher) -> None:
        super().__init__()
        self.teacher = teacher
        check_no_draws(self, "an UntilPassedTeacher")
        # In this epoch: right answers of the student and of the teacher, and labels.
        self.register_buffer("counts", torch.zeros(3, dtype=torch.int64))
        self.register_buffer("passed", torch.tensor(False))
        self._passed = False  # the same, to be asked at every step without waiting for a device
        self._right: Tensor | None = None

    def forward(self, batch: Batch) -> Answer | Tensor | FewLogits | float:
        """Return the other teacher's answer."""
        said: Answer | Tensor | FewLogits | float = self.teacher(batch)
        if self.training and batch.student_logits.requires_grad:  # it will be observed
            self._right = _right(logits_of(answer_of(said), batch).detach(), batch)
        return said

    def observe(self, batch: Batch) -> None:
        """Count who was right, over all processes."""
        super().observe(batch)
        if self._right is None:
            return
        # The student's logits are those of all processes; the teacher answered its own.
        teachers, self._right = summed_over_processes(self._right), None
        students, labelled = _right(batch.student_logits, batch), _labelled(batch).sum()
        self.counts += torch.stack([students, teachers, labelled])

    def epoch_ended(self) -> None:
        """Fall silent if the student was right as often."""
        super().epoch_ended()
        student, teacher, labelled = self.counts.tolist()
        if labelled > 0 and student >= teacher:
            self.passed.fill_(True)
            self._passed = True
        self.counts.zero_()

    @property
    def is_silent(self) -> bool:
        """Whether the student has passed it."""
        return self._passed or self.teacher.is_silent

    def gap(self, num_classes: int) -> float | None:
        """Return the other's gap, that of its answers until it is silent."""
        return self.teacher.gap(num_classes)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._passed = bool(self.passed)


def _right(logits: Tensor, batch: Batch) -> Tensor:
    """How often the largest logit is that of the label, times `ONE`."""
    dim, labels = class_dim(logits), batch.labels
    answered = logits.argmax(dim, keepdim=True)
    if labels.shape == logits.shape:
        return (labels.gather(dim, answered).float() * ONE).round().long().sum()
    right = (labels.unsqueeze(dim) == answered).squeeze(dim)
    return (right & _labelled(batch)).sum() * ONE


def _labelled(batch: Batch) -> Tensor:
    """Which positions count."""
    logits, labels = batch.student_logits, batch.labels
    if labels.shape == logits.shape:
        return torch.ones_like(labels.select(class_dim(logits), 0), dtype=torch.bool)
    return labels.long() != batch.ignore_index
