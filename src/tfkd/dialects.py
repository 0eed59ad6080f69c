"""How others write the same loss, translated into this one.

Each function takes the numbers as its source writes them and returns the `DistillationLoss` that
is equal to it, value and gradient (up to a constant where said), with alpha and scale normalised.
`tfkd.explain` shows the result.
"""

from __future__ import annotations

import math

from torch import nn
from typing_extensions import Unpack  # torch depends on it

from tfkd._checks import check_fraction, check_num_classes, check_positive
from tfkd.loss import DistillationLoss
from tfkd.loss.told import SamplesPerEpoch
from tfkd.methods.options import ReductionOptions, as_teacher, checks_options
from tfkd.teachers import OnlineTeacher, Teacher, UniformTeacher, VirtualTeacher


@checks_options
def released_kd(
    model: nn.Module | Teacher,
    *,
    alpha: float,
    temperature: float,
    num_classes: int,
    multiplier: float = 1.0,
    **options: Unpack[ReductionOptions],
) -> DistillationLoss:
    """Normal KD and Tf-KD_self of the code released with the Tf-KD paper.

        (1 − α) · CE  +  α · T² · multiplier · KLDivLoss(reduction="mean")

    whose `"mean"` divides the divergence by the number of classes too.

    Args:
        model: the teacher's network, of which a frozen copy is kept; or a `Teacher`, such as
            `CachedTeacher`.
        alpha: their α, in [0, 1].
        temperature: their T, positive.
        num_classes: K, at least 2.
        multiplier: their factor on the teacher term: absent (1) from normal KD, 1 to 100 in
            Tf-KD_self.
        **options: `weight`, `ignore_index`, `class_dim`, `reduction` of `DistillationLoss`.

    Source: github.com/yuanli2333/Teacher-free-Knowledge-Distillation at d000ab3.

    Example:
        >>> import torch, tfkd
        >>> released = tfkd.released_kd(
        ...     torch.nn.Linear(4, 100), alpha=0.95, temperature=20.0, num_classes=100
        ... )
        >>> round(released.alpha, 4), round(released.scale, 4)
        (0.1597, 0.0595)
    """
    kept, taught = _released_weights(alpha, num_classes, multiplier)
    return _normalised(as_teacher(model), kept, taught, temperature, options)


@checks_options
def released_tf_kd_reg(
    *,
    alpha: float,
    temperature: float,
    num_classes: int,
    multiplier: float = 1.0,
    confidence: float = 0.99,
    **options: Unpack[ReductionOptions],
) -> DistillationLoss:
    """Tf-KD_reg of the code released with the Tf-KD paper.

    It softens the designed teacher's *probabilities*, softmax(p^d / T), leaves the student
    untempered and has no T²: label smoothing, times a loss scale.

    Args:
        alpha: their α, in [0, 1].
        temperature: their T, of the teacher's probabilities alone, positive.
        num_classes: K, at least 2.
        multiplier: their factor on the teacher term, 1 to 100.
        confidence: their a, in [1/K, 1].
        **options: `weight`, `ignore_index`, `class_dim`, `reduction` of `DistillationLoss`.

    Source: github.com/yuanli2333/Teacher-free-Knowledge-Distillation at d000ab3.

    Example:
        >>> import tfkd
        >>> released = tfkd.released_tf_kd_reg(alpha=0.95, temperature=40.0, num_classes=100)
        >>> print(round(tfkd.explain(released, 100).equivalent_label_smoothing, 4))
        0.1596
    """
    kept, taught = _released_weights(alpha, num_classes, multiplier)
    check_positive("temperature", temperature)
    VirtualTeacher(confidence=confidence).gap(num_classes)  # the range of their confidence
    others = num_classes - 1
    gap = (confidence - (1.0 - confidence) / others) / temperature
    softened = 1.0 / (1.0 + others * math.exp(-gap))
    return _normalised(VirtualTeacher(confidence=softened), kept, taught, 1.0, options)


@checks_options
def released_label_smoothing(
    *, num_classes: int, alpha: float = 0.1, **options: Unpack[ReductionOptions]
) -> DistillationLoss:
    """Label smoothing of the code released with the Tf-KD paper.

    It shares α among the K − 1 wrong classes, where label smoothing shares it among all K:
    α·K/(K − 1) in the usual terms. Without `weight`, equal up to a constant, α·K/(K − 1)·log K.
    With `weight` the teacher term is weighed by the label of the sample, Σ_k q_k·w_k, where
    torch's label smoothing weighs the smoothed target class by class: see `label_smoothing`.

    Args:
        num_classes: K, at least 2.
        alpha: their α, in [0, (K−1)/K].
        **options: `weight`, `ignore_index`, `class_dim`, `reduction` of `DistillationLoss`.

    Source: github.com/yuanli2333/Teacher-free-Knowledge-Distillation at d000ab3.

    Example:
        >>> import tfkd
        >>> round(tfkd.released_label_smoothing(num_classes=100).alpha, 4)
        0.101
    """
    check_num_classes(num_classes)
    limit = (num_classes - 1) / num_classes
    if not check_fraction("alpha", alpha) <= limit:
        raise ValueError(f"Expected `alpha` in [0, (K-1)/K] = [0, {limit:g}], got {alpha}.")
    return DistillationLoss(UniformTeacher(), alpha=min(alpha / limit, 1.0), **options)


