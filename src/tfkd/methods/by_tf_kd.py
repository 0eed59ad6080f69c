"""The methods that the Tf-KD paper compares: from plain cross-entropy to its own two."""

from __future__ import annotations

from torch import Tensor, nn
from typing_extensions import Unpack  # torch depends on it

from tfkd.loss import DistillationLoss
from tfkd.methods.options import LossOptions, as_teacher, checks_options
from tfkd.teachers import Teacher, UniformTeacher, VirtualTeacher


@checks_options
def cross_entropy(
    weight: Tensor | None = None, /, **options: Unpack[LossOptions]
) -> DistillationLoss:
    """Plain cross-entropy with the labels: α = 0.

    Args:
        weight: of each class, `(K,)`, which may stand first as in `torch.nn.CrossEntropyLoss`.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction` of
            `DistillationLoss`.

    Example:
        >>> import torch, tfkd
        >>> round(tfkd.cross_entropy()(torch.tensor([[1.0, 0.0]]), torch.tensor([0])).item(), 4)
        0.3133
    """
    if weight is not None:
        if "weight" in options:
            raise TypeError("Expected `weight` once, got it first and by name.")
        options["weight"] = weight
    return DistillationLoss(UniformTeacher(), alpha=0.0, **options)


@checks_options
def label_smoothing(alpha: float = 0.1, **options: Unpack[LossOptions]) -> DistillationLoss:
    """Label smoothing: taught by a teacher that knows nothing, at τ = 1.

    Without `weight`, equal to `torch.nn.CrossEntropyLoss(label_smoothing=alpha)` up to the constant
    α·log K, with the same gradients. With `weight` it is not torch's: here the teacher term of a
    sample is weighed by its label, Σ_k q_k·w_k; torch weighs the smoothed target class by class,

        ours:   (1 − α) · Σ_k w_k·q_k·(−log p_k)  +  α · (Σ_k q_k·w_k) · KL(1/K ‖ p)
        torch:  Σ_k w_k · ((1 − α)·q_k + α/K) · (−log p_k)

    over the same divisor.

    Args:
        alpha: the smoothing ε, in [0, 1]. The default 0.1 is that of the source.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction` of
            `DistillationLoss`.

    Source: Szegedy et al., 2016, arXiv 1512.00567.

    Example:
        >>> import torch, tfkd
        >>> criterion = tfkd.label_smoothing(alpha=0.1)
        >>> round(criterion(torch.tensor([[1.0, 0.0]]), torch.tensor([0])).item(), 4)
        0.2939
    """
    return DistillationLoss(UniformTeacher(), alpha=alpha, **options)


@checks_options
def uniform_kd(
    *,
    alpha: float = 0.1,
    temperature: float = 1.0,
    **options: Unpack[LossOptions],
) -> DistillationLoss:
    """Knowledge distillation by a teacher that knows nothing: every class is as likely.

    What is left of a distillation when its teacher is taken away, with the same α, τ and s: the
    control that tells what a teacher says from what the loss does by itself. At τ = 1 it is label
    smoothing. Above, it is not: τ² · KL(1/K ‖ p_τ) holds large logits back more evenly, and tends
    to half their variance over the classes.

    Args:
        alpha: weight of the teacher term, in [0, 1]; at 1 the labels do not count, and nothing is
            learned.
        temperature: τ, positive.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction` of
            `DistillationLoss`.

    Example:
        >>> import torch, tfkd
        >>> logits, labels = torch.tensor([[3.0, 0.0, 0.0]]), torch.tensor([0])
        >>> round(tfkd.uniform_kd(alpha=1.0, temperature=100.0)(logits, labels).item(), 3)
        1.003
        >>> round(logits.var(correction=0).item() / 2, 3)
        1.0
    """
    return DistillationLoss(UniformTeacher(), alpha=alpha, temperature=temperature, **options)


