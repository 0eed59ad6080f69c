"""A teacher of the wrong classes by the student's own ranking of them."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from tfkd._checks import check_positive
from tfkd.teachers.base import Batch, Teacher
from tfkd.teachers.logits import at_least_float32, class_dim


@final
class ZipfTeacher(Teacher):
    """Gives a class a probability in proportion to 1/rank, by the student's logits now.

    Ranks count all classes, the true one too, from 1 of the largest logit; equal logits share the
    smallest of their ranks. What is said of the true class is to be left out: see
    `zipf_label_smoothing`.

    It looks at nothing else, whatever the labels. Half precision is ranked as it is, with its many
    equal logits. A class that the student masks by a logit of minus infinity gets nothing.

    Args:
        power: the probability is in proportion to rank^(−power); positive.

    Source: Liang et al., 2022, arXiv 2207.12980; megvii-research/zipfls 108e27a.

    Example:
        >>> import torch, tfkd
        >>> logits = torch.tensor([[2.0, 5.0, 2.0, 0.0]])
        >>> said = tfkd.ZipfTeacher()(tfkd.Batch(logits, torch.tensor([1])))
        >>> [round(1.0 / p) for p in said.exp()[0].tolist()]
        [2, 1, 2, 4]
    """

    def __init__(self, power: float = 1.0) -> None:
        super().__init__()
        self.power = check_positive("power", power)

    def forward(self, batch: Batch) -> Tensor:
        """Return −power · log rank of each class."""
        logits = at_least_float32(batch.student_logits.detach())
        dim = class_dim(logits)
        # The rank of a logit is one more than there are larger ones.
        descending, order = logits.sort(dim, descending=True)
        places = torch.arange(logits.shape[dim], device=logits.device)
        places = places.view(-1, *[1] * (logits.dim() - 1 - dim))
        smaller = descending.diff(dim=dim) < 0.0
        new = torch.cat([torch.ones_like(smaller.narrow(dim, 0, 1)), smaller], dim)
        ranks = 1 + torch.where(new, places, 0).cummax(dim).values
        log_ranks = torch.zeros_like(logits).scatter(dim, order, ranks.to(logits.dtype).log())
        return torch.where(logits > -math.inf, -self.power * log_ranks, -math.inf)

    def extra_repr(self) -> str:
        """Return the settings for `repr`."""
        return f"power={self.power:g}"
