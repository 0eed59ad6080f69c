"""The student's own mean answer for each class, as teacher."""

from __future__ import annotations

from typing import Literal, final

import torch
from torch import Tensor

from tfkd._checks import check_fraction, check_num_classes
from tfkd.teachers.base import Batch, Teacher
from tfkd.teachers.by_class import logits_by_class
from tfkd.teachers.logits import at_least_float32, class_dim

ONE = 2**32
"""The probability 1 in whole numbers, of which sums are exact, in whatever order."""


@final
class OnlineTeacher(Teacher):
    """Gives each class the mean of what the student said of it in the last epoch, where right.

    S[k] are the soft labels of class k, 1/K each in the first epoch. During an epoch the
    probabilities p of every training sample whose largest is that of its label are added up; at its
    end S[k] becomes their mean, and uniform where no sample of class k was got right.

    Sums are kept in whole numbers, 2^-32 being one: the order of samples, the number of processes
    and interruptions change no bit of them. They hold 2^31 samples of a class in an epoch. What is
    remembered takes 16·K² bytes.

    Labels that are probabilities q, as of mixup, are taught Σ_k q_k·S[k]. In what is remembered
    such a sample counts for the class that it has most of, the first of equal ones: else S would
    stay uniform for good where all samples are mixed. Dense outputs count position by position.
    Positions that are ignored, without any label, or of logits that are NaN or plus infinity change
    nothing.

    Args:
        num_classes: K, at least 2.
        freeze_at: a row whose largest probability has come to so much stays as it is, except where
            no sample of the class was right; None: none does.

    Attributes:
        targets: S, `(K, K)` int64.
        sums: of this epoch, `(K, K)` int64.
        counts: samples in the sums, `(K,)` int64.

    Source: Zhang et al., 2021, arXiv 2011.12562.

    Example:
        >>> import torch, tfkd
        >>> teacher = tfkd.OnlineTeacher(3)
        >>> criterion = tfkd.DistillationLoss(teacher, alpha=0.5, samples_per_epoch="told")
        >>> logits = torch.tensor([[2.0, 0.0, 1.0], [0.0, 1.0, 2.0]], requires_grad=True)
        >>> loss = criterion(logits, torch.tensor([0, 1]))  # right, and wrong
        >>> criterion.epoch_ended()
        >>> teacher.matrix
        tensor([[0.6652, 0.0900, 0.2447],
                [0.3333, 0.3333, 0.3333],
                [0.3333, 0.3333, 0.3333]], dtype=torch.float64)
    """

    targets: Tensor
    sums: Tensor
    counts: Tensor

    def __init__(self, num_classes: int, *, freeze_at: float | None = None) -> None:
        super().__init__()
        k = check_num_classes(num_classes)
        self.freeze_at = None if freeze_at is None else check_fraction("freeze_at", freeze_at)
        self.register_buffer("targets", torch.full((k, k), round(ONE / k)))
        self.register_buffer("sums", torch.zeros(k, k, dtype=torch.int64))
        self.register_buffer("counts", torch.zeros(k, dtype=torch.int64))

    @property
    def matrix(self) -> Tensor:
        """S as probabilities, `(K, K)` float64; `ClassTeacher` teaches what is in it now."""
        return self.targets.double() / ONE

    def forward(self, batch: Batch) -> Tensor:
        """Return the logarithms of the soft labels."""
        return logits_by_class(self.targets, batch, 1.0 / ONE)

    def observe(self, batch: Batch) -> None:
        """Add what the student said, where it was right."""
        z, labels = batch.student_logits, batch.labels
        dim = class_dim(z)
        rows = at_least_float32(z).movedim(dim, -1).reshape(-1, len(self.counts))
        if labels.shape == z.shape:
            most, classes = (found.flatten() for found in labels.max(dim))
            known = most > 0.0
        else:
            classes = labels.long().flatten()
            known = classes != batch.ignore_index
        right = known & (rows.argmax(1) == classes) & rows.amax(1).isfinite()
        said = torch.where(right.unsqueeze(1), rows.softmax(1), 0.0)
        classes = torch.where(right, classes, 0)
        self.sums.index_add_(0, classes, (said * ONE).round().long())
        self.counts.index_add_(0, classes, right.long())

    def epoch_ended(self) -> None:
        """Teach the means of the epoch from now on."""
        count = self.counts.unsqueeze(1)
        means = (self.sums + count // 2) // count.clamp(min=1)
        if self.freeze_at is not None:
            frozen = self.targets.amax(1, keepdim=True) >= round(self.freeze_at * ONE)
            means = torch.where(frozen, self.targets, means)
        self.targets.copy_(torch.where(count > 0, means, round(ONE / len(count))))
        self.sums.zero_()
        self.counts.zero_()

    @property
    def differs_by(self) -> Literal["class"]:
        """The class alone."""
        return "class"

    def extra_repr(self) -> str:
        """Return the settings for `repr`."""
        frozen = "" if self.freeze_at is None else f", freeze_at={self.freeze_at:g}"
        return f"num_classes={len(self.counts)}{frozen}"
