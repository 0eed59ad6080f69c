"""The one loss: function first, then the module that holds its settings."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tfkd._checks import check_choice, check_fraction, check_number, check_positive
from tfkd.teachers.base import Batch, Teacher

REDUCTIONS = ("mean", "sum", "none")


def distillation_loss(
    student_logits: Tensor,
    labels: Tensor,
    teacher_logits: Tensor | float,
    *,
    alpha: float,
    temperature: float = 1.0,
    scale: float = 1.0,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    r"""Cross-entropy with the labels and divergence from a teacher, weighed by `alpha`.

        L = s · [ (1 − α) · H(q, p)  +  α · τ² · KL(t_τ ‖ p_τ) ]

    with p_τ = softmax(student_logits / τ), t_τ = softmax(teacher_logits / τ), q the labels.

    Args:
        student_logits: `(N, K)` or `(N, K, d1, ...)`, or `(K,)` unbatched; K classes, at least 2.
            Logits of minus infinity mask a class.
        labels: class indices `(N)`, `(N, d1, ...)` or `()`, int64; or probabilities of the shape
            of `student_logits`, floating point.
        teacher_logits: the shape of `student_logits`; log-probabilities are valid logits. Or a
            number, the gap of a teacher whose logit of the true class is that much higher than
            every other: at least 0, which is uniform. The teacher is a constant: no gradient
            reaches it.
        alpha: weight α of the teacher term, in [0, 1]. 0 is `torch.nn.functional.cross_entropy`.
        temperature: τ, positive.
        scale: loss scale s, positive.
        weight: weight of each class, `(K,)`. The label term is torch's; the teacher term of a
            sample is weighed by its label, Σ_k q_k·w_k, over the same divisor.
        ignore_index: class index whose positions count in neither term.
        reduction: `"mean"` over the positions that count (torch's divisor: their total weight for
            class indices, their number for probabilities), `"sum"` or `"none"`.

    Returns:
        A scalar, or for `"none"` one value per position, the shape of class-index labels.
        Logits of half precision are computed and answered in float32, unless `alpha` is 0.

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, range or device.

    Example:
        >>> import torch, tfkd
        >>> student = torch.tensor([[2.0, 0.0, -1.0]])
        >>> teacher = torch.tensor([[3.0, 1.0, 0.0]])
        >>> loss = tfkd.distillation_loss(
        ...     student, torch.tensor([0]), teacher, alpha=0.5, temperature=4.0
        ... )
        >>> round(loss.item(), 4)
        0.0849

    Source: Hinton et al., 2015, arXiv 1503.02531; Yuan et al., 2020, arXiv 1909.11723, eqs. 3-9.
    """
    _check_settings(alpha, temperature, scale, reduction)
    _check_tensors(student_logits, labels, weight, ignore_index)
    if isinstance(teacher_logits, Tensor):
        _check_teacher(student_logits, teacher_logits)
    elif not check_number("teacher_logits", teacher_logits) >= 0.0:
        raise ValueError(
            "Expected `teacher_logits` to be logits, or a gap of at least 0 "
            f"(the true class is no less likely than any other), got {teacher_logits}."
        )

    if alpha == 0.0:
        loss = F.cross_entropy(
            student_logits, labels, weight, ignore_index=ignore_index, reduction=reduction
        )
        return loss if scale == 1.0 else scale * loss

    z = student_logits.float() if student_logits.dtype.itemsize < 4 else student_logits
    class_weight = None if weight is None else weight.to(z.dtype)
    soft_labels = labels.to(z.dtype) if labels.shape == z.shape else None
    if soft_labels is None:
        labels = labels.long()  # an ignore_index below 0 does not compare with uint8
    position_weight, divisor = _position_weights(z, labels, soft_labels, class_weight, ignore_index)

    # The terms are per position, so that each may be infinite alone: 0 · inf never arises.
    class_dim = 0 if z.dim() == 1 else 1
    log_student = F.log_softmax(z / temperature if temperature != 1.0 else z, dim=class_dim)
    if isinstance(teacher_logits, Tensor):
        t = teacher_logits.detach().to(z.dtype)
        divergence = _tensor_divergence(log_student, t / temperature, class_dim)
    elif soft_labels is not None:
        divergence = _gap_divergence_soft(
            log_student, soft_labels, teacher_logits / temperature, class_dim
        )
    else:
        divergence = _gap_divergence(
            log_student, labels, teacher_logits / temperature, class_dim, ignore_index
        )
    loss = alpha * temperature**2 * _weigh(divergence, position_weight)

    if alpha < 1.0:
        log_p = log_student if temperature == 1.0 else F.log_softmax(z, dim=class_dim)
        if soft_labels is None:
            label_loss = F.nll_loss(
                log_p, labels, class_weight, ignore_index=ignore_index, reduction="none"
            )
        else:
            label_loss = -_dot(_per_class(soft_labels, class_weight, class_dim), log_p, class_dim)
        loss = loss + (1.0 - alpha) * label_loss
    elif soft_labels is None:
        # Unused, but it reports a class index out of range as torch does.
        F.nll_loss(log_student.detach(), labels, ignore_index=ignore_index)

    if scale != 1.0:
        loss = scale * loss
    if reduction == "none":
        return loss
    total = loss.sum()
    return total if reduction == "sum" else total / divisor


def _dot(probabilities: Tensor, log_probabilities: Tensor, dim: int) -> Tensor:
    """Sum of p · log p' over classes, where a class without mass counts 0 even at −inf."""
    product = torch.where(probabilities == 0.0, 0.0, probabilities * log_probabilities)
    return product.sum(dim)


