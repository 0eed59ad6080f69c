"""The methods that the Tf-KD paper compares, for samples that have several labels at once."""

from __future__ import annotations

from typing import TypedDict

from torch import Tensor, nn
from typing_extensions import Unpack  # torch depends on it

from tfkd.loss import BinaryDistillationLoss
from tfkd.methods.options import as_teacher, checks_options
from tfkd.teachers import Teacher, UniformTeacher, VirtualTeacher


class BinaryOptions(TypedDict, total=False):
    """The options of `BinaryDistillationLoss` that every method passes on."""

    scale: float
    weight: Tensor | None
    pos_weight: Tensor | None
    ignore_index: int
    reduction: str


@checks_options
def binary_cross_entropy(
    weight: Tensor | None = None, /, **options: Unpack[BinaryOptions]
) -> BinaryDistillationLoss:
    """Plain binary cross-entropy with the labels: α = 0.

    Args:
        weight: of each label, which may stand first as in `torch.nn.BCEWithLogitsLoss`.
        **options: `scale`, `weight`, `pos_weight`, `ignore_index`, `reduction` of
            `BinaryDistillationLoss`.

    Example:
        >>> import torch, tfkd
        >>> logits, labels = torch.tensor([[1.0, -2.0]]), torch.tensor([[1.0, 0.0]])
        >>> round(tfkd.binary_cross_entropy()(logits, labels).item(), 4)
        0.2201
    """
    if weight is not None:
        if "weight" in options:
            raise TypeError("Expected `weight` once, got it first and by name.")
        options["weight"] = weight
    return BinaryDistillationLoss(UniformTeacher(), alpha=0.0, **options)


@checks_options
def binary_label_smoothing(
    alpha: float = 0.1, **options: Unpack[BinaryOptions]
) -> BinaryDistillationLoss:
    """Label smoothing of each label by itself: towards one half, at τ = 1.

    Without `pos_weight` it has the gradients of binary cross-entropy with the labels
    (1 − α)·q + α/2, and its value but for the constant α·log 2.

    Args:
        alpha: the smoothing ε, in [0, 1]. The default 0.1 is that of the source.
        **options: `scale`, `weight`, `pos_weight`, `ignore_index`, `reduction` of
            `BinaryDistillationLoss`.

    Source: Szegedy et al., 2016, arXiv 1512.00567, for two classes.

    Example:
        >>> import torch, tfkd
        >>> logits, labels = torch.tensor([[1.0, -2.0]]), torch.tensor([[1.0, 0.0]])
        >>> round(tfkd.binary_label_smoothing(alpha=0.1)(logits, labels).item(), 4)
        0.2258
    """
    return BinaryDistillationLoss(UniformTeacher(), alpha=alpha, **options)


@checks_options
def binary_tf_kd_reg(
    *,
    alpha: float = 0.1,
    temperature: float = 20.0,
    confidence: float = 0.99,
    **options: Unpack[BinaryOptions],
) -> BinaryDistillationLoss:
    """Tf-KD_reg of each label by itself: taught by one who is right with a fixed confidence.

    Args:
        alpha: weight of the teacher term, in [0, 1].
        temperature: τ, positive; with the factor τ², as in `tf_kd_reg`.
        confidence: probability that the teacher gives what is true, present or absent: from one
            half to 1.
        **options: `scale`, `weight`, `pos_weight`, `ignore_index`, `reduction` of
            `BinaryDistillationLoss`.

    Source: Yuan et al., 2020, arXiv 1909.11723, eq. 9, for two classes.

    Example:
        >>> import torch, tfkd
        >>> logits, labels = torch.tensor([[1.0, -2.0]]), torch.tensor([[1.0, 0.0]])
        >>> round(tfkd.binary_tf_kd_reg(alpha=0.5)(logits, labels).item(), 4)
        0.7195
    """
    return BinaryDistillationLoss(
        VirtualTeacher(confidence=confidence), alpha=alpha, temperature=temperature, **options
    )


@checks_options
def binary_tf_kd_self(
    model: nn.Module | Teacher,
    *,
    alpha: float = 0.1,
    temperature: float = 1.0,
    **options: Unpack[BinaryOptions],
) -> BinaryDistillationLoss:
    """Tf-KD_self of each label by itself: taught by a trained network like the student.

    Args:
        model: the trained network, of which a frozen copy is kept; or a `Teacher`, such as
            `CachedTeacher`.
        alpha: weight of the teacher term, in [0, 1].
        temperature: τ, positive.
        **options: `scale`, `weight`, `pos_weight`, `ignore_index`, `reduction` of
            `BinaryDistillationLoss`.

    Source: Yuan et al., 2020, arXiv 1909.11723, eq. 7, for two classes.

    Example:
        >>> import torch, tfkd
        >>> trained = torch.nn.Linear(2, 3)
        >>> inputs, labels = torch.ones(1, 2), torch.tensor([[1.0, 0.0, 1.0]])
        >>> criterion = tfkd.binary_tf_kd_self(trained, alpha=1.0)
        >>> criterion(trained(inputs), labels, inputs).item() == 0.0
        True
    """
    return binary_knowledge_distillation(model, alpha=alpha, temperature=temperature, **options)


@checks_options
def binary_knowledge_distillation(
    model: nn.Module | Teacher,
    *,
    alpha: float = 0.5,
    temperature: float = 2.0,
    **options: Unpack[BinaryOptions],
) -> BinaryDistillationLoss:
    """Knowledge distillation of each label by itself: taught by a trained network.

    Args:
        model: the trained network, of which a frozen copy is kept; or a `Teacher`, such as
            `CachedTeacher`.
        alpha: weight of the teacher term, in [0, 1].
        temperature: τ, positive.
        **options: `scale`, `weight`, `pos_weight`, `ignore_index`, `reduction` of
            `BinaryDistillationLoss`.

    Source: Hinton et al., 2015, arXiv 1503.02531, for two classes.

    Example:
        >>> import torch, tfkd
        >>> teacher = torch.nn.Linear(2, 3)
        >>> inputs, labels = torch.ones(1, 2), torch.tensor([[1.0, 0.0, 1.0]])
        >>> criterion = tfkd.binary_knowledge_distillation(teacher, alpha=1.0)
        >>> criterion(teacher(inputs), labels, inputs).item() == 0.0
        True
    """
    return BinaryDistillationLoss(
        as_teacher(model), alpha=alpha, temperature=temperature, **options
    )
