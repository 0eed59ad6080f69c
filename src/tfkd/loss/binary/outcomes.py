"""A logit as the logits of two outcomes, and teachers asked about both."""

from __future__ import annotations

import torch
from torch import Tensor

from tfkd.teachers import (
    BetaTeacher,
    CachedTeacher,
    ClassTeacher,
    EnsembleTeacher,
    LastBatchTeacher,
    NormalizedTeacher,
    OnlineTeacher,
    PreviousTeacher,
    StudentTeacher,
    Teacher,
    TemperedTeacher,
    TopTwoTeacher,
    UntilPassedTeacher,
    ZipfTeacher,
)
from tfkd.teachers.base import Answer, Batch, answer_of, replaced, taught_by
from tfkd.teachers.few_logits import FewLogits

BY_THE_TRUE_CLASS: dict[type[Teacher], str] = {
    BetaTeacher: "is more confident where the one true class is easy",
    ClassTeacher: "has a row for the one true class",
    LastBatchTeacher: "speaks of whole samples, not of each of their labels",
    NormalizedTeacher: "weighs a label by what it gives the one true class",
    OnlineTeacher: "learns a row for each class that is the true one",
    PreviousTeacher: "remembers probabilities that sum to 1 over the classes",
    StudentTeacher: "looks at another image of the one true class",
    TemperedTeacher: "softens probabilities that sum to 1 over the classes",
    TopTwoTeacher: "ranks the classes of a sample",
    UntilPassedTeacher: "counts how often the largest logit is that of the one true class",
    ZipfTeacher: "ranks the classes of a sample",
}
"""Teachers whose answers mean nothing where a sample has several labels, and why."""


def two_outcomes(logits: Tensor) -> Tensor:
    """Return the logits of present and absent, whose softmax is (σ(z), σ(−z)), behind the first.

    They are (z, 0) less the larger of the two, exact, and right for infinite z. Where z is 0 each
    takes half of the slope.
    """
    zero = torch.zeros_like(logits)
    return _both(torch.minimum(logits, zero), torch.minimum(-logits, zero))


def both_probabilities(labels: Tensor) -> Tensor:
    """Return the probabilities (q, 1 − q) of present and absent."""
    return _both(labels, 1.0 - labels)


def _both(present: Tensor, absent: Tensor) -> Tensor:
    return torch.stack([present, absent], min(present.dim(), 1))


def answer_of_outcomes(teacher: Teacher, batch: Batch) -> Answer:
    """Return what a teacher says of present and absent: logits of both, or one gap.

    Args:
        teacher: that `check_speaks_of_each_label` lets pass.
        batch: with a logit and a label for each.
    """
    if isinstance(teacher, EnsembleTeacher):
        answers = [answer_of_outcomes(each, batch) for each in teacher.speaking]
        return teacher.average_of(answers, _of_outcomes(batch))
    if teacher.gap(2) is not None:
        return answer_of(teacher(_of_outcomes(batch)))
    return outcomes_of(answer_of(teacher(batch)), batch.student_logits)


def _of_outcomes(batch: Batch) -> Batch:
    """A batch with present and absent as its classes."""
    labels = torch.where(batch.labels == batch.ignore_index, 0.0, batch.labels)
    logits = two_outcomes(batch.student_logits)
    return replaced(batch, student_logits=logits, labels=both_probabilities(labels))


def outcomes_of(answer: Answer, student_logits: Tensor) -> Answer:
    """Return an answer with the logits of present and absent in place of one logit for each label.

    Raises:
        TypeError: for few logits, or for integers.
        ValueError: for logits of another shape than the student's.
    """
    said = answer.logits
    if isinstance(said, FewLogits):
        raise TypeError(
            "Expected `teacher_logits` of every label, got few logits: of all others they say "
            "what a softmax over classes sees."
        )
    if not isinstance(said, Tensor):
        return answer
    if said.shape != student_logits.shape:
        raise ValueError(
            "Expected `teacher_logits` of the shape of `student_logits`, "
            f"{tuple(student_logits.shape)}, got {tuple(said.shape)}: do teacher and student have "
            "the same labels?"
        )
    if not said.is_floating_point():
        raise TypeError(f"Expected `teacher_logits` of a floating point dtype, got {said.dtype}.")
    if said.device != student_logits.device:
        raise ValueError(
            f"Expected `teacher_logits` on {student_logits.device}, where `student_logits` is, got "
            f"{said.device}."
        )
    return replaced(answer, logits=two_outcomes(said.detach()))


def check_speaks_of_each_label(teacher: Teacher) -> None:
    """Raise `TypeError` for a teacher of classes that exclude one another.

    Raises:
        ValueError: for a designed teacher whose confidence is below one half, or a cache that does
            not keep the logits themselves.
    """
    why = BY_THE_TRUE_CLASS.get(type(teacher))
    if why is not None:
        raise TypeError(
            "Expected a `teacher` that speaks of each label by itself, got "
            f"{type(teacher).__name__}, which {why}. Teachers of several labels are "
            "UniformTeacher, VirtualTeacher, NetworkTeacher, CachedTeacher, MeanTeacher, "
            "EnsembleTeacher and your own."
        )
    if isinstance(teacher, CachedTeacher) and teacher.form != "float32":
        raise ValueError(
            "Expected a CachedTeacher of the form float32, which keeps logits as they are, got "
            f"{teacher.form}: it keeps what a softmax over the classes sees of them."
        )
    by_gap = teacher.gap(2) is not None
    for inner in taught_by(teacher):
        check_speaks_of_each_label(inner)
        if isinstance(teacher, EnsembleTeacher) or by_gap:
            continue
        if isinstance(inner, EnsembleTeacher) or inner.gap(2) is not None:
            raise TypeError(
                f"Expected logits of the teacher within {type(teacher).__name__}, got "
                f"{type(inner).__name__}, which would count the labels as classes that exclude "
                "one another."
            )
