"""Checks of what the loss of a linear head is given."""

from __future__ import annotations

import torch
from torch import Tensor

from tfkd._checks import check_number, is_number
from tfkd.loss.checks import check_ignore_index, check_is_constant, check_weight
from tfkd.loss.linear.parts import Head
from tfkd.teachers.few_logits import FewLogits

TeacherOfHead = Tensor | float | tuple[Tensor, Tensor] | tuple[Tensor, Tensor, Tensor | None]
"""A gap or one for each token, logits, or what a teacher's own head computes them of."""

TEACHER = (
    "Expected `teacher` to be a gap, logits, or a tuple `(hidden, linear_weight[, linear_bias])`"
)


def check_head(head: Head, names: tuple[str, str, str]) -> None:
    """Check types, dtypes, shapes and devices of a head and of what it is given.

    Args:
        head: of the student, or of a teacher.
        names: of its hidden states, weight and bias.
    """
    hidden, weight, bias = head
    for name, tensor in zip(names, head, strict=True):
        if tensor is None and name == names[2]:
            continue
        if not isinstance(tensor, Tensor):
            raise TypeError(
                f"Expected {name} to be a tensor, got {type(tensor).__name__}.{_hint(tensor)}"
            )
        if not tensor.is_floating_point():
            raise TypeError(f"Expected {name} of a floating point dtype, got {tensor.dtype}.")
    if hidden.dim() == 0:
        raise ValueError(f"Expected {names[0]} of shape (N, D) or (N, L, D), got a scalar.")
    if weight.dim() != 2 or weight.shape[1] != hidden.shape[-1]:
        raise ValueError(
            f"Expected {names[1]} of shape (K, D), as that of torch.nn.Linear, where {names[0]} is "
            f"(..., D), got {tuple(weight.shape)} and {tuple(hidden.shape)}."
            f"{_other_axis(hidden, weight)} Hidden states are what the last layer is given, not "
            "its logits."
        )
    if len(weight) < 2:
        raise ValueError(
            f"Expected {names[1]} of at least 2 classes, got shape {tuple(weight.shape)}."
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(
            f"Expected {names[2]} of shape ({len(weight)},), one for each class, got "
            f"{tuple(bias.shape)}."
        )
    for name, tensor in zip(names[1:], (weight, bias), strict=True):
        if tensor is None:
            continue
        if tensor.device != hidden.device:
            raise ValueError(
                f"Expected {name} on {hidden.device}, where {names[0]} is, got {tensor.device}."
            )
        if tensor.dtype != hidden.dtype and not torch.is_autocast_enabled(hidden.device.type):
            raise TypeError(
                f"Expected {name} of the dtype of {names[0]}, {hidden.dtype}, or torch.autocast, "
                f"got {tensor.dtype}."
            )


def check_labels(
    head: Head, labels: Tensor, class_weight: Tensor | None, ignore_index: int
) -> None:
    """Check labels and class weights beside the student's head."""
    hidden = head.hidden
    if not isinstance(labels, Tensor):
        raise TypeError(f"Expected `labels` to be a tensor, got {type(labels).__name__}.")
    if labels.dtype not in (torch.int64, torch.uint8):
        instead = "Write `labels.long()`."
        if labels.is_floating_point() and labels.dim() >= hidden.dim():
            instead = (
                "Probabilities are as large as the logits: call `tfkd.distillation_loss` on those."
            )
        raise TypeError(
            f"Expected `labels` that are class indices, torch.int64, got {labels.dtype}. {instead}"
        )
    if labels.shape != hidden.shape[:-1]:
        raise ValueError(
            f"Expected `labels` of shape {tuple(hidden.shape[:-1])}, one for each of `hidden` "
            f"{tuple(hidden.shape)}, got {tuple(labels.shape)}."
        )
    if labels.device != hidden.device:
        raise ValueError(
            f"Expected `labels` on {hidden.device}, where `hidden` is, got {labels.device}."
        )
    check_ignore_index(ignore_index)
    if class_weight is not None:
        check_weight(class_weight, len(head.weight), hidden.device)
        check_is_constant(class_weight)


def checked_teacher(teacher: TeacherOfHead, head: Head) -> Tensor | float | Head:
    """Return a teacher, one with a head of its own as `Head`."""
    hidden, num_classes = head.hidden, len(head.weight)
    if isinstance(teacher, FewLogits | torch.return_types.topk):
        raise TypeError(
            f"{TEACHER}, got {type(teacher).__name__}. Few logits, as those that "
            "`tfkd.CachedTeacher` answers, cannot teach here: call `tfkd.distillation_loss` on the "
            "student's logits, or let the network itself teach."
        )
    if isinstance(teacher, tuple):
        return _checked_head(teacher, head)
    if not isinstance(teacher, Tensor):
        if not is_number(teacher):
            raise TypeError(f"{TEACHER}, got {type(teacher).__name__}.{_hint_for_teacher(teacher)}")
        if not check_number("teacher", teacher) >= 0.0:
            raise ValueError(
                "Expected `teacher` to be a gap of at least 0 (the true class is no less likely "
                f"than any other), logits, or a head and what it is given, got {teacher}."
            )
        return teacher
    if not teacher.is_floating_point():
        raise TypeError(f"Expected `teacher` of a floating point dtype, got {teacher.dtype}.")
    of_tokens = tuple(hidden.shape[:-1])
    if tuple(teacher.shape) not in (of_tokens, (*of_tokens, num_classes)):
        raise ValueError(
            f"Expected `teacher` of shape {of_tokens}, a gap for each token, or "
            f"{(*of_tokens, num_classes)}, logits, got {tuple(teacher.shape)}. Hidden states of a "
            "teacher are given with its head, as `(hidden, linear_weight)`."
        )
    if teacher.device != hidden.device:
        raise ValueError(
            f"Expected `teacher` on {hidden.device}, where `hidden` is, got {teacher.device}."
        )
    return teacher


def _checked_head(teacher: tuple[Tensor | None, ...], head: Head) -> Head:
    if len(teacher) not in (2, 3):
        raise ValueError(
            "Expected `teacher` to be (hidden, linear_weight) or (hidden, linear_weight, "
            f"linear_bias), got {len(teacher)} of them."
        )
    own = Head(*teacher)  # type: ignore[arg-type]
    check_head(own, ("the hidden states of `teacher`", "its linear weight", "its linear bias"))
    if own.hidden.shape[:-1] != head.hidden.shape[:-1]:
        raise ValueError(
            f"Expected the hidden states of `teacher` of shape {tuple(head.hidden.shape[:-1])} and "
            f"its own D, one for each of the student's, got {tuple(own.hidden.shape)}."
        )
    if len(own.weight) != len(head.weight):
        raise ValueError(
            f"Expected the {len(head.weight)} classes of the student in the head of `teacher`, got "
            f"{len(own.weight)}: do both share a tokenizer?"
        )
    if own.hidden.device != head.hidden.device:
        raise ValueError(
            f"Expected the hidden states of `teacher` on {head.hidden.device}, where `hidden` is, "
            f"got {own.hidden.device}."
        )
    return own


def _other_axis(hidden: Tensor, weight: Tensor) -> str:
    fits = weight.dim() == 2 and weight.shape[0] == hidden.shape[-1]
    return " Is the weight transposed?" if fits else ""


def _hint_for_teacher(given: object) -> str:
    if isinstance(given, torch.nn.Module):
        return (
            " Give what the last layer of the network is given, and the weight and bias of that "
            "layer."
        )
    if isinstance(given, list):
        return " Write `tuple(...)`."
    if hasattr(given, "logits"):
        return " Take its `.logits`."
    return ""


def _hint(given: object) -> str:
    if isinstance(given, torch.nn.Module) and isinstance(getattr(given, "weight", None), Tensor):
        return " Give its `.weight`, and its `.bias` if it has one."
    if hasattr(given, "last_hidden_state"):
        return " Take its `.last_hidden_state`."
    return ""
