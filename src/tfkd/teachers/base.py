"""What every teacher has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Batch(NamedTuple):
    """What a teacher may look at when it answers.

    Attributes:
        student_logits: `(N, K)` or `(N, K, d1, ...)`, or `(K,)` unbatched.
        labels: class indices or probabilities, as the loss takes them.
        inputs: the samples as the student saw them; None if the caller gave none.
        indices: `(n,)` or `()` unbatched, int64, identity of each sample in its data set; None if
            the caller gave none.
        view: which augmented view of the samples the student saw, from 0; None if the caller said
            nothing.
    """

    student_logits: Tensor
    labels: Tensor
    inputs: Tensor | None = None
    indices: Tensor | None = None
    view: int | None = None


class Teacher(nn.Module, ABC):
    """Answers a batch with its logits, in one of two forms.

    A **tensor** of the shape of the student's logits holds the teacher's logits
    (log-probabilities are valid logits). A **number** is a gap: the teacher whose logit is that
    much higher for the true class than for every other, whatever the sample; 0 is the uniform
    teacher. A gap lets the loss use a closed form in which no target of shape `(N, K)` exists.

    Subclasses are final: they implement `forward` once, and are wrapped rather than overridden.
    """

    @abstractmethod
    def forward(self, batch: Batch) -> Tensor | float:
        """Return the teacher's logits, or its gap."""

    def gap(self, num_classes: int) -> float | None:
        """Return the gap if the teacher answers every batch with the same one, else None.

        Args:
            num_classes: the number of classes K, at least 2.
        """
        return None


def is_transformed() -> bool:
    """Return whether the call is traced by torch.compile or transformed by torch.func.

    Then a tensor may stand for others: its values cannot be looked at, and inference tensors do
    not go through.
    """
    # As torch.autograd.Function asks; torch.func has no public question.
    return torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()
