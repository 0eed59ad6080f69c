"""A teacher softened by a temperature of its own."""

from __future__ import annotations

import math
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from tfkd._checks import check_positive
from tfkd.teachers.base import Answer, Batch, Teacher, answer_of
from tfkd.teachers.draws import check_no_draws
from tfkd.teachers.gaps import logits_or_gap
from tfkd.teachers.logits import at_least_float32, class_dim


@final
class TemperedTeacher(Teacher):
    """Answers with another teacher's logits, divided by a temperature that the student has not.

    Its probabilities are t^γ, normalised, where the other's are t and γ is one over the
    temperature. The temperature of the loss comes on top, on both sides.

    A gap is divided like logits; of labels that are probabilities it stays the mixture of what is
    said of each class. Half precision is answered in float32.

    Args:
        teacher: who is asked.
        temperature: of this teacher, positive.
        weighted: whether it speaks of each sample as loudly as Σ_k t_k^γ says, which is 1 where the
            other teacher is certain and K^(1 − γ) where it knows nothing; on top of its share.

    Raises:
        ValueError: for a temperature that is not positive, or a teacher cache of draws.

    Source: Zheng and Yang, 2024, arXiv 2402.11148: transformed teacher matching; weighted.

    Example:
        >>> import torch, tfkd
        >>> teacher = tfkd.TemperedTeacher(tfkd.VirtualTeacher(0.9), temperature=4.0)
        >>> teacher.gap(num_classes=10) == tfkd.VirtualTeacher(0.9).gap(num_classes=10) / 4.0
        True
        >>> teacher = tfkd.TemperedTeacher(tfkd.UniformTeacher(), temperature=4.0, weighted=True)
        >>> batch = tfkd.Batch(torch.zeros(1, 16), torch.tensor([0]))
        >>> teacher(batch).share.item()
        8.0
    """

    def __init__(self, teacher: Teacher, temperature: float, *, weighted: bool = False) -> None:
        super().__init__()
        self.teacher = teacher
        check_no_draws(self, "a TemperedTeacher")
        self.temperature = check_positive("temperature", temperature)
        self.weighted = weighted

    def forward(self, batch: Batch) -> Answer:
        """Return the other teacher's answer, tempered."""
        answer = answer_of(self.teacher(batch))
        said, share = logits_or_gap(answer, batch), answer.share
        said = at_least_float32(said) if isinstance(said, Tensor) else said
        if self.weighted:
            share = share * self._loudness(said, batch.student_logits)
        return Answer(said / self.temperature, share, answer.label_share)

    def _loudness(self, said: Tensor | float, student_logits: Tensor) -> Tensor:
        """Σ_k t_k^γ of each sample."""
        dim = class_dim(student_logits)
        if isinstance(said, Tensor) and said.shape == student_logits.shape:
            tempered, plain = (said / self.temperature).logsumexp(dim), said.logsumexp(dim)
        else:  # as of the logits 0 of the true class and −gap of all others, whichever is true
            like = at_least_float32(student_logits)
            gap = torch.as_tensor(said, dtype=like.dtype, device=like.device)
            others = math.log(student_logits.shape[dim] - 1)
            tempered, plain = F.softplus(others - gap / self.temperature), F.softplus(others - gap)
        return (tempered - plain / self.temperature).exp()

    @property
    def is_silent(self) -> bool:
        """Whether the other teacher is."""
        return self.teacher.is_silent

    @property
    def usual_share(self) -> float | None:
        """That of the other teacher, or None where samples are weighed."""
        return None if self.weighted else super().usual_share

    def gap(self, num_classes: int) -> float | None:
        """Return the other's gap over the temperature, unless samples are weighed."""
        gap = self.teacher.gap(num_classes)
        return None if gap is None or self.weighted else gap / self.temperature

    def extra_repr(self) -> str:
        """Return the settings for `repr`."""
        return f"temperature={self.temperature:g}, weighted={self.weighted}"
