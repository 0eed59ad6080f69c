"""Small functions of logits, which teachers answer with and losses are written in."""

from __future__ import annotations

import math
from typing import Any, overload

import torch
from torch import Tensor


def class_dim(logits: Tensor) -> int:
    """Return the dimension of the classes: 1, or 0 of unbatched logits `(K,)`."""
    return 0 if logits.dim() == 1 else 1


def classes_second(logits: Tensor, class_dim: int) -> Tensor:
    """Return logits with the dimension of the classes second, as everything here has it.

    Args:
        logits: with the classes in `class_dim`; `(K,)` as they are.
        class_dim: a dimension that they have, or of `(K,)` any.
    """
    dims = logits.dim()
    return logits if dims < 2 or class_dim % dims == 1 else logits.movedim(class_dim, 1)


def at_least_float32(logits: Tensor) -> Tensor:
    """Return logits of half precision in float32, others as they are."""
    return logits.float() if logits.dtype.itemsize < 4 else logits


def one_hot(labels: Tensor, logits: Tensor) -> Tensor:
    """Return class indices as probabilities of the shape of the logits; 0 where out of range."""
    dim = class_dim(logits)
    classes = torch.arange(logits.shape[dim], device=logits.device)
    classes = classes.view(-1, *([1] * (logits.dim() - 1 - dim)))
    return (labels.unsqueeze(dim) == classes).to(logits.dtype)


@overload
def softened_gap(gap: float, num_classes: int) -> tuple[float, float]: ...
@overload
def softened_gap(gap: Tensor | float, num_classes: int) -> tuple[Any, Any]: ...
def softened_gap(gap: Tensor | float, num_classes: int) -> tuple[Any, Any]:
    """Return the probability of the true class and of each other one, for a gap of logits."""
    if isinstance(gap, Tensor):
        ahead = gap - math.log(num_classes - 1)  # of all others together
        return torch.sigmoid(ahead), torch.sigmoid(-ahead) / (num_classes - 1)
    others = (num_classes - 1) * math.exp(-gap)
    return 1.0 / (1.0 + others), math.exp(-gap) / (1.0 + others)
