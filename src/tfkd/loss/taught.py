"""A criterion with a teacher: how a batch is asked about, weighed and observed."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from tfkd.loss.terms import LossSettings, is_number
from tfkd.loss.told import SamplesPerEpoch, Setting, ToldCriterion
from tfkd.teachers.base import Answer, Batch, Teacher, check_is_teacher, replaced


class TaughtCriterion(ToldCriterion):
    """Asks its teacher and weighs the answer by alpha; what of, its subclasses say.

    Args:
        teacher: answers each batch. It is not asked when `alpha` is 0.
        alpha: weight of the teacher term.
        temperature: τ.
        scale: loss scale.
        samples_per_epoch: as of `DistillationLoss`.
        options: of `Criterion`.
    """

    decoupled: tuple[float, float] | None = None
    standardize: bool = False

    def __init__(
        self,
        teacher: Teacher,
        *,
        alpha: Setting,
        temperature: Setting,
        scale: Setting,
        samples_per_epoch: SamplesPerEpoch,
        **options: Any,
    ) -> None:
        check_is_teacher(teacher)
        numbers = {"alpha": alpha, "temperature": temperature, "scale": scale}
        super().__init__(teacher, numbers, samples_per_epoch, **options)

    def _loss_of(self, batch: Batch, reduction: str) -> Tensor:
        trained = self._is_trained_by(batch.student_logits)
        if trained:
            self.batch_begins(batch.student_logits)
        alpha, temperature, scale = self._now()
        if isinstance(temperature, Tensor) or temperature != batch.temperature:
            batch = replaced(batch, temperature=temperature)
        answer, falls_to_0 = Answer(0.0), "alpha" in self.schedules
        if self.teacher.is_silent and not is_number(alpha, 0.0):
            alpha, falls_to_0 = 0.0, True
        elif not is_number(alpha, 0.0):
            answer = self._answer(batch)
        settings = LossSettings(
            alpha,
            temperature,
            scale,
            self.ignore_index,
            reduction,
            self.decoupled,
            self.standardize,
            falls_to_0,
        )
        loss = self._formula(batch, answer, settings)
        if trained:
            self.batch_ended(batch)
        return loss

    def _answer(self, batch: Batch) -> Answer:
        """What the teacher says of a batch."""
        raise NotImplementedError

    def _formula(self, batch: Batch, answer: Answer, settings: LossSettings) -> Tensor:
        """The loss of a batch and of what the teacher says of it."""
        raise NotImplementedError
