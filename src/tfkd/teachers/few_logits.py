"""Logits of a few classes, and one that all others share."""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor

from tfkd.teachers.logits import class_dim


class FewLogits(NamedTuple):
    """What a teacher says of a few classes of each sample, and of all others at once.

    A teacher may answer with it in place of logits `(N, K)`, of which then none are built: the loss
    costs about what cross-entropy costs, however many classes there are.

    Attributes:
        values: `(N, k)`, or `(N, k, d1, ...)` or `(k,)`, the logits of k classes, k at most K.
        classes: of the same shape, int64, which classes they are; each once in a sample.
        others: the logit of each other class: one for each sample, `(N)`, `(N, d1, ...)` or `()`,
            or a number. Minus infinity: they have no probability.

    Example:
        >>> import torch, tfkd
        >>> few = tfkd.FewLogits(torch.tensor([[2.0]]), torch.tensor([[1]]), torch.tensor([0.0]))
        >>> student, label = torch.zeros(1, 3), torch.tensor([1])
        >>> round(tfkd.distillation_loss(student, label, few, alpha=0.5).item(), 4)
        0.7658
        >>> whole = torch.tensor([[0.0, 2.0, 0.0]])
        >>> round(tfkd.distillation_loss(student, label, whole, alpha=0.5).item(), 4)
        0.7658
    """

    values: Tensor
    classes: Tensor
    others: Tensor | float = -math.inf


def all_logits(few: FewLogits, num_classes: int) -> Tensor:
    """Return logits `(N, K, ...)` of every class, in the dtype of the values."""
    values, classes, others = few
    dim, shape = class_dim(values), list(values.shape)
    shape[dim] = num_classes
    if isinstance(others, Tensor):
        shared = others.to(values.dtype).unsqueeze(dim).expand(shape)
    else:
        shared = values.new_full((), others).expand(shape)
    return shared.scatter(dim, classes, values)


def come_once(classes: Tensor) -> Tensor:
    """Return whether no class comes twice in a sample, in a tensor `()`."""
    ordered = classes.sort(class_dim(classes)).values
    return (ordered.diff(dim=class_dim(classes)) != 0).all()
