"""Logit normalisation: cross-entropy of the direction of the logits, whatever their length."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor
from typing_extensions import Unpack  # torch depends on it

from tfkd._checks import check_positive
from tfkd.loss import terms
from tfkd.loss.told import Setting
from tfkd.penalties.penalty import (
    ModuleOptions,
    Optimum,
    Penalty,
    PenaltyOptions,
    check_setting,
    checked,
    label_term,
    scaled,
)


def logit_norm_loss(
    student_logits: Tensor,
    labels: Tensor,
    *,
    temperature: Tensor | float = 0.04,
    **options: Unpack[PenaltyOptions],
) -> Tensor:
    r"""Cross-entropy of logits of one length.

        L = s · H(q, softmax(z / ((‖z‖ + 1e-7) · τ)))

    The length is Euclid's and the gradient goes through it. Not the post-hoc score of the same
    name, which divides the largest logit of a trained network.

    Args:
        student_logits: `(N, K)` or `(N, K, d1, ...)`, or `(K,)` unbatched. Logits of minus infinity
            mask a class, which the length leaves out.
        labels: class indices, or probabilities of the shape of the logits, as torch takes them.
        temperature: τ, positive.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction`, as of
            `tfkd.distillation_loss`.

    Returns:
        A scalar, or for `"none"` one value per position.

    Example:
        >>> import torch
        >>> logits, labels = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0])
        >>> round(logit_norm_loss(logits, labels, temperature=1.0).item(), 4)
        0.513

    Source: Wei et al., 2022, arXiv 2205.09310; github.com/hongxin001/logitnorm_ood at 0a60eef.
    """
    check_setting("temperature", temperature, check_positive)
    return _of_direction(student_logits, labels, temperature, **options)


def _of_direction(
    z: Tensor,
    labels: Tensor,
    temperature: Tensor | float,
    *,
    scale: Tensor | float = 1.0,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    class_dim: int = 1,
    reduction: str = "mean",
) -> Tensor:
    z, labels = checked(z, labels, weight, ignore_index, class_dim, reduction)
    z, labels, weight = terms.in_one_precision(z, labels, weight)
    there = z != -math.inf
    kept = torch.where(there, z, 0.0)
    length = torch.linalg.vector_norm(kept, dim=terms.class_dim(z), keepdim=True)
    normalized = torch.where(there, kept / ((length + 1e-7) * temperature), -math.inf)
    return scaled(label_term(normalized, labels, weight, ignore_index, reduction), scale)


class LogitNorm(Penalty):
    """`logit_norm_loss`, a drop-in for `torch.nn.CrossEntropyLoss`.

    Args:
        temperature: τ, positive; or a function of `tfkd.loss.schedules.Progress`.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction`, `samples_per_epoch`.
    """

    checked: ClassVar = {"temperature": check_positive, "scale": check_positive}
    formula = staticmethod(logit_norm_loss)
    temperature: float

    def __init__(self, *, temperature: Setting = 0.04, **options: Unpack[ModuleOptions]) -> None:
        super().__init__({"temperature": temperature}, **options)

    @property
    def in_words(self) -> str:
        """What is minimised."""
        return f"cross-entropy of logits / (their length × {self.temperature:g})"

    def optimum(self, num_classes: int) -> Optimum:
        """Return none: how long the logits are does not count."""
        farthest = math.sqrt(num_classes / (num_classes - 1)) / self.temperature
        return Optimum(
            None,
            f"the length of the logits does not count; normalised they are led to a gap of "
            f"{farthest:.4g}, as far as they go",
        )
