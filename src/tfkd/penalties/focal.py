"""The focal loss: a sample counts less, the surer its label is already."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor
from typing_extensions import Unpack  # torch depends on it

from tfkd._checks import check_at_least_0, check_positive
from tfkd.loss import terms
from tfkd.loss.terms import is_number
from tfkd.loss.told import Setting
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

UNSURE = 0.2
"""Below this probability of the label a sample is unsure."""


def focal_loss(
    student_logits: Tensor,
    labels: Tensor,
    *,
    focusing: Tensor | float = 3.0,
    unsure_focusing: float | None = None,
    **options: Unpack[PenaltyOptions],
) -> Tensor:
    r"""Cross-entropy, each sample of which is weighed by (1 − p_y)^γ.

        L = s · (1 − p_y)^γ · (−log p_y)

    The loss is the mean over the samples. The released code sums it over the batch unless told
    otherwise, which at batches of 128 is a learning rate 128 times as high.

    Args:
        student_logits: `(N, K)` or `(N, K, d1, ...)`, or `(K,)` unbatched. Logits of minus infinity
            mask a class.
        labels: class indices; or probabilities q of the shape of the logits, whose classes have
            terms of their own, Σ_k q_k·(1 − p_k)^γ·(−log p_k).
        focusing: γ, at least 0. 0 is `torch.nn.functional.cross_entropy`.
        unsure_focusing: γ where p_y is below 0.2, constant there as well; None: `focusing`. With
            `focusing` 3 and 5 here it is FLSD-53 of the source.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction`, as of
            `tfkd.distillation_loss`:
            a class's terms are weighed by its weight, over torch's divisor.

    Returns:
        A scalar, or for `"none"` one value per position.

    Example:
        >>> import torch
        >>> logits, labels = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0])
        >>> round(focal_loss(logits, labels, focusing=1.0).item(), 4)
        0.0265

    Source: Lin et al., 2017, arXiv 1708.02002; for calibration Mukhoti et al., 2020,
    arXiv 2002.09437, github.com/torrvision/focal_calibration at 475422a.
    """
    check_setting("focusing", focusing, check_at_least_0)
    if unsure_focusing is not None:
        check_at_least_0("unsure_focusing", unsure_focusing)
    if is_number(focusing, 0.0) and unsure_focusing in (None, 0.0):
        return plain_cross_entropy(student_logits, labels, **options)
    return _focal(student_logits, labels, focusing, unsure_focusing, **options)


def _focal(
    z: Tensor,
    labels: Tensor,
    focusing: Tensor | float,
    unsure_focusing: float | None,
    *,
    scale: Tensor | float = 1.0,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    class_dim: int = 1,
    reduction: str = "mean",
) -> Tensor:
    z, labels = checked(z, labels, weight, ignore_index, class_dim, reduction)
    z, labels, weight = terms.in_one_precision(z, labels, weight)
    dim = terms.class_dim(z)
    log_p = F.log_softmax(z, dim)
    by_label, divisor = terms.sample_weights(labels, z, weight, ignore_index)
    if labels.is_floating_point():
        # Classes that no label gives anything may be masked: no infinity shall come back of them.
        log_p = torch.where(labels == 0.0, 0.0, log_p)
        of_classes = terms.times_class_weight(labels, weight, dim)
        loss = terms.dot(of_classes, _focussed(log_p, focusing, unsure_focusing), dim)
    else:
        log_p_y = -F.nll_loss(log_p, labels, ignore_index=ignore_index, reduction="none")
        loss = terms.weighed(_focussed(log_p_y, focusing, unsure_focusing), by_label)
    return scaled(terms.reduced(loss, divisor, reduction), scale)


def _focussed(log_p: Tensor, focusing: Tensor | float, unsure_focusing: float | None) -> Tensor:
    """(1 − p)^γ · (−log p)."""
    power = focusing
    if unsure_focusing is not None:
        of_unsure = torch.full_like(log_p, unsure_focusing)
        power = torch.where(log_p < math.log(UNSURE), of_unsure, focusing)
    return to_the_power(-torch.expm1(log_p), power) * -log_p


def to_the_power(base: Tensor, power: Tensor | float) -> Tensor:
    """Return base^γ of a base of at least 0, whose derivative at 0 is taken for 0.

    Below γ = 1 it is infinite there; where a logarithm that is 0 goes with it, nothing is left.
    """
    there = base > 0.0
    return torch.where(there, torch.where(there, base, 1.0) ** power, 0.0)


class FocalLoss(Penalty):
    """`focal_loss`, a drop-in for `torch.nn.CrossEntropyLoss`.

    Args:
        focusing: γ, at least 0; or a function of `tfkd.loss.schedules.Progress`.
        unsure_focusing: γ where the probability of the label is below 0.2; None: `focusing`.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction`, `samples_per_epoch`.
    """

    checked: ClassVar = {"focusing": check_at_least_0, "scale": check_positive}
    formula = staticmethod(focal_loss)
    focusing: float

    def __init__(
        self,
        *,
        focusing: Setting = 3.0,
        unsure_focusing: float | None = None,
        **options: Unpack[ModuleOptions],
    ) -> None:
        super().__init__({"focusing": focusing}, **options)
        if unsure_focusing is not None:
            check_at_least_0("unsure_focusing", unsure_focusing)
        self.unsure_focusing = unsure_focusing

    def _not_scheduled(self) -> dict[str, Any]:
        return {} if self.unsure_focusing is None else {"unsure_focusing": self.unsure_focusing}

    @property
    def in_words(self) -> str:
        """What is minimised."""
        unsure = self.unsure_focusing
        other = "" if unsure is None else f", {unsure:g} below a probability of {UNSURE:g}"
        return f"cross-entropy × (1 − p of the label)^{self.focusing:g}{other}"

    def optimum(self, num_classes: int) -> Optimum:
        """Return certainty."""
        plain = self.focusing == 0.0 and self.unsure_focusing in (None, 0.0)
        return Optimum(math.inf, is_cross_entropy=plain)
