"""The one loss of what a linear head is given, the head inside of it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tfkd.loss.checks import check_decoupled, check_settings, check_standardize
from tfkd.loss.linear.checks import TeacherOfHead, check_head, check_labels, checked_teacher
from tfkd.loss.linear.chunks import chunked_loss
from tfkd.loss.linear.names import head_by_name
from tfkd.loss.linear.parts import Asked, Head, dtype_of
from tfkd.loss.terms import LossSettings

NAMES = ("`hidden`", "`linear_weight`", "`linear_bias`")


@head_by_name
def linear_distillation_loss(
    hidden: Tensor,
    linear_weight: Tensor,
    labels: Tensor,
    teacher: TeacherOfHead,
    *,
    linear_bias: Tensor | None = None,
    alpha: float,
    temperature: float = 1.0,
    scale: float = 1.0,
    decoupled: tuple[float, float] | None = None,
    standardize: bool = False,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    r"""`distillation_loss` of a linear head's logits, which never exist all at once.

        z = hidden @ linear_weight.T + linear_bias,    L = distillation_loss(z, labels, teacher)

    For vocabularies: of 8,192 tokens and 128,256 classes the logits alone take 4 GB in float32,
    and their gradient as much again. Here loss and gradients are computed in one pass over chunks
    of tokens; beside the gradients of `hidden` and of the head only a chunk's logits exist. A
    designed teacher costs what cross-entropy does, at any temperature.

    Args:
        hidden: `(N, D)`, `(N, L, D)` or `(D,)`: what the last layer is given.
        linear_weight: `(K, D)`, as of `torch.nn.Linear`; K classes, at least 2.
        labels: class indices `(N,)`, `(N, L)` or `()`, int64.
        teacher: a gap, as of `distillation_loss`, or one for each token, of the shape of `labels`;
            or `(hidden, linear_weight)`, or `(hidden, linear_weight, linear_bias)`, of a network
            that teaches, with a D of its own and the same K, whose logits do not exist at once
            either; or logits, `(N, K)` or `(N, L, K)`. The teacher is a constant.
        linear_bias: `(K,)`; `head.bias`, unless the layer has none: nobody can tell that it is
            missing.
        alpha: weight α of the teacher term, in [0, 1]. 0 is cross-entropy.
        temperature: τ, positive.
        scale: loss scale s, positive.
        decoupled: as in `distillation_loss`.
        standardize: as in `distillation_loss`.
        weight: weight of each class, `(K,)`, as in `distillation_loss`.
        ignore_index: class index whose tokens count in neither term; nothing is computed of them.
        reduction: `"mean"` over the tokens that count, `"sum"` or `"none"`, whose backward pass
            computes everything once more.

    Returns:
        A scalar, or for `"none"` one value for each token. In float32 for what is of half
        precision, also where `alpha` is 0: logits are computed in its dtype, or in that of
        `torch.autocast`, and losses and gradients are summed in float32.

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, range or device.

    Compiled by `torch.compile` it stays as it is, outside of the graph. Under `torch.func`, in
    forward mode and where gradients are differentiated again, it is right and all logits exist.

    Example:
        >>> import torch, tfkd
        >>> hidden = torch.tensor([[1.0, 0.0], [0.5, 2.0]], requires_grad=True)
        >>> linear_weight = torch.tensor([[2.0, 0.0], [0.0, 1.0], [-1.0, 0.5]])
        >>> labels = torch.tensor([0, 1])
        >>> loss = tfkd.linear_distillation_loss(hidden, linear_weight, labels, 5.0, alpha=0.5)
        >>> round(loss.item(), 4)
        0.2896
        >>> logits = hidden @ linear_weight.T
        >>> round(tfkd.distillation_loss(logits, labels, 5.0, alpha=0.5).item(), 4)
        0.2896
    """
    check_settings(alpha, temperature, scale, reduction)
    check_standardize(standardize)
    settings = LossSettings(
        alpha, temperature, scale, ignore_index, reduction, check_decoupled(decoupled), standardize
    )
    head = Head(hidden, linear_weight, linear_bias)
    loss: Tensor = loss_of_head(head, labels, teacher, weight, settings)
    return loss


@torch.compiler.disable  # type: ignore[untyped-decorator]
def loss_of_head(
    head: Head,
    labels: Tensor,
    teacher: TeacherOfHead,
    class_weight: Tensor | None,
    settings: LossSettings,
) -> Tensor:
    """Return the loss of checked settings.

    Args:
        head: of the student.
        labels: as of `linear_distillation_loss`.
        teacher: the same.
        class_weight: the same.
        settings: of the loss, numbers.
    """
    check_head(head, NAMES)
    check_labels(head, labels, class_weight, settings.ignore_index)
    taught = checked_teacher(teacher, head)
    if isinstance(taught, Head):
        taught = taught.detached().flat().in_dtype(dtype_of(taught.hidden))
    elif isinstance(taught, Tensor):
        of_tokens = taught.shape == labels.shape
        taught = taught.detach().reshape((-1,) if of_tokens else (-1, len(head.weight)))
    flat = labels.flatten()
    flat = flat.long() if flat.dtype == torch.uint8 else flat
    if settings.alpha == 0.0:
        # Cross-entropy is the divergence from a teacher that is certain of the label.
        _, _, scale, ignore_index, reduction = settings[:5]
        taught, settings = math.inf, LossSettings(1.0, 1.0, scale, ignore_index, reduction)
    asked = Asked(flat, taught, class_weight, settings)
    loss = chunked_loss(head.flat(), asked)
    return loss.reshape(labels.shape) if settings.reduction == "none" else loss
