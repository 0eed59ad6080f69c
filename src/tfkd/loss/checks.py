"""Checks of what a loss is given."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tfkd._checks import (
    check_at_least_0,
    check_choice,
    check_fraction,
    check_number,
    check_positive,
    is_number,
)
from tfkd.loss.terms import LossSettings
from tfkd.teachers.base import Answer, has_values_at_hand
from tfkd.teachers.few_logits import FewLogits, come_once

REDUCTIONS = ("mean", "sum", "none")


CHECKED = {"alpha": check_fraction, "temperature": check_positive, "scale": check_positive}
"""How the numbers of a loss are checked, which may follow a schedule."""


def check_settings(alpha: float, temperature: float, scale: float, reduction: str) -> None:
    """Check the settings of a loss that are no tensors."""
    for name, value in (("alpha", alpha), ("temperature", temperature), ("scale", scale)):
        CHECKED[name](name, value)
    check_choice("reduction", reduction, REDUCTIONS)


def check_tensors(
    student_logits: Tensor,
    labels: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    class_dim: int = 1,
) -> None:
    """Check types, dtypes, shapes and devices of what a loss is given."""
    check_are_tensors(student_logits, labels)
    check_ignore_index(ignore_index)
    check_floating(student_logits)
    if student_logits.dim() == 0:
        raise ValueError("Expected `student_logits` of shape (N, K, ...) or (K,), got a scalar.")
    dim, shape = dim_of_classes(student_logits, class_dim), tuple(student_logits.shape)
    num_classes = shape[dim]
    if num_classes < 2:
        raise ValueError(
            f"Expected `student_logits` of at least 2 classes, got shape {shape} with `class_dim` "
            f"{class_dim}."
        )

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
        expected = shape[:dim] + shape[dim + 1 :]
        if tuple(labels.shape) != expected:
            raise ValueError(
                f"Expected `labels` of shape {expected} (class indices) or {shape} "
                f"(probabilities), got {tuple(labels.shape)}, for `student_logits` of shape "
                f"{shape} with `class_dim` {class_dim}.{_other_class_dim(shape, labels)}"
            )
        if labels.dtype not in (torch.int64, torch.uint8):
            raise TypeError(
                "Expected `labels` that are class indices to be torch.int64, got "
                f"{labels.dtype}. Write `labels.long()`."
            )
    if labels.device != student_logits.device:
        raise ValueError(
            f"Expected `labels` on {student_logits.device}, where `student_logits` is, "
            f"got {labels.device}."
        )
    if weight is not None:
        check_weight(weight, num_classes, student_logits.device)
        if not labels.is_floating_point():
            check_is_constant(weight)


def check_are_tensors(student_logits: Tensor, labels: Tensor) -> None:
    """Check that logits and labels are tensors, and not what holds them."""
    for name, tensor in (("student_logits", student_logits), ("labels", labels)):
        if not isinstance(tensor, Tensor):
            hint = " Take its `.logits`." if hasattr(tensor, "logits") else ""
            raise TypeError(f"Expected `{name}` to be a tensor, got {type(tensor).__name__}.{hint}")


def check_floating(student_logits: Tensor) -> None:
    """Check the dtype of logits."""
    if not student_logits.is_floating_point():
        raise TypeError(
            f"Expected `student_logits` of a floating point dtype, got {student_logits.dtype}."
        )


def dim_of_classes(student_logits: Tensor, class_dim: int) -> int:
    """Return the dimension of the classes, counted from the front; of `(K,)` there is one."""
    dims = student_logits.dim()
    if dims == 1 and class_dim == 1:
        return 0
    if not -dims <= class_dim < dims:
        raise ValueError(
            f"Expected `class_dim` in [{-dims}, {dims - 1}] for `student_logits` of shape "
            f"{tuple(student_logits.shape)}, got {class_dim}."
        )
    return class_dim % dims


def _other_class_dim(shape: tuple[int, ...], labels: Tensor) -> str:
    """With which class dimension labels would fit, in words; nothing if with none."""
    if tuple(labels.shape) == shape[:-1]:
        return " Write `class_dim=-1` where the classes are the last dimension."
    if tuple(labels.shape) == shape[:1] + shape[2:]:
        return " Write `class_dim=1` where the classes are the second dimension."
    return ""


def check_class_dim(class_dim: int) -> None:
    """Check which dimension the classes are, as far as it is known without logits."""
    if isinstance(class_dim, bool) or not isinstance(class_dim, int):
        raise TypeError(
            "Expected `class_dim` to be an int, the dimension of the classes in the logits, got "
            f"{class_dim!r}."
        )


def check_num_items(num_items_in_batch: Tensor | float, reduction: str) -> None:
    """Check by how many items a sum is to be divided.

    One in a tensor is looked at on the CPU alone; an accelerator would have to be waited for.
    """
    if reduction != "mean":
        raise ValueError(
            'Expected `reduction` "mean" with `num_items_in_batch`, by which the sum is divided, '
            f"got {reduction!r}."
        )
    if isinstance(num_items_in_batch, Tensor):
        dtype = num_items_in_batch.dtype
        if num_items_in_batch.dim() > 0 or dtype == torch.bool or dtype.is_complex:
            raise TypeError(
                "Expected `num_items_in_batch` to be one number, got a tensor of shape "
                f"{tuple(num_items_in_batch.shape)} and {dtype}."
            )
        if not has_values_at_hand(num_items_in_batch):
            return
        num_items_in_batch = num_items_in_batch.item()
    if not 0.0 <= check_number("num_items_in_batch", num_items_in_batch) < math.inf:
        raise ValueError(
            f"Expected `num_items_in_batch` of at least 0 and finite, got {num_items_in_batch}."
        )


def check_ignore_index(ignore_index: int) -> None:
    """Check the class index of positions that do not count."""
    if isinstance(ignore_index, bool) or not isinstance(ignore_index, int):
        raise TypeError(
            "Expected `ignore_index` to be an int, the class index of positions that do not count, "
            f"got {ignore_index!r}. For none, leave it out."
        )


def check_standardize(standardize: bool) -> None:
    """Check whether the teacher term looks at standardised logits."""
    if not isinstance(standardize, bool):
        raise TypeError(f"Expected `standardize` to be True or False, got {standardize!r}.")


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


def check_is_constant(weight: Tensor) -> None:
    """Check that class weights beside class indices are not to be learned."""
    if weight.requires_grad and torch.is_grad_enabled():
        raise ValueError(
            "Expected `weight` without gradient for `labels` that are class indices, as torch "
            "has it, got one that requires a gradient. Write `weight.detach()`."
        )


def check_decoupled(decoupled: tuple[float, float] | None) -> tuple[float, float] | None:
    """Return the weights of the two parts of the divergence, checked."""
    if decoupled is None:
        return None
    if not isinstance(decoupled, tuple | list) or len(decoupled) != 2:
        raise TypeError(
            "Expected `decoupled` to be two weights, of the target part and of the non-target "
            f"part, got {decoupled!r}."
        )
    target, non_target = (check_number("decoupled", weight) for weight in decoupled)
    check_at_least_0("decoupled", target)
    check_at_least_0("decoupled", non_target)
    if target == non_target == 0.0:
        raise ValueError(
            "Expected one of the weights in `decoupled` above 0, got 0 and 0. Without a teacher, "
            "say alpha=0."
        )
    return target, non_target


def check_answer(
    student_logits: Tensor, labels: Tensor, answer: Answer, settings: LossSettings
) -> None:
    """Check a teacher's answer to the logits, and that the loss can be had of it."""
    check_teacher_logits(student_logits, answer.logits)
    for name in ("share", "label_share"):
        share = getattr(answer, name)
        if not isinstance(share, Tensor):
            check_at_least_0(name, share)
            continue
        _check_of_each_sample(name, share, student_logits)
    if settings.decoupled is not None and labels.is_floating_point():
        raise ValueError(
            "Expected `labels` that are class indices where the loss is `decoupled`, got "
            "probabilities: of a mixture no class is the true one. Train without mixup and cutmix."
        )


