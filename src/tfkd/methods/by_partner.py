"""The methods whose teacher is the student, at other images or at another time."""

from __future__ import annotations

from torch import nn
from typing_extensions import Unpack  # torch depends on it

from tfkd._checks import check_at_least_0
from tfkd.loss import DistillationLoss
from tfkd.loss.schedules import Times
from tfkd.loss.told import Setting
from tfkd.methods import options as of_methods
from tfkd.methods.options import AddedOptions, checks_options
from tfkd.teachers import LastBatchTeacher, StudentTeacher, Teacher


@checks_options
def cs_kd(
    student: nn.Module | Teacher,
    *,
    temperature: float = 4.0,
    added: Setting = 1.0,
    scale: float = 1.0,
    **options: Unpack[AddedOptions],
) -> DistillationLoss:
    """Class-wise self-knowledge distillation (CS-KD): taught by itself about another image.

        L = CE(labels, student)  +  λ · τ² · KL(student of the partner ‖ student)

    The partner is a random image of the same class, possibly the same one; it is the third argument
    of the loss, and `tfkd.data.PairSampler` draws it:

        for images, labels in loader:  # batches of [samples; partners]
            images, partners = images.chunk(2)
            labels = labels.chunk(2)[0]
            loss = criterion(model(images), labels, partners)

    Args:
        student: the network that is trained, which is asked in the mode that it is in; the partners
            then move the running averages of its batch norm, as officially. For the other way,
            `StudentTeacher(student, moving_norms=False)`.
        temperature: τ, positive; the source's 4.
        added: λ, weight of the teacher term beside the whole cross-entropy, at least 0, or a
            function of `tfkd.loss.schedules.Progress`; the source's 1 for CIFAR-100
            and Tiny-ImageNet, and 3 for fine-grained data.
        scale: factor on all of it, positive.
        **options: `weight`, `ignore_index`, `class_dim`, `reduction` of `DistillationLoss`; its
            `samples_per_epoch`, where `added` follows epochs.

    Source: Yun et al., 2020, arXiv 2003.13964; alinlab/cs-kd at b447f25.

    Example:
        >>> import torch, tfkd
        >>> student = torch.nn.Linear(2, 2)
        >>> criterion = tfkd.cs_kd(student)
        >>> criterion.alpha, criterion.temperature, criterion.scale
        (0.5, 4.0, 2.0)
    """
    teacher = student if isinstance(student, Teacher) else StudentTeacher(student)
    weights = of_methods.added(added, scale)
    return DistillationLoss(teacher, temperature=temperature, **weights, **options)


@checks_options
def dlb(
    *,
    temperature: float = 3.0,
    added: Setting = 1.0,
    scale: float = 1.0,
    **options: Unpack[AddedOptions],
) -> DistillationLoss:
    """Self-distillation from the last mini-batch (DLB): taught by what it said a step ago.

        L = CE(labels, student) of both batches  +  λ · τ² · KL(student a step ago ‖ student)

    the mean of the first over all rows, the second over those of the last batch, which is shown
    once more, in another view. How a loop shows it, and what it costs: see `LastBatchTeacher`.

    Args:
        temperature: τ, positive. The source's script asks for it and has no default; 3 is recalled
            from the paper, and not verified.
        added: λ, weight of the teacher term beside the whole cross-entropy, at least 0, or a
            function of `tfkd.loss.schedules.Progress`. The source's script asks for it, as `alpha`,
            and has no default; 1 is recalled from the paper, and not verified.
        scale: factor on all of it, positive.
        **options: `weight`, `ignore_index`, `class_dim`, `reduction` of `DistillationLoss`; its
            `samples_per_epoch`, where `added` follows epochs, of which each row is one sample.

    Source: Shen et al., 2022, arXiv 2203.16172; Meta-knowledge-Lab/DLB at 8949a46.

    Example:
        >>> import tfkd
        >>> criterion = tfkd.dlb()
        >>> round(criterion.alpha, 4), criterion.temperature, criterion.scale
        (0.6667, 3.0, 3.0)
    """
    # Twice, since half of the rows are of the last batch.
    twice = Times(added, 2.0) if callable(added) else 2.0 * check_at_least_0("added", added)
    weights = of_methods.added(twice, scale)
    return DistillationLoss(LastBatchTeacher(), temperature=temperature, **weights, **options)