def _per_class(soft_labels: Tensor, class_weight: Tensor | None, dim: int) -> Tensor:
    """Soft labels times the weight of each class."""
    if class_weight is None:
        return soft_labels
    shape = [1] * soft_labels.dim()
    shape[dim] = -1
    return soft_labels * class_weight.view(shape)


def _weigh(loss: Tensor, position_weight: Tensor | None) -> Tensor:
    """Weigh each position; one of no weight counts 0 even where its loss is infinite."""
    if position_weight is None:
        return loss
    return torch.where(position_weight == 0.0, 0.0, loss * position_weight)


def _position_weights(
    z: Tensor,
    labels: Tensor,
    soft_labels: Tensor | None,
    class_weight: Tensor | None,
    ignore_index: int,
) -> tuple[Tensor | None, Tensor | int]:
    """Weight of each position, Σ_k q_k·w_k (None: all 1), and the divisor of the mean."""
    class_dim = 0 if z.dim() == 1 else 1
    if soft_labels is not None:
        weights = None
        if class_weight is not None:
            weights = _per_class(soft_labels, class_weight, class_dim).sum(class_dim)
        return weights, z.numel() // z.shape[class_dim]
    valid = labels != ignore_index
    if class_weight is None:
        weights = valid.to(z.dtype)
    else:
        # Clamped only so that this look-up cannot fail before torch reports the label itself.
        index = torch.where(valid, labels, 0).long().clamp(0, z.shape[class_dim] - 1)
        # Not by indexing, which vmap cannot do with the label of a single sample.
        weights = class_weight.index_select(0, index.flatten()).view(index.shape) * valid
    return weights, weights.sum()


def _tensor_divergence(log_student: Tensor, softened_logits: Tensor, dim: int) -> Tensor:
    """KL(t ‖ p) of each position, t = softmax of the teacher's logits over temperature."""
    log_teacher = F.log_softmax(softened_logits, dim=dim)
    return _dot(log_teacher.exp(), log_teacher - log_student, dim)


def softened_gap(gap: float, num_classes: int) -> tuple[float, float]:
    """Return the probability of the true class and of each other one, for a gap of logits."""
    others = (num_classes - 1) * math.exp(-gap)
    return 1.0 / (1.0 + others), math.exp(-gap) / (1.0 + others)


def _gap_divergence(
    log_student: Tensor, labels: Tensor, gap: float, dim: int, ignore_index: int
) -> Tensor:
    """KL(t ‖ p) = Σ_k t_k log t_k − t_other Σ_k log p_k − (t_true − t_other) log p_y."""
    num_classes = log_student.shape[dim]
    true, other = softened_gap(gap, num_classes)
    if other < torch.finfo(log_student.dtype).tiny:  # times an infinite logarithm it were not 0
        return F.nll_loss(log_student, labels, ignore_index=ignore_index, reduction="none")
    negative_entropy = true * math.log(true) + (num_classes - 1) * other * math.log(other)
    divergence = negative_entropy - other * log_student.sum(dim)
    if true == other:
        return divergence
    nll = F.nll_loss(log_student, labels, ignore_index=ignore_index, reduction="none")
    return divergence + (true - other) * nll


