"""The one loss: function first, then the module that holds its settings."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tfkd.loss.checks import check_settings, check_teacher_logits, check_tensors, check_weight
from tfkd.loss.equation import loss_by_equation
from tfkd.loss.kernels import kernel_for
from tfkd.loss.terms import LossSettings
from tfkd.teachers.base import Batch, Teacher


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
            of `student_logits`, floating point, taken as they are, as torch takes them: for
            those that do not sum to 1, as several labels at once, this is no loss of theirs.
        teacher_logits: the shape of `student_logits`; log-probabilities are valid logits. Or a
            number, the gap of a teacher whose logit of the true class is that much higher than
            every other: at least 0, which is uniform. The teacher is a constant: no gradient
            reaches it.
        alpha: weight α of the teacher term, in [0, 1]. 0 is `torch.nn.functional.cross_entropy`.
        temperature: τ, positive.
        scale: loss scale s, positive.
        weight: weight of each class, `(K,)`. The label term is torch's; the teacher term of a
            sample is weighed by its label, Σ_k q_k·w_k, over the same divisor. Torch's
            `label_smoothing` weighs the smoothed target class by class, so with weights a uniform
            teacher is not equal to it.
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
    check_settings(alpha, temperature, scale, reduction)
    check_tensors(student_logits, labels, weight, ignore_index)
    settings = LossSettings(alpha, temperature, scale, ignore_index, reduction)
    return _loss(student_logits, labels, teacher_logits, weight, settings)


def _loss(
    student_logits: Tensor,
    labels: Tensor,
    teacher_logits: Tensor | float,
    weight: Tensor | None,
    settings: LossSettings,
) -> Tensor:
    """The loss of checked settings, logits and labels."""
    check_teacher_logits(student_logits, teacher_logits)
    if labels.dtype == torch.uint8:
        labels = labels.long()  # an ignore_index below 0 does not compare with uint8
    formula = kernel_for(student_logits, labels, teacher_logits, settings.alpha) or loss_by_equation
    return formula(student_logits, labels, teacher_logits, weight, settings)


class DistillationLoss(nn.Module):
    """`distillation_loss` with a teacher; a drop-in for `torch.nn.CrossEntropyLoss`.

    It is called as torch's is. One thing it does otherwise than torch's label smoothing: `weight`.

    Args:
        teacher: answers each batch: `UniformTeacher`, `VirtualTeacher`, `NetworkTeacher`, or your
            own `Teacher`. It is not asked when `alpha` is 0.
        alpha: weight of the teacher term, in [0, 1].
        temperature: τ, positive.
        scale: loss scale, positive.
        weight: weight of each class, `(K,)`; a buffer, as in `torch.nn.CrossEntropyLoss`. The
            teacher term of a sample is weighed by its label, Σ_k q_k·w_k, and not class by class,
            as torch weighs a smoothed target.
        ignore_index: class index whose positions do not count.
        reduction: `"mean"`, `"sum"` or `"none"`.

    Shape:
        Called as `criterion(student_logits, labels, inputs=None, indices=None, view=None)`, with
        shapes as in `distillation_loss`; `inputs` are the samples, `indices` `(N,)` say which of
        the data set they are and `view` which augmented view, for teachers that ask.

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
        check_settings(alpha, temperature, scale, reduction)
        if weight is not None:
            check_weight(weight, None, None)
        self.teacher = teacher
        self.alpha = float(alpha)
        self.temperature = float(temperature)
        self.scale = float(scale)
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.register_buffer("weight", weight)

    def forward(
        self,
        student_logits: Tensor,
        labels: Tensor,
        inputs: Tensor | None = None,
        *,
        indices: Tensor | None = None,
        view: int | None = None,
    ) -> Tensor:
        """Return the loss."""
        check_tensors(student_logits, labels, self.weight, self.ignore_index)
        teacher_logits: Tensor | float = 0.0
        if self.alpha > 0.0:
            teacher_logits = self.teacher(Batch(student_logits, labels, inputs, indices, view))
        settings = LossSettings(
            self.alpha, self.temperature, self.scale, self.ignore_index, self.reduction
        )
        return _loss(student_logits, labels, teacher_logits, self.weight, settings)

    def extra_repr(self) -> str:
        """Return the settings for `repr`."""
        return (
            f"alpha={self.alpha:g}, temperature={self.temperature:g}, scale={self.scale:g}, "
            f"ignore_index={self.ignore_index}, reduction={self.reduction!r}"
        )
