"""The dual focal loss: how sure the label is, against the class that comes next below it."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor
from typing_extensions import Unpack  # torch depends on it

from tfkd._checks import check_at_least_0, check_positive
from tfkd.loss import terms
from tfkd.loss.terms import is_number
from tfkd.loss.told import Setting
from tfkd.penalties.focal import to_the_power
from tfkd.penalties.penalty import (
    ModuleOptions,
    Optimum,
    Penalty,
    PenaltyOptions,
    check_setting,
    checked,
    plain_cross_entropy,
    scaled,
)


def dual_focal_loss(
    student_logits: Tensor,
    labels: Tensor,
    *,
    focusing: Tensor | float = 5.0,
    **options: Unpack[PenaltyOptions],
) -> Tensor:
    r"""Cross-entropy, each sample of which is weighed by (1 − p_y + p_j)^γ.

        L = s · (1 − p_y + p_j)^γ · (−log p_y)

    with p_j the largest probability below p_y, 0 where there is none; the gradient goes through it.
    The loss is the mean over the samples; the released code sums it over the batch unless told
    otherwise, with γ = 0 unless told otherwise, which is cross-entropy.

    Args:
        student_logits: `(N, K)` or `(N, K, d1, ...)`, or `(K,)` unbatched. Logits of minus infinity
            mask a class.
        labels: class indices. Not probabilities: of a mixture no class comes next below the label.
        focusing: γ, at least 0. 0 is `torch.nn.functional.cross_entropy`.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction`, as of
            `tfkd.distillation_loss`:
            a sample is weighed by the weight of its label, over torch's divisor.

    Returns:
        A scalar, or for `"none"` one value per position.

    Raises:
        ValueError: for labels that are probabilities, unless `focusing` is 0.

    Example:
        >>> import torch
        >>> logits, labels = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0])
        >>> round(dual_focal_loss(logits, labels, focusing=1.0).item(), 4)
        0.0459

    Source: Tao et al., 2023, arXiv 2305.13665; github.com/Linwei94/DualFocalLoss at e1ddb6b.
    """
    check_setting("focusing", focusing, check_at_least_0)
    if is_number(focusing, 0.0):
        return plain_cross_entropy(student_logits, labels, **options)
    return _dual_focal(student_logits, labels, focusing, **options)


def _dual_focal(
    z: Tensor,
    labels: Tensor,
    focusing: Tensor | float,
    *,
    scale: Tensor | float = 1.0,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    class_dim: int = 1,
    reduction: str = "mean",
) -> Tensor:
    z, labels = checked(z, labels, weight, ignore_index, class_dim, reduction)
    if labels.is_floating_point():
        raise ValueError(
            "Expected `labels` that are class indices for the dual focal loss, got probabilities: "
            "of a mixture no class comes next below the label. Train without mixup and cutmix."
        )
    z, labels, weight = terms.in_one_precision(z, labels, weight)
    dim = terms.class_dim(z)
    log_p = F.log_softmax(z, dim)
    log_p_y = -F.nll_loss(log_p, labels, ignore_index=ignore_index, reduction="none")
    # Compared as logarithms, which for the label are the same number to the last bit.
    not_below = (log_p >= log_p_y.unsqueeze(dim)) | terms.one_hot(labels, z).bool()
    p_j = log_p.exp().masked_fill(not_below, 0.0).amax(dim)
    loss = to_the_power(p_j - torch.expm1(log_p_y), focusing) * -log_p_y
    by_label, divisor = terms.sample_weights(labels, z, weight, ignore_index)
    return scaled(terms.reduced(terms.weighed(loss, by_label), divisor, reduction), scale)


class DualFocalLoss(Penalty):
    """`dual_focal_loss`, a drop-in for `torch.nn.CrossEntropyLoss` of class indices.

    Args:
        focusing: γ, at least 0; or a function of `tfkd.loss.schedules.Progress`.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction`, `samples_per_epoch`.
    """

    checked: ClassVar = {"focusing": check_at_least_0, "scale": check_positive}
    formula = staticmethod(dual_focal_loss)
    focusing: float

    def __init__(self, *, focusing: Setting = 5.0, **options: Unpack[ModuleOptions]) -> None:
        super().__init__({"focusing": focusing}, **options)

    @property
    def in_words(self) -> str:
        """What is minimised."""
        return f"cross-entropy × (1 − p of the label + largest p below it)^{self.focusing:g}"

    def optimum(self, num_classes: int) -> Optimum:
        """Return certainty."""
        return Optimum(math.inf, is_cross_entropy=self.focusing == 0.0)
