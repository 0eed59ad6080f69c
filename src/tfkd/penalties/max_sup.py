"""MaxSup: the largest logit is drawn towards their mean, whichever class it is."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor
from typing_extensions import Unpack  # torch depends on it

from tfkd._checks import check_at_least_0, check_positive
from tfkd.loss.terms import class_dim
from tfkd.loss.told import Setting
from tfkd.penalties.penalty import (
    ModuleOptions,
    Optimum,
    Penalty,
    PenaltyOptions,
    added_to_cross_entropy,
    check_setting,
)


def max_sup_loss(
    student_logits: Tensor,
    labels: Tensor,
    *,
    added: Tensor | float = 0.1,
    **options: Unpack[PenaltyOptions],
) -> Tensor:
    r"""Cross-entropy, and how far the largest logit lies above their mean.

        L = s · [ H(q, p)  +  λ · (max_k z_k − mean_k z_k) ]

    Label smoothing is the same with the logit of the true class in place of the largest: so it is
    label smoothing of ε = λ wherever the largest logit is the true class's.

    Args:
        student_logits: `(N, K)` or `(N, K, d1, ...)`, or `(K,)` unbatched. Logits of minus infinity
            mask a class, which is left out of the mean. Among equals the largest share its slope.
        labels: class indices, or probabilities of the shape of the logits, as torch takes them;
            the penalty does not look at them.
        added: λ, at least 0. 0 is `torch.nn.functional.cross_entropy`.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction`, as of
            `tfkd.distillation_loss`:
            the penalty of a sample is weighed by its label, Σ_k q_k·w_k, over torch's divisor.

    Returns:
        A scalar, or for `"none"` one value per position.

    Example:
        >>> import torch
        >>> logits, labels = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0])
        >>> round(max_sup_loss(logits, labels, added=0.1).item(), 4)
        0.3365

    Source: Zhou et al., 2025, arXiv 2502.15798.
    """
    check_setting("added", added, check_at_least_0)
    return added_to_cross_entropy(student_logits, labels, above_mean, added, **options)


def above_mean(z: Tensor) -> Tensor:
    """Return max_k z_k − mean_k z_k of each sample, over the classes that are not masked."""
    dim = class_dim(z)
    there = z != -math.inf
    return z.amax(dim) - torch.where(there, z, 0.0).sum(dim) / there.sum(dim)


class MaxSup(Penalty):
    """`max_sup_loss`, a drop-in for `torch.nn.CrossEntropyLoss`.

    Args:
        added: λ, at least 0; or a function of `tfkd.loss.schedules.Progress`.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction`, `samples_per_epoch`.
    """

    checked: ClassVar = {"added": check_at_least_0, "scale": check_positive}
    formula = staticmethod(max_sup_loss)
    added: float

    def __init__(self, *, added: Setting = 0.1, **options: Unpack[ModuleOptions]) -> None:
        super().__init__({"added": added}, **options)

    @property
    def in_words(self) -> str:
        """What is minimised."""
        return f"cross-entropy + {self.added:.4g} × (largest logit − mean logit)"

    def optimum(self, num_classes: int) -> Optimum:
        """Return that of label smoothing of ε = λ, up to 1."""
        if self.added == 0.0:
            return Optimum(math.inf, is_cross_entropy=True)
        remark = "label smoothing of that epsilon wherever the true class has the largest logit"
        return Optimum(smoothed_gap(self.added, num_classes), remark)


def smoothed_gap(epsilon: float, num_classes: int) -> float:
    """Return the gap that label smoothing leads to; 0 from ε = 1 on.

    Example:
        >>> round(smoothed_gap(0.1, num_classes=10), 4)
        4.5109
    """
    if epsilon == 0.0:
        return math.inf
    if epsilon >= 1.0:
        return 0.0
    return math.log1p((1.0 - epsilon) * num_classes / epsilon)
