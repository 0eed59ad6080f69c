"""Checks of what a loss of several labels is given."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tfkd.loss.checks import check_are_tensors, check_floating, check_ignore_index
from tfkd.teachers.base import has_values_at_hand


def check_label_ignored(ignore_index: int) -> None:
    """Check the label that does not count: a whole number that is no probability."""
    check_ignore_index(ignore_index)
    if ignore_index in (0, 1):
        raise ValueError(
            f"Expected `ignore_index` below 0 or above 1, no label that counts, got {ignore_index}."
        )


def check_weight_of_labels(name: str, weight: Tensor) -> None:
    """Check `weight` or `pos_weight`, as far as it can be without logits."""
    if not isinstance(weight, Tensor) or not weight.is_floating_point():
        got = weight.dtype if isinstance(weight, Tensor) else type(weight).__name__
        raise TypeError(f"Expected `{name}` to be a floating point tensor, got {got}.")


def check_values_of_weight(name: str, weight: Tensor) -> None:
    """Check that a weight is finite and not negative; on the CPU alone."""
    if not has_values_at_hand(weight):
        return
    wrong = ~((weight >= 0.0) & (weight < math.inf))
    if bool(wrong.any()):
        raise ValueError(
            f"Expected `{name}` of at least 0 and finite, got {weight[wrong][0].item():g}."
        )


def checked_labels(
    student_logits: Tensor,
    labels: Tensor,
    weight: Tensor | None,
    pos_weight: Tensor | None,
    ignore_index: int,
) -> Tensor:
    """Check types, dtypes, shapes and devices; return the labels in a floating point dtype.

    Their values are looked at on the CPU alone; an accelerator would have to be waited for.
    """
    check_are_tensors(student_logits, labels)
    check_label_ignored(ignore_index)
    check_floating(student_logits)
    shape = tuple(student_logits.shape)
    if labels.shape != student_logits.shape:
        raise ValueError(
            f"Expected `labels` of the shape of `student_logits`, {shape}, 0, 1 or between for "
            f"each, got {tuple(labels.shape)}.{_other_loss(shape, labels)}"
        )
    if labels.is_complex():
        raise TypeError(f"Expected `labels` of a floating point dtype, got {labels.dtype}.")
    tensors = {"labels": labels, "weight": weight, "pos_weight": pos_weight}
    for name, other in tensors.items():
        if other is None:
            continue
        if name != "labels":
            check_weight_of_labels(name, other)
            _check_broadcasts(name, other, shape)
        if other.device != student_logits.device:
            raise ValueError(
                f"Expected `{name}` on {student_logits.device}, where `student_logits` is, got "
                f"{other.device}."
            )
        if other.requires_grad and torch.is_grad_enabled():
            raise ValueError(
                f"Expected `{name}` without gradient, got one that requires a gradient. Write "
                f"`{name}.detach()`."
            )
    if not labels.is_floating_point():
        # Not in half precision, which has no room for every `ignore_index`.
        labels = labels.to(torch.promote_types(student_logits.dtype, torch.float32))
    _check_probabilities(labels, ignore_index)
    return labels


def _check_broadcasts(name: str, weight: Tensor, shape: tuple[int, ...]) -> None:
    beyond = len(shape) - weight.dim()
    # Of one length, as torch 2.6 compiles no other zip.
    if beyond < 0 or any(
        own not in (1, size) for own, size in zip(weight.shape, shape[beyond:], strict=True)
    ):
        raise ValueError(
            f"Expected `{name}` to be broadcast to the shape of `student_logits`, {shape}, got "
            f"{tuple(weight.shape)}."
        )


def _check_probabilities(labels: Tensor, ignore_index: int) -> None:
    if not has_values_at_hand(labels):
        return
    wrong = ~((labels >= 0.0) & (labels <= 1.0)) & (labels != ignore_index)
    if bool(wrong.any()):
        raise ValueError(
            f"Expected `labels` in [0, 1], or {ignore_index} (`ignore_index`) where nobody knows, "
            f"got {labels[wrong][0].item():g}."
        )


def _other_loss(shape: tuple[int, ...], labels: Tensor) -> str:
    """Which loss fits labels that are class indices, in words; nothing for others."""
    if tuple(labels.shape) == shape[:1] + shape[2:] and not labels.is_floating_point():
        return " For one class of several use `tfkd.DistillationLoss`."
    return ""
