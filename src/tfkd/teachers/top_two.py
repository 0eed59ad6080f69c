"""A teacher that names two classes and prefers neither."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from tfkd.teachers.base import Answer, Batch, Teacher, answer_of, replaced
from tfkd.teachers.draws import check_no_draws
from tfkd.teachers.gaps import logits_or_gap
from tfkd.teachers.logits import at_least_float32, class_dim


@final
class TopTwoTeacher(Teacher):
    """Gives one half each to the two classes that another teacher finds most likely.

    Under noisy labels, one round with such a teacher is said to do what many rounds of
    self-distillation do. It is the same at every temperature.

    Of equal logits the first are taken. Another teacher that is certain of one class names that
    one alone. Gaps are refused: to them all wrong classes are alike, and none is the second.

    Args:
        teacher: who is asked; it answers with logits.

    Raises:
        TypeError: when a batch comes and the teacher answers with a gap.
        ValueError: for a teacher cache of draws.

    Source: Jeong and Chung, 2025, arXiv 2402.10482.

    Example:
        >>> import torch, tfkd
        >>> teacher = tfkd.TopTwoTeacher(tfkd.NetworkTeacher(torch.nn.Identity()))
        >>> logits = torch.tensor([[0.1, 3.0, -2.0, 0.5]])
        >>> teacher(tfkd.Batch(logits, torch.tensor([1]), inputs=logits)).logits.softmax(1)
        tensor([[0.0000, 0.5000, 0.0000, 0.5000]])
    """

    def __init__(self, teacher: Teacher) -> None:
        super().__init__()
        self.teacher = teacher
        check_no_draws(self, "a TopTwoTeacher")

    def forward(self, batch: Batch) -> Answer:
        """Return logits of 0 for two classes and of minus infinity for all others."""
        answer = answer_of(self.teacher(batch))
        said = logits_or_gap(answer, batch)
        if not isinstance(said, Tensor) or said.shape != batch.student_logits.shape:
            raise TypeError(
                "Expected a teacher that answers with logits of the shape of `student_logits`, of "
                f"which two are the largest, got a gap from {type(self.teacher).__name__}."
            )
        said, dim = at_least_float32(said), class_dim(said)
        nothing = torch.full_like(said, -math.inf)
        first = said.argmax(dim, keepdim=True)  # of equal ones the first, as topk does not promise
        rest = said.scatter(dim, first, -math.inf)
        largest, second = rest.max(dim, keepdim=True)
        second = torch.where(largest > -math.inf, second, first)
        named = nothing.scatter(dim, first, 0.0).scatter(dim, second, 0.0)
        return replaced(answer, logits=named)

    @property
    def is_silent(self) -> bool:
        """Whether the other teacher is."""
        return self.teacher.is_silent
