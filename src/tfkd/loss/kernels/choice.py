"""Which kernel computes a loss, if any, and the switch that leaves all to the equation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.autograd.forward_ad import unpack_dual

from tfkd.loss.kernels.closed_form import closed_form_loss
from tfkd.loss.kernels.few_form import closed_form_of_few
from tfkd.loss.kernels.few_sweep import swept_loss_of_few
from tfkd.loss.kernels.gpu_sweep import is_swept_on_gpu, swept_loss_on_gpu
from tfkd.loss.kernels.logits_form import closed_form_of_logits
from tfkd.loss.kernels.logits_sweep import swept_loss_of_logits
from tfkd.loss.kernels.one_pass import Kernel
from tfkd.loss.kernels.sweep import swept_loss
from tfkd.loss.terms import LossSettings, is_number
from tfkd.teachers.base import Answer, is_plain, is_transformed
from tfkd.teachers.few_logits import FewLogits

_allowed = True


def kernel_for(
    student_logits: Tensor,
    labels: Tensor,
    answer: Answer,
    class_weight: Tensor | None,
    settings: LossSettings,
) -> Kernel | None:
    """Return what computes this loss faster than the equation, called alike; None if nothing does.

    | teacher           | labels        | asked for                               | kernel         |
    |-------------------|---------------|-----------------------------------------|----------------|
    | one gap, logits   | class indices | a gradient, of `(N, K)` on a GPU        | `gpu_sweep`    |
    | one gap           | class indices | a gradient, of a batch, eager           | `sweep`        |
    | gaps, shares      | any           | all else: compiled, `torch.func`, value | `closed_form`  |
    | few logits        | class indices | a gradient, of a batch, eager           | `few_sweep`    |
    | the same, shares  | any           | all else                                | `few_form`     |
    | logits, decoupled | any           | a gradient, of a batch, eager           | `logits_sweep` |
    | logits            | class indices | compiled                                | `logits_form`  |
    | logits            | any           | all else                                | none           |
    | others, decoupled | class indices | anything                                | none           |
    | standardised      | any           | anything                                | none           |
    """
    if not _allowed or is_number(settings.alpha, 0.0) or settings.standardize:
        return None
    said = answer.logits
    soft = labels.is_floating_point()
    numbers = (settings.alpha, settings.temperature, settings.scale)
    of_a_batch = student_logits.dim() > 1 and student_logits.numel() > 0
    eager = of_a_batch and not any(isinstance(number, Tensor) for number in numbers)
    learned = any(x is not None and x.requires_grad for x in (labels, class_weight))
    backpropagated = eager and _is_backpropagated(student_logits)
    if backpropagated and not learned and is_swept_on_gpu(student_logits, labels, answer, settings):
        return swept_loss_on_gpu
    if isinstance(said, Tensor) and said.shape == student_logits.shape:
        if backpropagated and not learned:
            return swept_loss_of_logits
        compiled = torch.compiler.is_compiling() and not soft and settings.decoupled is None
        return closed_form_of_logits if compiled else None
    if settings.decoupled is not None:
        return None
    swept = backpropagated and is_plain(answer) and not soft
    if isinstance(said, FewLogits):
        return swept_loss_of_few if swept else closed_form_of_few
    if swept and not isinstance(said, Tensor):
        return swept_loss
    return closed_form_loss


@contextmanager
def without_kernels() -> Iterator[None]:
    """Compute every loss by the equation, term by term: to read, to debug and to compare.

    Values and gradients are the same but for rounding, in more time and memory: a target of the
    shape of the logits is built. As `torch.backends.cudnn.flags` it holds for the whole process,
    other threads too; what is compiled is compiled once more. It may be nested, and stands before
    a function as a decorator.

    Example:
        >>> import torch, tfkd
        >>> logits, labels = torch.tensor([[4.0, 0.0, 0.0]]), torch.tensor([0])
        >>> criterion = tfkd.tf_kd_reg(alpha=0.5, temperature=20.0)
        >>> with tfkd.loss.without_kernels():
        ...     round(criterion(logits, labels).item(), 4)
        0.1166
        >>> round(criterion(logits, labels).item(), 4)
        0.1166
    """
    global _allowed
    before, _allowed = _allowed, False
    try:
        yield
    finally:
        _allowed = before


def _is_backpropagated(logits: Tensor) -> bool:
    """Whether a gradient will be asked for, of a plain tensor and by plain backpropagation.

    Compilers, `torch.func`, forward-mode differentiation and subclasses of tensors get operations
    that they can follow.
    """
    return (
        logits.requires_grad
        and torch.is_grad_enabled()
        and type(logits) in (Tensor, torch.nn.Parameter)
        and not is_transformed()
        and unpack_dual(logits).tangent is None  # type: ignore[no-untyped-call]
    )
