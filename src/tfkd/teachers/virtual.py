"""The designed teacher of Tf-KD_reg."""

from __future__ import annotations

import math
from typing import final

from tfkd._checks import check_number
from tfkd.teachers.base import Batch, Teacher


@final
class VirtualTeacher(Teacher):
    r"""Gives the true class the probability `confidence` and shares the rest evenly.

        p^d(k) = a            if k is the true class
                 (1-a)/(K-1)  otherwise

    Its logits are log p^d, so that a temperature softens it as it softens any teacher:
    p^d_τ is proportional to (p^d)^(1/τ), a logit gap of log(a(K-1)/(1-a)) divided by τ.

    For probability labels q (mixup, cutmix) it is the q-mixture of its distributions for each
    class: Σ_c q_c · p^d_τ(· | true class c).

    Source: Yuan et al., 2020, arXiv 1909.11723, eq. 8.

    Args:
        confidence: probability a of the true class, in [1/K, 1]. The paper takes at least 0.9.

    Raises:
        ValueError: if `confidence` is not in (0, 1], or, once K is known, below 1/K.

    Example:
        >>> import tfkd
        >>> round(tfkd.VirtualTeacher(confidence=0.99).gap(num_classes=10), 4)
        6.7923
    """

    def __init__(self, confidence: float = 0.99) -> None:
        super().__init__()
        self.confidence = check_number("confidence", confidence)
        if not 0.0 < self.confidence <= 1.0:
            raise ValueError(f"Expected `confidence` in (0, 1], got {confidence}.")

    def forward(self, batch: Batch) -> float:
        """Return the gap for the number of classes of the batch."""
        logits = batch.student_logits
        return self.gap(logits.shape[0] if logits.dim() == 1 else logits.shape[1])

    def gap(self, num_classes: int) -> float:
        """Return log(a(K-1)/(1-a)); infinite for a = 1.

        Raises:
            ValueError: if `confidence` is below 1/K, the probability of a blind guess.
        """
        a = self.confidence
        # A confidence of exactly chance may round to just below 1/K: allow for that.
        if not 1.0 - 1e-9 <= a * num_classes <= num_classes:
            raise ValueError(
                f"Expected `confidence` in [1/K, 1] = [{1 / num_classes:.6g}, 1] for "
                f"K = {num_classes} classes, got {a}."
            )
        return math.inf if a == 1.0 else max(math.log(a * (num_classes - 1) / (1.0 - a)), 0.0)

    def extra_repr(self) -> str:
        """Return the settings for `repr`."""
        return f"confidence={self.confidence:g}"
