"""Margin-based label smoothing: logits may lie apart, and pay beyond a margin."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor
from typing_extensions import Unpack  # torch depends on it

from tfkd._checks import check_at_least_0, check_positive
from tfkd.loss.terms import class_dim
from tfkd.loss.told import Setting
from tfkd.penalties.max_sup import smoothed_gap
from tfkd.penalties.penalty import (
    ModuleOptions,
    Optimum,
    Penalty,
    PenaltyOptions,
    added_to_cross_entropy,
    check_setting,
)


def margin_label_smoothing_loss(
    student_logits: Tensor,
    labels: Tensor,
    *,
    added: Tensor | float = 0.1,
    margin: Tensor | float = 10.0,
    **options: Unpack[PenaltyOptions],
) -> Tensor:
    r"""Cross-entropy, and how far logits lie below the largest one beyond a margin.

        L = s · [ H(q, p)  +  λ · mean_k max(0, max_j z_j − z_k − m) ]

    The mean is over the K classes, as in the source: λ/K for each of them, so that 0.1 is little
    where there are many. At m = 0 it is MaxSup.

    Args:
        student_logits: `(N, K)` or `(N, K, d1, ...)`, or `(K,)` unbatched. Logits of minus infinity
            mask a class, which is left out of the mean. Among equals the largest share its slope.
        labels: class indices, or probabilities of the shape of the logits, as torch takes them;
            the penalty does not look at them.
        added: λ, at least 0. 0 is `torch.nn.functional.cross_entropy`.
        margin: m, at least 0.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction`, as of
            `tfkd.distillation_loss`:
            the penalty of a sample is weighed by its label, Σ_k q_k·w_k, over torch's divisor.

    Returns:
        A scalar, or for `"none"` one value per position.

    Example:
        >>> import torch
        >>> logits, labels = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0])
        >>> round(margin_label_smoothing_loss(logits, labels, margin=1.0).item(), 4)
        0.2698

    Source: Liu et al., 2022, arXiv 2111.15430; github.com/by-liu/MbLS at dc86503.
    """
    check_setting("added", added, check_at_least_0)
    check_setting("margin", margin, check_at_least_0)

    def beyond_margin(z: Tensor) -> Tensor:
        dim = class_dim(z)
        there = z != -math.inf
        beyond = (z.amax(dim, keepdim=True) - z - margin).relu()
        return torch.where(there, beyond, 0.0).sum(dim) / there.sum(dim)

    return added_to_cross_entropy(student_logits, labels, beyond_margin, added, **options)


class MarginLabelSmoothing(Penalty):
    """`margin_label_smoothing_loss`, a drop-in for `torch.nn.CrossEntropyLoss`.

    Args:
        added: λ, at least 0; or, as `margin`, a function of `tfkd.loss.schedules.Progress`.
        margin: m, at least 0.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction`, `samples_per_epoch`.
    """

    checked: ClassVar = {
        "added": check_at_least_0,
        "margin": check_at_least_0,
        "scale": check_positive,
    }
    formula = staticmethod(margin_label_smoothing_loss)
    added: float
    margin: float

    def __init__(
        self,
        *,
        added: Setting = 0.1,
        margin: Setting = 10.0,
        **options: Unpack[ModuleOptions],
    ) -> None:
        super().__init__({"added": added, "margin": margin}, **options)

    @property
    def in_words(self) -> str:
        """What is minimised."""
        return (
            f"cross-entropy + {self.added:.4g} × mean of how far logits lie more than "
            f"{self.margin:g} below the largest"
        )

    def optimum(self, num_classes: int) -> Optimum:
        """Return the margin, or the gap of label smoothing of ε = λ where that is larger."""
        if self.added == 0.0:
            return Optimum(math.inf, is_cross_entropy=True)
        smoothed = smoothed_gap(self.added, num_classes)
        at = "the margin" if self.margin >= smoothed else "that of label smoothing, past the margin"
        return Optimum(max(self.margin, smoothed), f"the optimal gap is {at}")