@checks_options
def tf_kd_reg(
    *,
    alpha: float = 0.1,
    temperature: float = 20.0,
    confidence: float = 0.99,
    **options: Unpack[LossOptions],
) -> DistillationLoss:
    """Tf-KD_reg: taught by a designed teacher that is right with a fixed confidence.

    The paper's temperature and confidence, with the factor τ² that its equation leaves out and
    without which the teacher term all but vanishes at τ = 20 (see `paper_tf_kd_reg`).

    Args:
        alpha: weight of the teacher term, in [0, 1]. Chosen on validation data,
            docs/defaults.md.
        temperature: τ, positive; the paper asks for at least 20.
        confidence: probability that the teacher gives the true class; the paper's a = 0.99.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction` of
            `DistillationLoss`.

    Source: Yuan et al., 2020, arXiv 1909.11723, eq. 9.

    Example:
        >>> import torch, tfkd
        >>> criterion = tfkd.tf_kd_reg(alpha=0.5)
        >>> round(criterion(torch.tensor([[4.0, 0.0, 0.0]]), torch.tensor([0])).item(), 4)
        0.1166
    """
    return DistillationLoss(
        VirtualTeacher(confidence=confidence), alpha=alpha, temperature=temperature, **options
    )


@checks_options
def tf_kd_self(
    model: nn.Module | Teacher,
    *,
    alpha: float = 0.1,
    temperature: float = 1.0,
    **options: Unpack[LossOptions],
) -> DistillationLoss:
    """Tf-KD_self: taught by a normally trained network of the student's own architecture.

    Args:
        model: the trained network, of which a frozen copy is kept; or a `Teacher`, such as
            `CachedTeacher`.
        alpha: weight of the teacher term, in [0, 1]. Chosen on validation data, docs/defaults.md.
        temperature: τ, positive. Chosen on validation data, docs/defaults.md.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction` of
            `DistillationLoss`.

    Source: Yuan et al., 2020, arXiv 1909.11723, eq. 7; the same as the first generation of
    born-again networks, Furlanello et al., 2018, arXiv 1805.04770.

    Example:
        >>> import torch, tfkd
        >>> trained = torch.nn.Linear(2, 2)
        >>> inputs, labels = torch.ones(1, 2), torch.tensor([0])
        >>> criterion = tfkd.tf_kd_self(trained, alpha=1.0)
        >>> criterion(trained(inputs), labels, inputs).item() == 0.0
        True
    """
    return knowledge_distillation(model, alpha=alpha, temperature=temperature, **options)


@checks_options
def knowledge_distillation(
    model: nn.Module | Teacher,
    *,
    alpha: float = 0.5,
    temperature: float = 2.0,
    **options: Unpack[LossOptions],
) -> DistillationLoss:
    """Knowledge distillation: taught by a trained network.

    What the teacher is gives the method its name: a larger network, normal KD; a smaller one,
    reversed KD (Re-KD); a barely trained one, defective KD (De-KD). The defaults suit a teacher
    that is clearly better than its student; one that is not may do harm with them.

    Args:
        model: the trained network, of which a frozen copy is kept; or a `Teacher`, such as
            `CachedTeacher`.
        alpha: weight of the teacher term, in [0, 1]. Chosen on validation data, docs/defaults.md.
        temperature: τ, positive. Chosen on validation data, docs/defaults.md.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction` of
            `DistillationLoss`.

    Source: Hinton et al., 2015, arXiv 1503.02531; Yuan et al., 2020, arXiv 1909.11723, eq. 4.

    Example:
        >>> import torch, tfkd
        >>> teacher = torch.nn.Linear(2, 2)
        >>> inputs, labels = torch.ones(1, 2), torch.tensor([0])
        >>> criterion = tfkd.knowledge_distillation(teacher, alpha=1.0)
        >>> criterion(teacher(inputs), labels, inputs).item() == 0.0
        True
    """
    return DistillationLoss(as_teacher(model), alpha=alpha, temperature=temperature, **options)
