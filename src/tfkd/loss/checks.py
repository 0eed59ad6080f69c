"""Checks of what a loss is given."""

from __future__ import annotations

import torch
from torch import Tensor

from tfkd._checks import check_choice, check_fraction, check_number, check_positive

REDUCTIONS = ("mean", "sum", "none")


def check_settings(alpha: float, temperature: float, scale: float, reduction: str) -> None:
    """Check the settings of a loss that are no tensors."""
    check_fraction("alpha", alpha)
    check_positive("temperature", temperature)
    check_positive("scale", scale)
    check_choice("reduction", reduction, REDUCTIONS)


def check_tensors(
    student_logits: Tensor, labels: Tensor, weight: Tensor | None, ignore_index: int
) -> None:
    """Check types, dtypes, shapes and devices of what a loss is given."""
    for name, tensor in (("student_logits", student_logits), ("labels", labels)):
        if not isinstance(tensor, Tensor):
            raise TypeError(f"Expected `{name}` to be a tensor, got {type(tensor).__name__}.")
    if not student_logits.is_floating_point():
        raise TypeError(
            f"Expected `student_logits` of a floating point dtype, got {student_logits.dtype}."
        )
    if student_logits.dim() == 0:
        raise ValueError("Expected `student_logits` of shape (N, K, ...) or (K,), got a scalar.")
    num_classes = student_logits.shape[0 if student_logits.dim() == 1 else 1]
    shape = tuple(student_logits.shape)
    if num_classes < 2:
        raise ValueError(f"Expected `student_logits` of at least 2 classes, got shape {shape}.")

    if labels.shape == student_logits.shape:
        if not labels.is_floating_point():
            raise TypeError(
                "Expected `labels` of the shape of `student_logits` to be probabilities of a "
                f"floating point dtype, got {labels.dtype}."
            )
        if ignore_index >= 0:
            raise ValueError(
                "Expected `ignore_index` below 0 (unused) with `labels` that are probabilities, "
                f"got {ignore_index}."
            )
    else:
        expected = shape[:1] + shape[2:] if len(shape) > 1 else ()
        if tuple(labels.shape) != expected:
            raise ValueError(
                f"Expected `labels` of shape {expected} (class indices) or {shape} "
                f"(probabilities), got {tuple(labels.shape)}."
            )
        if labels.dtype not in (torch.int64, torch.uint8):
            raise TypeError(
                f"Expected `labels` that are class indices to be torch.int64, got {labels.dtype}."
            )
    if labels.device != student_logits.device:
        raise ValueError(
            f"Expected `labels` on {student_logits.device}, where `student_logits` is, "
            f"got {labels.device}."
        )
    if weight is not None:
        check_weight(weight, num_classes, student_logits.device)


def check_weight(weight: Tensor, num_classes: int | None, device: torch.device | None) -> None:
    """Check the class weights, as far as the number of classes and the device are known."""
    if not isinstance(weight, Tensor) or not weight.is_floating_point():
        got = weight.dtype if isinstance(weight, Tensor) else type(weight).__name__
        raise TypeError(f"Expected `weight` to be a floating point tensor, got {got}.")
    if weight.dim() != 1 or num_classes not in (None, weight.shape[0]):
        raise ValueError(
            f"Expected `weight` of shape ({num_classes or 'K'},), one for each class, "
            f"got {tuple(weight.shape)}."
        )
    if device not in (None, weight.device):
        raise ValueError(
            f"Expected `weight` on {device}, where `student_logits` is, got {weight.device}."
        )


def check_teacher_logits(student_logits: Tensor, teacher_logits: Tensor | float) -> None:
    """Check a teacher's answer to the logits."""
    if not isinstance(teacher_logits, Tensor):
        if not check_number("teacher_logits", teacher_logits) >= 0.0:
            raise ValueError(
                "Expected `teacher_logits` to be logits, or a gap of at least 0 "
                f"(the true class is no less likely than any other), got {teacher_logits}."
            )
        return
    if not teacher_logits.is_floating_point():
        raise TypeError(
            f"Expected `teacher_logits` of a floating point dtype, got {teacher_logits.dtype}."
        )
    if teacher_logits.shape != student_logits.shape:
        raise ValueError(
            f"Expected `teacher_logits` of the shape of `student_logits`, "
            f"{tuple(student_logits.shape)}, got {tuple(teacher_logits.shape)}: do teacher and "
            "student have the same classes?"
        )
    if teacher_logits.device != student_logits.device:
        raise ValueError(
            f"Expected `teacher_logits` on {student_logits.device}, where `student_logits` is, "
            f"got {teacher_logits.device}."
        )