@checks_options
def released_online_label_smoothing(
    *,
    num_classes: int,
    samples_per_epoch: SamplesPerEpoch = None,
    alpha: float = 0.5,
    **options: Unpack[ReductionOptions],
) -> DistillationLoss:
    """Online label smoothing as its released code has it for fine-grained data.

    Both terms have the weight 1, the loss scale being 2 in the usual terms. And the soft labels of
    a class stay as they are once one of them has come to 0.88, until no sample of it is right.

    Args:
        num_classes: K, at least 2.
        samples_per_epoch: as of `online_label_smoothing`.
        alpha: the teacher's part of both weights, in [0, 1]; 0.5 with them, which they cannot set.
        **options: `weight`, `ignore_index`, `class_dim`, `reduction` of `DistillationLoss`.

    Source: github.com/zhangchbin/OnlineLabelSmoothing at 7eaf70c, fine-grained.

    Example:
        >>> import tfkd
        >>> released = tfkd.released_online_label_smoothing(
        ...     num_classes=200, samples_per_epoch=5994
        ... )
        >>> released.alpha, released.scale, released.teacher
        (0.5, 2.0, OnlineTeacher(num_classes=200, freeze_at=0.88))
    """
    return DistillationLoss(
        OnlineTeacher(num_classes, freeze_at=0.88),
        alpha=alpha,
        scale=2.0,
        samples_per_epoch=samples_per_epoch,
        **options,
    )


@checks_options
def paper_kd(
    model: nn.Module | Teacher,
    *,
    alpha: float,
    temperature: float,
    **options: Unpack[ReductionOptions],
) -> DistillationLoss:
    """KD and Tf-KD_self exactly as printed: the divergence at τ, without the factor τ².

    Args:
        model: the teacher's network, of which a frozen copy is kept; or a `Teacher`, such as
            `CachedTeacher`.
        alpha: the paper's α, in [0, 1].
        temperature: τ, positive.
        **options: `weight`, `ignore_index`, `class_dim`, `reduction` of `DistillationLoss`.

    Source: Yuan et al., 2020, arXiv 1909.11723, eqs. 4 and 7.

    Example:
        >>> import torch, tfkd
        >>> printed = tfkd.paper_kd(torch.nn.Linear(4, 3), alpha=0.5, temperature=2.0)
        >>> printed.alpha, printed.scale
        (0.2, 0.625)
    """
    return _printed(as_teacher(model), alpha, temperature, options)


@checks_options
def paper_tf_kd_reg(
    *,
    alpha: float,
    temperature: float,
    confidence: float = 0.99,
    **options: Unpack[ReductionOptions],
) -> DistillationLoss:
    """Tf-KD_reg exactly as printed: the divergence at τ, without the factor τ².

    Args:
        alpha: the paper's α, in [0, 1].
        temperature: τ, positive; the paper's 20.
        confidence: the paper's a, in [1/K, 1].
        **options: `weight`, `ignore_index`, `class_dim`, `reduction` of `DistillationLoss`.

    Source: Yuan et al., 2020, arXiv 1909.11723, eq. 9.

    Example:
        >>> import tfkd
        >>> printed = tfkd.paper_tf_kd_reg(alpha=0.1, temperature=20.0)
        >>> round(printed.alpha, 5), round(printed.scale, 5)
        (0.00028, 0.90025)
    """
    return _printed(VirtualTeacher(confidence=confidence), alpha, temperature, options)


def _released_weights(alpha: float, num_classes: int, multiplier: float) -> tuple[float, float]:
    """Weights of the label term and of the teacher term per sample, 1 − α and α·m/K."""
    check_fraction("alpha", alpha)
    check_num_classes(num_classes)
    check_positive("multiplier", multiplier)
    return 1.0 - alpha, alpha * multiplier / num_classes


def _printed(
    teacher: Teacher, alpha: float, temperature: float, options: ReductionOptions
) -> DistillationLoss:
    check_fraction("alpha", alpha)
    check_positive("temperature", temperature)
    return _normalised(teacher, 1.0 - alpha, alpha / temperature**2, temperature, options)


def _normalised(
    teacher: Teacher, kept: float, taught: float, temperature: float, options: ReductionOptions
) -> DistillationLoss:
    """The loss whose label and teacher terms have the given weights, τ² not counted."""
    total = kept + taught
    return DistillationLoss(
        teacher, alpha=taught / total, temperature=temperature, scale=total, **options
    )
