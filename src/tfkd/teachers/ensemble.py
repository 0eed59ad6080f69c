"""Several teachers as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, final

import torch
from torch import Tensor

from tfkd._checks import check_choice
from tfkd.teachers.base import Answer, Batch, Teacher, answer_of
from tfkd.teachers.draws import check_no_draws
from tfkd.teachers.gaps import logits_of
from tfkd.teachers.logits import class_dim


@final
class EnsembleTeacher(Teacher):
    """Answers with the average of several teachers.

        "probabilities"    t_τ = mean_m softmax(t_m / τ)
        "logits"           t_τ = softmax(mean_m t_m / τ)

    The mean of the divergences from several teachers is the divergence from the mean of their
    probabilities, each softened by the τ of the loss, up to a constant; not of their logits.

    Gaps of designed teachers are averaged as the logits that they stand for; of labels that are
    probabilities, those of the mixture, and of a sample without any label none, which is uniform.
    Teachers that are silent are left out. One that speaks of a sample more loudly counts so much
    more, and the average speaks as loudly as they do on average. Half precision is answered in
    float32.

    Args:
        teachers: at least one.
        average: of what.

    Raises:
        TypeError: for something else than teachers.
        ValueError: for none, for a teacher cache of draws whose logits would be averaged, or for
            teachers of different classes when a batch comes.

    Example:
        >>> import torch, tfkd
        >>> surest, blind = tfkd.VirtualTeacher(1.0), tfkd.UniformTeacher()
        >>> teacher = tfkd.EnsembleTeacher([surest, blind])
        >>> answer = teacher(tfkd.Batch(torch.zeros(1, 4), torch.tensor([0])))
        >>> answer.logits.softmax(1)
        tensor([[0.6250, 0.1250, 0.1250, 0.1250]])
    """

    def __init__(
        self,
        teachers: Sequence[Teacher],
        average: Literal["probabilities", "logits"] = "probabilities",
    ) -> None:
        super().__init__()
        self.average = check_choice("average", average, ("probabilities", "logits"))
        if len(teachers) == 0:
            raise ValueError("Expected at least one of `teachers`, got none.")
        for number, teacher in enumerate(teachers):
            if not isinstance(teacher, Teacher):
                raise TypeError(
                    f"Expected `teachers` to be tfkd.Teachers, got {type(teacher).__name__}. "
                    "Wrap a network as `tfkd.NetworkTeacher(model)`."
                )
            self.add_module(str(number), teacher)
        if self.average == "logits":
            check_no_draws(self, "an EnsembleTeacher that averages logits")

    @property
    def teachers(self) -> list[Any]:
        """Those who are asked."""
        return list(self._modules.values())

    def forward(self, batch: Batch) -> Answer:
        """Return the average."""
        return self.average_of([answer_of(teacher(batch)) for teacher in self.speaking], batch)

    @property
    def speaking(self) -> list[Any]:
        """Those who are not silent, or all if all are."""
        return [each for each in self.teachers if not each.is_silent] or self.teachers

    def average_of(self, answers: Sequence[Answer], batch: Batch) -> Answer:
        """Return the average of what each of those who speak said of a batch."""
        logits = torch.stack([logits_of(answer, batch).detach() for answer in answers])
        dim, tau = 1 + class_dim(batch.student_logits), batch.temperature
        share = sum(answer.share for answer in answers) / len(answers)
        weights = _weights([answer.share for answer in answers], logits.select(dim, 0))
        weights = weights.unsqueeze(dim)
        if self.average == "logits":
            average = torch.where(weights > 0.0, weights * logits, 0.0).sum(0)
        else:
            average = tau * ((logits / tau).log_softmax(dim) + weights.log()).logsumexp(0)
        return Answer(average, share, sum(answer.label_share for answer in answers) / len(answers))

    @property
    def is_silent(self) -> bool:
        """Whether all of them are."""
        return all(teacher.is_silent for teacher in self.teachers)

    def extra_repr(self) -> str:
        """Return the settings for `repr`."""
        return f"average={self.average!r}"


def _weights(shares: Sequence[Tensor | float], like: Tensor) -> Tensor:
    """How much each teacher counts, `(M, n)`, of shares that are numbers or `(n,)`."""
    each = torch.stack(
        [
            share.to(like.dtype) if isinstance(share, Tensor) else torch.full_like(like[0], share)
            for share in shares
        ]
    )
    total = each.sum(0)
    return torch.where(total > 0.0, each / total, 1.0 / len(shares))
