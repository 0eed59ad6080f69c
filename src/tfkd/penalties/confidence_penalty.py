"""The confidence penalty: certainty costs, whatever it is of."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor
from typing_extensions import Unpack  # torch depends on it

from tfkd._checks import check_at_least_0, check_positive
from tfkd.loss.terms import class_dim, softened_gap
from tfkd.loss.told import Setting
from tfkd.penalties.optimum import where_zero
from tfkd.penalties.penalty import (
    ModuleOptions,
    Optimum,
    Penalty,
    PenaltyOptions,
    added_to_cross_entropy,
    check_setting,
)


def confidence_penalty_loss(
    student_logits: Tensor,
    labels: Tensor,
    *,
    added: Tensor | float = 0.1,
    **options: Unpack[PenaltyOptions],
) -> Tensor:
    r"""Cross-entropy, less the entropy of what the student says.

        L = s · [ H(q, p)  −  β · H(p) ]

    It is cross-entropy + β · KL(p ‖ u) − β · log K, the divergence of label smoothing with student
    and uniform teacher exchanged. So it may be below 0.

    Other code divides the entropy by K, having taken the mean over all of (N, K): that is this with
    β/K, as in github.com/by-liu/MbLS at dc86503.

    Args:
        student_logits: `(N, K)` or `(N, K, d1, ...)`, or `(K,)` unbatched. Logits of minus infinity
            mask a class, which adds nothing to the entropy.
        labels: class indices, or probabilities of the shape of the logits, as torch takes them;
            the penalty does not look at them.
        added: β, at least 0. 0 is `torch.nn.functional.cross_entropy`.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction`, as of
            `tfkd.distillation_loss`:
            the penalty of a sample is weighed by its label, Σ_k q_k·w_k, over torch's divisor.

    Returns:
        A scalar, or for `"none"` one value per position.

    Example:
        >>> import torch
        >>> logits, labels = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0])
        >>> round(confidence_penalty_loss(logits, labels, added=0.1).item(), 4)
        0.1174

    Source: Pereyra et al., 2017, arXiv 1701.06548.
    """
    check_setting("added", added, check_at_least_0)
    return added_to_cross_entropy(student_logits, labels, negative_entropy, added, **options)


def negative_entropy(z: Tensor) -> Tensor:
    """Return Σ_k p_k·log p_k of each sample; a class without probability adds 0."""
    dim = class_dim(z)
    log_p = F.log_softmax(z, dim)
    p = log_p.exp()
    # The logarithm too, or its infinity would come back in the derivative.
    return (p * torch.where(p == 0.0, 0.0, log_p)).sum(dim)


class ConfidencePenalty(Penalty):
    """`confidence_penalty_loss`, a drop-in for `torch.nn.CrossEntropyLoss`.

    Args:
        added: β, at least 0; or a function of `tfkd.loss.schedules.Progress`.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction`, `samples_per_epoch`.
    """

    checked: ClassVar = {"added": check_at_least_0, "scale": check_positive}
    formula = staticmethod(confidence_penalty_loss)
    added: float

    def __init__(self, *, added: Setting = 0.1, **options: Unpack[ModuleOptions]) -> None:
        super().__init__({"added": added}, **options)

    @property
    def in_words(self) -> str:
        """What is minimised."""
        return f"cross-entropy − {self.added:.4g} × entropy of the student's answer"

    def optimum(self, num_classes: int) -> Optimum:
        """Return where g · p(g) = 1/β, p(g) being the probability of the true class."""
        if self.added == 0.0:
            return Optimum(math.inf, is_cross_entropy=True)
        wanted = 1.0 / self.added
        return Optimum(
            where_zero(lambda gap: gap * softened_gap(gap, num_classes)[0] - wanted, 0.0, 1.0)
        )
