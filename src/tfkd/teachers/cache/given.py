"""What a teacher cache is given: batches to store, and batches to answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from tfkd.teachers.logits import class_dim


def parts_of(batch: Any) -> tuple[Any, Any, int]:
    """Return inputs, indices and view of a batch that is to be stored.

    Raises:
        TypeError: for something else.
    """
    # Nothing else is taken apart: a tensor of three rows would go as three of something.
    if not isinstance(batch, tuple | list) or len(batch) != 3:
        got = type(batch).__name__
        got = f"a {got} of {len(batch)}" if isinstance(batch, tuple | list) else got
        raise TypeError(
            f"Expected `batches` of (inputs, indices, view), got {got}. The indices number the "
            "samples from 0; without augmentation `view` is 0."
        )
    inputs, indices, view = batch
    if not isinstance(indices, Tensor):
        raise TypeError(
            f"Expected `indices` to be a tensor (n,) of int64, got {type(indices).__name__}."
        )
    return inputs, indices, view


def check_asked(student_logits: Tensor, indices: Tensor, num_classes: int, path: Path) -> None:
    """Check that a batch may be answered, before any row is looked up.

    Args:
        student_logits: of the batch, `(n, K, ...)` or `(K,)`.
        indices: of its samples.
        num_classes: of the cache.
        path: of the cache.

    Raises:
        ValueError: for a student of other classes, or indices of other samples.
    """
    dim = class_dim(student_logits)
    classes, shape = student_logits.shape[dim], student_logits.shape[:dim]
    if classes != num_classes:
        raise ValueError(
            f"Expected a student of the {num_classes} classes of the teacher cache in {path}, got "
            f"{classes}: do teacher and student have the same classes?"
        )
    if indices.shape != shape:
        samples = f"the {shape[0]} samples" if shape else "one sample, of shape ()"
        alike = indices.dim() == len(shape)
        got = len(indices) if alike else f"those of shape {tuple(indices.shape)}"
        raise ValueError(f"Expected `indices` of {samples}, got {got}.")