def check_teacher_logits(
    student_logits: Tensor, teacher_logits: Tensor | FewLogits | float, class_dim: int = 1
) -> None:
    """Check the logits or the gap of a teacher."""
    if isinstance(teacher_logits, FewLogits):
        check_few_logits(student_logits, teacher_logits, class_dim)
        return
    if not isinstance(teacher_logits, Tensor):
        if not is_number(teacher_logits):
            raise TypeError(
                "Expected `teacher_logits` to be logits, a gap or tfkd.FewLogits, got "
                f"{type(teacher_logits).__name__}.{_hint_for_teacher(teacher_logits)}"
            )
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
    one_fewer = teacher_logits.dim() == student_logits.dim() - 1
    if one_fewer and teacher_logits.shape == _of_indices(student_logits, class_dim):
        _check_device("teacher_logits", teacher_logits, student_logits)
        return
    if teacher_logits.shape != student_logits.shape:
        raise ValueError(
            f"Expected `teacher_logits` of the shape of `student_logits`, "
            f"{tuple(student_logits.shape)}, got {tuple(teacher_logits.shape)}: do teacher and "
            "student have the same classes?"
        )
    _check_device("teacher_logits", teacher_logits, student_logits)


def _hint_for_teacher(given: object) -> str:
    if isinstance(given, tuple) and len(given) in (2, 3):
        return " Write `tfkd.FewLogits(*...)` for logits of a few classes, as of `topk`."
    if isinstance(given, torch.nn.Module):
        return " Call it, and give its logits."
    if hasattr(given, "logits"):
        return " Take its `.logits`."
    return ""


