"""Taught by a weaker network, for as long as the student is weaker still."""

from __future__ import annotations

from torch import nn
from typing_extensions import Unpack  # torch depends on it

from tfkd.loss import DistillationLoss
from tfkd.loss.told import SamplesPerEpoch
from tfkd.methods.options import LossOptions, as_teacher, checks_options
from tfkd.teachers import Teacher, UntilPassedTeacher


@checks_options
def weak_to_strong_kd(
    model: nn.Module | Teacher,
    *,
    alpha: float = 0.1,
    temperature: float = 1.0,
    samples_per_epoch: SamplesPerEpoch = None,
    **options: Unpack[LossOptions],
) -> DistillationLoss:
    """Reversed KD (Re-KD) with a switch-off: KD until the student has passed its teacher.

    After the first epoch in whose batches the student was right at least as often as the teacher,
    the loss is cross-entropy with the labels, and the teacher is no more asked. See
    `UntilPassedTeacher` for what is counted. A number of epochs fixed beforehand in place of that
    is `knowledge_distillation` with `alpha=tfkd.loss.schedules.Until(value=0.1, epochs=30)`.

    Args:
        model: the trained network, of which a frozen copy is kept; or a `Teacher`. Meant is one
            that is weaker than the student will be.
        alpha: weight of the teacher term until then, in [0, 1]. Its default and that of
            `temperature` are those of `knowledge_distillation`, so that the switch alone is what
            differs from Re-KD; the source's own numbers are not known to us.
        temperature: τ, positive.
        samples_per_epoch: by which epochs are counted, as of `DistillationLoss`.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction` of
            `DistillationLoss`.

    Source: after Li et al., 2026, arXiv 2604.15451, as its abstract says it; the loss is that of
    Yuan et al., 2020, arXiv 1909.11723, section 3.

    Example:
        >>> import torch, tfkd
        >>> criterion = tfkd.weak_to_strong_kd(torch.nn.Identity(), samples_per_epoch=2)
        >>> logits, labels = torch.eye(2, requires_grad=True), torch.tensor([0, 1])
        >>> for _ in range(2):
        ...     round(criterion(logits, labels, -torch.eye(2)).item(), 4)
        0.3281
        0.3133
    """
    return DistillationLoss(
        UntilPassedTeacher(as_teacher(model)),
        alpha=alpha,
        temperature=temperature,
        samples_per_epoch=samples_per_epoch,
        **options,
    )
