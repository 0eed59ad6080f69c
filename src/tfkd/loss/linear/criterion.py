"""The module that holds the settings of a linear head's loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tfkd.loss.checks import CHECKED, check_decoupled, check_num_items, check_standardize
from tfkd.loss.distillation import DistillationLoss
from tfkd.loss.linear.checks import TeacherOfHead
from tfkd.loss.linear.distillation import loss_of_head
from tfkd.loss.linear.names import head_by_name
from tfkd.loss.linear.parts import Head
from tfkd.loss.terms import LossSettings
from tfkd.loss.told import SamplesPerEpoch, Setting, ToldCriterion
from tfkd.teachers.base import Batch, Teacher, wants


class LinearDistillationLoss(ToldCriterion):
    """`linear_distillation_loss` with its settings, and with a teacher if that answers a gap.

    Args:
        teacher: one that answers one gap whatever the sample: `UniformTeacher`, which is label
            smoothing, or `VirtualTeacher`. None: who teaches is said at each call.
        alpha: as of `DistillationLoss`, as the two that follow: a number, or a schedule.
        temperature: τ.
        scale: loss scale.
        decoupled: as in `distillation_loss`.
        standardize: as in `distillation_loss`.
        samples_per_epoch: as of `DistillationLoss`, for schedules that count epochs.
        weight: weight of each class, `(K,)`; a buffer.
        ignore_index: class index whose tokens do not count.
        reduction: `"mean"`, `"sum"` or `"none"`.

    Shape:
        Called as `criterion(hidden, linear_weight, labels, *, linear_bias=None, teacher=None,
        num_items_in_batch=None)`, with shapes as in `linear_distillation_loss`. Write
        `linear_bias=head.bias`, unless the layer has none; nobody can tell that it is missing.

    Raises:
        TypeError: for a wrong type; for a teacher that would have to see logits.
        ValueError: for a wrong range or shape.

    Example:
        >>> import torch, tfkd
        >>> head = torch.nn.Linear(2, 3)
        >>> _ = torch.nn.init.ones_(head.weight), torch.nn.init.zeros_(head.bias)
        >>> criterion = tfkd.LinearDistillationLoss(tfkd.UniformTeacher(), alpha=0.1)
        >>> hidden, labels = torch.randn(4, 2), torch.tensor([0, 2, 1, -100])
        >>> loss = criterion(hidden, head.weight, labels, linear_bias=head.bias)
        >>> round(loss.item(), 4)
        0.9888

        With the settings of a method:

        >>> tfkd.LinearDistillationLoss.of(tfkd.tf_kd_reg(alpha=0.1, temperature=20.0))
        LinearDistillationLoss(
          alpha=0.1, temperature=20, scale=1, ignore_index=-100, reduction='mean'
          (teacher): VirtualTeacher(confidence=0.99)
        )
    """

    def __init__(
        self,
        teacher: Teacher | None = None,
        *,
        alpha: Setting,
        temperature: Setting = 1.0,
        scale: Setting = 1.0,
        decoupled: tuple[float, float] | None = None,
        standardize: bool = False,
        samples_per_epoch: SamplesPerEpoch = None,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> None:
        numbers = {"alpha": alpha, "temperature": temperature, "scale": scale}
        super().__init__(
            teacher,
            numbers,
            samples_per_epoch,
            weight=weight,
            ignore_index=ignore_index,
            class_dim=-1,
            reduction=reduction,
        )
        self.decoupled = decoupled
        self.standardize = standardize

    @classmethod
    def of(cls, criterion: DistillationLoss) -> LinearDistillationLoss:
        """Return this loss with the teacher and the settings of another, as a method makes it.

        Args:
            criterion: such as `tfkd.label_smoothing(0.1)` or `tfkd.tf_kd_reg()`.

        Raises:
            TypeError: for another loss; for a teacher that would have to see logits.
        """
        if not isinstance(criterion, DistillationLoss):
            raise TypeError(
                "Expected `criterion` to be a tfkd.DistillationLoss, such as `tfkd.tf_kd_reg()`, "
                f"got {type(criterion).__name__}."
            )
        names = ("decoupled", "standardize", "samples_per_epoch", "weight", "ignore_index")
        numbers = {name: getattr(criterion, name) for name in CHECKED} | criterion.schedules
        options = {name: getattr(criterion, name) for name in (*names, "reduction")}
        return cls(criterion.teacher, **numbers, **options)

    @property
    def has_teacher(self) -> bool:
        """Whether it has one; else who teaches is said at each call."""
        return self._is_taught

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "standardize":
            check_standardize(value)
        elif name == "teacher":
            _check_answers_a_gap(value)
        super().__setattr__(name, check_decoupled(value) if name == "decoupled" else value)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    @head_by_name
    def forward(
        self,
        hidden: Tensor,
        linear_weight: Tensor,
        labels: Tensor,
        *,
        linear_bias: Tensor | None = None,
        teacher: TeacherOfHead | None = None,
        num_items_in_batch: Tensor | float | None = None,
    ) -> Tensor:
        """Return the loss.

        Args:
            hidden: as of `tfkd.linear_distillation_loss`.
            linear_weight: the same.
            labels: the same.
            linear_bias: the same.
            teacher: the same; where the criterion has none, unless its `alpha` is 0.
            num_items_in_batch: as of other losses: the sum over this batch is divided by it, as
                gradient accumulation wants it. For the reduction `"mean"`.
        """
        reduction = self.reduction
        if num_items_in_batch is not None:
            check_num_items(num_items_in_batch, reduction)
            reduction = "sum"
        trained = self._is_trained_by(hidden)
        if trained:
            self.batch_begins(hidden)
        alpha, temperature, scale = (getattr(self, name) for name in CHECKED)
        settings = LossSettings(
            alpha,
            temperature,
            scale,
            self.ignore_index,
            reduction,
            self.decoupled,
            self.standardize,
        )
        taught = self._answer(teacher, linear_weight)
        head = Head(hidden, linear_weight, linear_bias)
        loss = loss_of_head(head, labels, taught, self.weight, settings)
        if trained:
            self.batch_ended(Batch(hidden, labels))
        return loss if num_items_in_batch is None else _divided(loss, num_items_in_batch)

    def _answer(self, teacher: TeacherOfHead | None, linear_weight: Tensor) -> TeacherOfHead:
        """Who teaches now: said at the call, or the teacher's gap."""
        if teacher is not None:
            if self.has_teacher:
                raise TypeError(
                    "Expected one teacher, got one at the call where the criterion has "
                    f"{type(self.teacher).__name__}."
                )
            return teacher
        if self.has_teacher and isinstance(linear_weight, Tensor) and linear_weight.dim() == 2:
            gap = self.teacher.gap(len(linear_weight))
            if gap is None:
                raise TypeError(_refusal(self.teacher))
            return gap
        if not self.has_teacher and self.alpha != 0.0:
            raise TypeError(
                "Expected `teacher` at the call, since the criterion has none and its alpha is "
                f"{self.alpha:g}: `(hidden, linear_weight)` of a network that teaches, or a gap."
            )
        return 0.0

    def extra_repr(self) -> str:
        """Return the settings for `repr`."""
        said = [f"{name}={self._said(name)}" for name in CHECKED]
        said += [f"decoupled={self.decoupled}"] if self.decoupled is not None else []
        said += ["standardize=True"] if self.standardize else []
        return ", ".join(
            [*said, f"ignore_index={self.ignore_index}", f"reduction={self.reduction!r}"]
        )


def _divided(total: Tensor, items: Tensor | float) -> Tensor:
    # Where nothing counts there is nothing to learn, and 0/0 would reach the weights.
    if isinstance(items, Tensor):
        counted = items.to(total)
        return total / counted.masked_fill(counted == 0.0, 1.0)
    return total / (items or 1.0)


def _check_answers_a_gap(teacher: Teacher) -> None:
    answers = isinstance(teacher, Teacher) and type(teacher).gap is not Teacher.gap
    if not answers or wants(teacher, "observe"):
        raise TypeError(_refusal(teacher))


def _refusal(teacher: Teacher) -> str:
    return (
        "Expected a `teacher` that answers one gap whatever the sample, as UniformTeacher and "
        f"VirtualTeacher do, got {type(teacher).__name__}. A network that teaches is given at each "
        "call, by its last layer and what that is given, as "
        "`criterion(..., teacher=(hidden, layer.weight, layer.bias))`; for teachers that look at "
        "logits, or keep them, as CachedTeacher does, call `tfkd.DistillationLoss` on the logits."
    )
