"""A teacher that is louder on the label where it is surer of it."""

from __future__ import annotations

from typing import final

from tfkd.teachers.base import Answer, Batch, Teacher, answer_of, replaced
from tfkd.teachers.draws import check_no_draws
from tfkd.teachers.gaps import class_indices, logits_of
from tfkd.teachers.logits import class_dim


@final
class NormalizedTeacher(Teacher):
    """Answers as another teacher does, and weighs the label of each sample by 1 + t_y.

    t_y is what the other gives the true class at temperature 1, whatever that of the loss. With
    the divergence among the wrong classes alone it is normalised KD.

    Labels are class indices; of a mixture no class is the true one, and probabilities are refused.
    (The official code takes the largest of them for the true class.)

    Args:
        teacher: who is asked.

    Raises:
        ValueError: for a teacher cache of draws; when a batch comes with labels that are
            probabilities.

    Source: Yang et al., 2023, arXiv 2303.13005.

    Example:
        >>> import torch, tfkd
        >>> teacher = tfkd.NormalizedTeacher(tfkd.VirtualTeacher(0.75))
        >>> answer = teacher(tfkd.Batch(torch.zeros(1, 4), torch.tensor([2])))
        >>> round(answer.label_share.item(), 4)
        1.75
    """

    def __init__(self, teacher: Teacher) -> None:
        super().__init__()
        self.teacher = teacher
        check_no_draws(self, "a NormalizedTeacher")

    def forward(self, batch: Batch) -> Answer:
        """Return the other teacher's answer, with a share of each label."""
        if batch.labels.is_floating_point():
            raise ValueError(
                "Expected `labels` that are class indices, of which the teacher has an opinion, "
                "got probabilities: of a mixture no class is the true one. Train without mixup "
                "and cutmix."
            )
        answer = answer_of(self.teacher(batch))
        dim = class_dim(batch.student_logits)
        log_t = logits_of(answer, batch).log_softmax(dim)
        of_true = log_t.gather(dim, class_indices(batch).unsqueeze(dim)).squeeze(dim).exp()
        return replaced(answer, label_share=answer.label_share * (1.0 + of_true))

    @property
    def is_silent(self) -> bool:
        """Whether the other teacher is."""
        return self.teacher.is_silent

    @property
    def usual_label_share(self) -> None:
        """None: 1 + t_y depends on the sample."""
        return None