def _gap_divergence_soft(log_student: Tensor, soft_labels: Tensor, gap: float, dim: int) -> Tensor:
    """KL(t ‖ p) for the q-mixture t_k = t_other Σ_c q_c + (t_true − t_other) q_k."""
    true, other = softened_gap(gap, log_student.shape[dim])
    mass = soft_labels.sum(dim)
    target = other * mass.unsqueeze(dim) + (true - other) * soft_labels
    divergence: Tensor = -torch.special.entr(target).sum(dim)
    if other >= torch.finfo(log_student.dtype).tiny:
        divergence = divergence - other * mass * log_student.sum(dim)
    if true != other:
        divergence = divergence - (true - other) * _dot(soft_labels, log_student, dim)
    return divergence


def _check_settings(alpha: float, temperature: float, scale: float, reduction: str) -> None:
    check_fraction("alpha", alpha)
    check_positive("temperature", temperature)
    check_positive("scale", scale)
    check_choice("reduction", reduction, REDUCTIONS)


def _check_tensors(
    student_logits: Tensor, labels: Tensor, weight: Tensor | None, ignore_index: int
) -> None:
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
        _check_weight(weight, num_classes, student_logits.device)


def _check_weight(weight: Tensor, num_classes: int | None, device: torch.device | None) -> None:
    """Check the weights, as far as the number of classes and the device are known."""
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


def _check_teacher(student_logits: Tensor, teacher_logits: Tensor) -> None:
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


class DistillationLoss(nn.Module):
    """`distillation_loss` with a teacher; a drop-in for `torch.nn.CrossEntropyLoss`.

    Args:
        teacher: answers each batch: `UniformTeacher`, `VirtualTeacher`, `NetworkTeacher`, or your
            own `Teacher`. It is not asked when `alpha` is 0.
        alpha: weight of the teacher term, in [0, 1].
        temperature: τ, positive.
        scale: loss scale, positive.
        weight: weight of each class, `(K,)`; a buffer, as in `torch.nn.CrossEntropyLoss`.
        ignore_index: class index whose positions do not count.
        reduction: `"mean"`, `"sum"` or `"none"`.

    Shape:
        Called as `criterion(student_logits, labels, inputs=None)`, with shapes as in
        `distillation_loss`; `inputs` are the samples, for teachers that look at them.

    Raises:
        TypeError: for a wrong type; also when a teacher needs `inputs` and gets none.
        ValueError: for a wrong range or shape.

    Example:
        >>> import torch, tfkd
        >>> criterion = tfkd.DistillationLoss(
        ...     tfkd.VirtualTeacher(confidence=0.99), alpha=0.5, temperature=20.0
        ... )
        >>> round(criterion(torch.tensor([[4.0, 0.0, 0.0]]), torch.tensor([0])).item(), 4)
        0.1166
    """

    weight: Tensor | None

    def __init__(
        self,
        teacher: Teacher,
        *,
        alpha: float,
        temperature: float = 1.0,
        scale: float = 1.0,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        if not isinstance(teacher, Teacher):
            raise TypeError(
                f"Expected `teacher` to be a tfkd.Teacher, got {type(teacher).__name__}. "
                "Wrap a network as `tfkd.NetworkTeacher(model)`."
            )
        _check_settings(alpha, temperature, scale, reduction)
        if weight is not None:
            _check_weight(weight, None, None)
        self.teacher = teacher
        self.alpha = float(alpha)
        self.temperature = float(temperature)
        self.scale = float(scale)
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.register_buffer("weight", weight)

    def forward(
        self, student_logits: Tensor, labels: Tensor, inputs: Tensor | None = None
    ) -> Tensor:
        """Return the loss."""
        teacher_logits: Tensor | float = 0.0
        if self.alpha > 0.0:
            _check_tensors(student_logits, labels, self.weight, self.ignore_index)
            teacher_logits = self.teacher(Batch(student_logits, labels, inputs))
        return distillation_loss(
            student_logits,
            labels,
            teacher_logits,
            alpha=self.alpha,
            temperature=self.temperature,
            scale=self.scale,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
        )

    def extra_repr(self) -> str:
        """Return the settings for `repr`."""
        return (
            f"alpha={self.alpha:g}, temperature={self.temperature:g}, scale={self.scale:g}, "
            f"ignore_index={self.ignore_index}, reduction={self.reduction!r}"
        )