def check_few_logits(student_logits: Tensor, few: FewLogits, class_dim: int = 1) -> None:
    """Check the types, dtypes, shapes and devices of the logits of a few classes."""
    values, classes, others = few
    for name, tensor in (("values", values), ("classes", classes)):
        if not isinstance(tensor, Tensor):
            raise TypeError(
                f"Expected `{name}` of few logits to be a tensor, got {type(tensor).__name__}."
            )
    if not values.is_floating_point():
        raise TypeError(
            f"Expected `values` of few logits of a floating point dtype, got {values.dtype}."
        )
    if classes.dtype != torch.int64:
        raise TypeError(f"Expected `classes` of few logits of dtype int64, got {classes.dtype}.")
    if values.shape != classes.shape:
        raise ValueError(
            "Expected `values` and `classes` of few logits of one shape, got "
            f"{tuple(values.shape)} and {tuple(classes.shape)}."
        )
    of_indices = _of_indices(student_logits, class_dim)
    dim, shape, num_classes = dim_of_classes(student_logits, class_dim), list(of_indices), 0
    if values.dim() == student_logits.dim():
        num_classes = values.shape[dim]
        shape.insert(dim, num_classes)
    if tuple(values.shape) != tuple(shape) or not 1 <= num_classes <= student_logits.shape[dim]:
        raise ValueError(
            "Expected `values` of few logits of the shape of `student_logits`, "
            f"{tuple(student_logits.shape)}, but for fewer classes, at least 1, got "
            f"{tuple(values.shape)}."
        )
    _check_device("values", values, student_logits)
    _check_device("classes", classes, student_logits)
    if not isinstance(others, Tensor):
        if not check_number("others", others) < math.inf:
            raise ValueError(
                f"Expected `others` of few logits below infinity and no NaN, got {others}."
            )
        return
    _check_of_each_sample("others", others, student_logits, class_dim)


def check_classes(student_logits: Tensor, few: FewLogits) -> None:
    """Check that the classes of few logits are some, each once in a sample; on the CPU alone."""
    classes = few.classes
    if not has_values_at_hand(classes) or classes.numel() == 0:
        return
    num_classes = student_logits.shape[dim_of_classes(student_logits, 1)]
    lowest, highest = (int(number) for number in classes.aminmax())
    if not 0 <= lowest <= highest < num_classes:
        raise ValueError(
            f"Expected `classes` of few logits in [0, {num_classes - 1}], got "
            f"{lowest if lowest < 0 else highest}."
        )
    if not come_once(classes):
        raise ValueError(
            "Expected `classes` of few logits each once in a sample, got one that comes twice."
        )


def _of_indices(student_logits: Tensor, class_dim: int = 1) -> tuple[int, ...]:
    shape, dim = tuple(student_logits.shape), dim_of_classes(student_logits, class_dim)
    return shape[:dim] + shape[dim + 1 :]


def _check_of_each_sample(
    name: str, numbers: Tensor, student_logits: Tensor, class_dim: int = 1
) -> None:
    shape = _of_indices(student_logits, class_dim)
    if not numbers.is_floating_point():
        raise TypeError(f"Expected `{name}` of a floating point dtype, got {numbers.dtype}.")
    if tuple(numbers.shape) != shape:
        raise ValueError(
            f"Expected `{name}` to be a number or of shape {shape}, one for each sample, got "
            f"{tuple(numbers.shape)}."
        )
    _check_device(name, numbers, student_logits)


def _check_device(name: str, tensor: Tensor, student_logits: Tensor) -> None:
    if tensor.device != student_logits.device:
        raise ValueError(
            f"Expected `{name}` on {student_logits.device}, where `student_logits` is, "
            f"got {tensor.device}."
        )
