"""The one loss of several labels at once: function first, then the module."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tfkd.loss import terms
from tfkd.loss.binary.checks import (
    check_label_ignored,
    check_values_of_weight,
    check_weight_of_labels,
    checked_labels,
)
from tfkd.loss.binary.outcomes import (
    answer_of_outcomes,
    both_probabilities,
    check_speaks_of_each_label,
    outcomes_of,
    two_outcomes,
)
from tfkd.loss.checks import CHECKED, check_answer, check_settings, check_teacher_logits
from tfkd.loss.equation import loss_by_equation
from tfkd.loss.taught import TaughtCriterion
from tfkd.loss.terms import LossSettings, is_number
from tfkd.loss.told import SamplesPerEpoch, Setting
from tfkd.teachers.base import Answer, Batch, Teacher, check_is_teacher, replaced
from tfkd.teachers.gaps import logits_of


def binary_distillation_loss(
    student_logits: Tensor,
    labels: Tensor,
    teacher_logits: Tensor | float,
    *,
    alpha: float,
    temperature: float = 1.0,
    scale: float = 1.0,
    weight: Tensor | None = None,
    pos_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    r"""Binary cross-entropy and divergence from a teacher, for labels that may hold together.

        L = s · [ (1 − α) · BCE(q, σ(z))  +  α · τ² · KL(Bern(σ(t/τ)) ‖ Bern(σ(z/τ))) ]

    of each label by itself, with z the student's logit and t the teacher's, q the label, σ the
    sigmoid. A Bernoulli of the logit z is a softmax over (z, 0): it is `distillation_loss` at two
    classes, present and absent.

    Args:
        student_logits: of any shape, one for each label: `(N, C)` for C labels of each sample,
            `(N,)` for one, `(N, C, d1, ...)` of each pixel.
        labels: the same shape, in [0, 1]: 1 is present, 0 absent, what lies between a soft label.
            Floating point, or bool or integers of 0 and 1, which torch's own loss refuses.
        teacher_logits: the same shape; infinite where the teacher is certain. Or a number, the gap
            of a teacher whose logit of what is true, present or absent, is that much higher than
            that of what is not: at least 0, which knows nothing. For soft labels the teacher is
            their mixture. The teacher is a constant: no gradient reaches it.
        alpha: weight α of the teacher term, in [0, 1]. 0 is
            `torch.nn.functional.binary_cross_entropy_with_logits`.
        temperature: τ, positive.
        scale: loss scale s, positive.
        weight: of each label; any shape that is broadcast to that of `student_logits`, `(C,)` for
            one a column.
        pos_weight: of what is present, alike: the label term is torch's. The teacher term of a
            label is weighed by q·pos_weight + (1 − q), times `weight`, so a weight never changes
            what is taught.
        ignore_index: a label of this value counts in neither term, nor in the mean: nobody knows
            whether it is there.
        reduction: `"mean"` over the labels that count, as torch's: not over samples, and not
            divided by weights; `"sum"` or `"none"`.

    Returns:
        A scalar, or for `"none"` one value for each label. Logits of half precision are computed
        and answered in float32, unless `alpha` is 0.

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, range or device. Labels outside of [0, 1], and weights
            below 0 or not finite, are seen on the CPU alone.

    Example:
        >>> import torch, tfkd
        >>> student = torch.tensor([[2.0, -1.0, 0.5]])
        >>> labels = torch.tensor([[1.0, 0.0, -100.0]])  # of the third nobody knows
        >>> teacher = torch.tensor([[3.0, -3.0, 1.0]])
        >>> loss = tfkd.binary_distillation_loss(
        ...     student, labels, teacher, alpha=0.5, temperature=2.0
        ... )
        >>> round(loss.item(), 4)
        0.2209

    Source: Hinton et al., 2015, arXiv 1503.02531, for two classes.
    """
    check_settings(alpha, temperature, scale, reduction)
    labels = checked_labels(student_logits, labels, weight, pos_weight, ignore_index)
    for name, of_labels in (("weight", weight), ("pos_weight", pos_weight)):
        if of_labels is not None:
            check_values_of_weight(name, of_labels)
    settings = LossSettings(alpha, temperature, scale, ignore_index, reduction)
    answer = outcomes_of(Answer(teacher_logits), student_logits)
    if not isinstance(answer.logits, Tensor):
        check_teacher_logits(student_logits, answer.logits)
    return _loss(student_logits, labels, answer, weight, pos_weight, settings)


def _loss(
    z: Tensor,
    labels: Tensor,
    answer: Answer,
    weight: Tensor | None,
    pos_weight: Tensor | None,
    settings: LossSettings,
) -> Tensor:
    """The loss of checked logits and labels, and of an answer of two outcomes."""
    counts = labels != settings.ignore_index
    # Where nothing counts, nothing that is there may reach the gradient, NaN neither.
    z, q = torch.where(counts, z, 0.0), torch.where(counts, labels, 0.0)
    if is_number(settings.alpha, 0.0) and not settings.falls_to_0:
        loss = F.binary_cross_entropy_with_logits(
            z, q, weight, pos_weight=pos_weight, reduction="none"
        )
        loss = terms.times(terms.constant(settings.scale, loss), loss)
    else:
        z, q, weight = terms.in_one_precision(z, q, weight)
        loss = _by_two_outcomes(z, q, answer, weight, pos_weight, settings)
    loss = torch.where(counts, loss, 0.0)
    if settings.reduction == "none":
        return loss
    # In float16 a sum has no room.
    total = loss.sum(dtype=torch.promote_types(loss.dtype, torch.float32))
    return (total if settings.reduction == "sum" else total / counts.sum()).to(loss.dtype)


def _by_two_outcomes(
    z: Tensor,
    q: Tensor,
    answer: Answer,
    weight: Tensor | None,
    pos_weight: Tensor | None,
    settings: LossSettings,
) -> Tensor:
    """The loss of each label by the equation at two classes, present and absent.

    Its labels are (w·pos_weight·q, w·(1 − q)), which are probabilities only where nothing is
    weighed; what they add up to is the share of the teacher term, whose target stays as it is.
    """
    logits, outcomes = two_outcomes(z), both_probabilities(q)
    check_answer(logits, outcomes, answer, settings)
    if not isinstance(answer.logits, Tensor):
        of_labels = Batch(logits, outcomes, temperature=settings.temperature)
        answer = replaced(answer, logits=logits_of(answer, of_labels))
    dim = terms.class_dim(outcomes)
    if pos_weight is not None:
        present, absent = outcomes.unbind(dim)
        outcomes = torch.stack([present * pos_weight.to(q.dtype), absent], dim)
    if weight is not None:
        outcomes = outcomes * weight.expand_as(q).unsqueeze(dim)
    if weight is not None or pos_weight is not None:
        answer = replaced(answer, share=terms.times(answer.share, outcomes.sum(dim)))
    answer = terms.without_ignored(answer, outcomes, logits, settings.ignore_index)
    return loss_by_equation(logits, outcomes, answer, None, replaced(settings, reduction="none"))


class BinaryDistillationLoss(TaughtCriterion):
    """`binary_distillation_loss` with a teacher; a drop-in for `torch.nn.BCEWithLogitsLoss`.

    For samples that have several labels at once, or one that is there or not. It is called, told of
    steps and epochs, saved and resumed as `DistillationLoss` is.

    Args:
        teacher: answers each batch: `UniformTeacher`, `VirtualTeacher`, whose `confidence` is the
            probability of what is true, present or absent, and so at least one half;
            `NetworkTeacher`, `CachedTeacher` of the form float32, `MeanTeacher`, whose logits are
            of the student's shape; `EnsembleTeacher` of such; or your own `Teacher`, which is shown
            logits and labels as they are and answers with logits of the same shape. Teachers of the
            one true class are refused. It is not asked when `alpha` is 0.
        alpha: weight of the teacher term, in [0, 1]; or, as the two that follow, a function of
            progress, as in `DistillationLoss`.
        temperature: τ, positive.
        scale: loss scale, positive.
        samples_per_epoch: as in `DistillationLoss`.
        weight: of each label; any shape that is broadcast to that of the logits; a buffer.
        pos_weight: of what is present, alike.
        ignore_index: a label of this value does not count.
        reduction: `"mean"` over the labels that count, `"sum"` or `"none"`.

    Shape:
        Called as `criterion(student_logits, labels, inputs=None, indices=None, view=None,
        num_items_in_batch=None)`, with shapes as in `binary_distillation_loss`; by name also as
        torch's, `criterion(input=student_logits, target=labels)`. The items of
        `num_items_in_batch` are labels that count.

    Raises:
        TypeError: for a wrong type, or a teacher of classes that exclude one another; also when a
            teacher needs `inputs` and gets none.
        ValueError: for a wrong range or shape; without `samples_per_epoch` where it is needed.
        RuntimeError: as `DistillationLoss`.

    Example:
        >>> import torch, tfkd
        >>> criterion = tfkd.BinaryDistillationLoss(
        ...     tfkd.VirtualTeacher(confidence=0.9), alpha=0.5, temperature=2.0
        ... )
        >>> logits, labels = torch.tensor([[4.0, 0.0, -4.0]]), torch.tensor([[1.0, 0.0, 0.0]])
        >>> round(criterion(logits, labels).item(), 4)
        0.2949
    """

    pos_weight: Tensor | None

    def __init__(
        self,
        teacher: Teacher,
        *,
        alpha: Setting,
        temperature: Setting = 1.0,
        scale: Setting = 1.0,
        samples_per_epoch: SamplesPerEpoch = None,
        weight: Tensor | None = None,
        pos_weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> None:
        super().__init__(
            teacher,
            alpha=alpha,
            temperature=temperature,
            scale=scale,
            samples_per_epoch=samples_per_epoch,
            weight=weight,
            ignore_index=ignore_index,
            reduction=reduction,
        )
        if pos_weight is not None:
            self._check_weight("pos_weight", pos_weight)
        self.register_buffer("pos_weight", pos_weight)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "teacher":
            check_is_teacher(value)
            check_speaks_of_each_label(value)
        elif name == "ignore_index":
            check_label_ignored(value)
        elif name == "pos_weight" and value is not None:
            self._check_weight(name, value)
        super().__setattr__(name, value)

    def _check_weight(self, name: str, weight: Tensor) -> None:
        check_weight_of_labels(name, weight)
        check_values_of_weight(name, weight)

    def _checked_labels(self, student_logits: Tensor, labels: Tensor) -> Tensor:
        return checked_labels(
            student_logits, labels, self.weight, self.pos_weight, self.ignore_index
        )

    def _answer(self, batch: Batch) -> Answer:
        return answer_of_outcomes(self.teacher, batch)

    def _formula(self, batch: Batch, answer: Answer, settings: LossSettings) -> Tensor:
        return _loss(
            batch.student_logits, batch.labels, answer, self.weight, self.pos_weight, settings
        )

    def extra_repr(self) -> str:
        """Return the settings for `repr`."""
        said = [f"{name}={self._said(name)}" for name in CHECKED]
        return ", ".join(said + self._said_of_reduction())
