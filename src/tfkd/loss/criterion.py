"""What every loss of this package is, whatever it computes: called alike, and told alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tfkd._checks import check_choice
from tfkd.loss.checks import (
    REDUCTIONS,
    check_class_dim,
    check_ignore_index,
    check_num_items,
    check_tensors,
    check_weight,
)
from tfkd.teachers.base import Batch, replaced
from tfkd.teachers.logits import classes_second


class Criterion(nn.Module):
    """A loss that is called as `criterion(logits, labels, inputs, indices=..., view=...)`.

    A loop may tell any of them of its steps and epochs; those that want to know say so.

    Args:
        weight: of each class, `(K,)`; a buffer, as in `torch.nn.CrossEntropyLoss`.
        ignore_index: class index whose positions do not count.
        class_dim: which dimension of the logits is the classes; -1 for `(N, L, K)`, as language
            models have it. The default reads them as torch does.
        reduction: `"mean"`, `"sum"` or `"none"`.
    """

    weight: Tensor | None

    def __init__(
        self,
        *,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        class_dim: int = 1,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        if weight is not None:
            self._check_weight("weight", weight)
        self.ignore_index = ignore_index
        self.class_dim = class_dim
        self.reduction = reduction
        self.register_buffer("weight", weight)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "reduction":
            check_choice(name, value, REDUCTIONS)
        elif name == "ignore_index":
            check_ignore_index(value)
        elif name == "class_dim":
            check_class_dim(value)
        elif name == "weight" and value is not None:
            self._check_weight(name, value)
        super().__setattr__(name, value)

    def forward(
        self,
        student_logits: Tensor | None = None,
        labels: Tensor | None = None,
        inputs: Tensor | Mapping[str, Any] | None = None,
        *,
        indices: Tensor | None = None,
        view: int | None = None,
        num_items_in_batch: Tensor | float | None = None,
        input: Tensor | None = None,
        target: Tensor | None = None,
    ) -> Tensor:
        """Return the loss.

        Args:
            student_logits: as of `tfkd.distillation_loss`.
            labels: as of `tfkd.distillation_loss`.
            inputs: the samples, for teachers that look at them: a tensor, or what a network takes
                by name.
            indices: `(N,)` int64, which of the data set they are, for teachers that ask.
            view: which augmented view, for teachers that ask.
            num_items_in_batch: the positions that count in all the batches whose gradients are
                accumulated, as Hugging Face's `Trainer` counts them: a number, or one in a tensor
                on any device. The loss is the sum over this batch's, divided by it; by 1 where
                it is 0, for of nothing that sum is 0. For the reduction `"mean"`; None: the mean of
                this batch. Logits of half precision are answered in float32, in which a sum has
                room.
            input: torch's name of `student_logits`.
            target: torch's name of `labels`.
        """
        student_logits = _either("student_logits", student_logits, "input", input)
        labels = _either("labels", labels, "target", target)
        labels = self._checked_labels(student_logits, labels)
        if indices is not None and not isinstance(indices, Tensor):
            raise TypeError(
                f"Expected `indices` to be a tensor of dtype int64, got {type(indices).__name__}."
            )
        soft = labels.dim() == student_logits.dim()
        batch = Batch(
            classes_second(student_logits, self.class_dim),
            classes_second(labels, self.class_dim) if soft else labels,
            inputs,
            indices,
            view,
            ignore_index=self.ignore_index,
            class_dim=self.class_dim,
        )
        if num_items_in_batch is None:
            return self._loss_of(batch, self.reduction)
        check_num_items(num_items_in_batch, self.reduction)
        if student_logits.dtype in (torch.float16, torch.bfloat16):
            batch = replaced(batch, student_logits=batch.student_logits.float())
        total = self._loss_of(batch, "sum")
        # Where nothing counts there is nothing to learn, and 0/0 would reach the weights.
        if isinstance(num_items_in_batch, Tensor):
            counted = num_items_in_batch.to(total)
            return total / torch.where(counted == 0.0, 1.0, counted)
        return total / (num_items_in_batch or 1.0)

    def _check_weight(self, name: str, weight: Tensor) -> None:
        """Check a weight as far as it can be without logits."""
        check_weight(weight, None, None)

    def _checked_labels(self, student_logits: Tensor, labels: Tensor) -> Tensor:
        """Check what the loss is called with, and return the labels as a teacher sees them."""
        check_tensors(student_logits, labels, self.weight, self.ignore_index, self.class_dim)
        return labels

    def _loss_of(self, batch: Batch, reduction: str) -> Tensor:
        """The loss of checked logits and labels, whose classes are the second dimension."""
        raise NotImplementedError

    def _said_of_reduction(self) -> list[str]:
        """What `repr` says of what every loss has."""
        said = [f"ignore_index={self.ignore_index}"]
        said += [f"class_dim={self.class_dim}"] if self.class_dim != 1 else []
        return [*said, f"reduction={self.reduction!r}"]

    def step_ended(self, student: nn.Module) -> None:
        """Tell of a step of the optimiser, after it.

        Args:
            student: the network that is trained, with its new weights.
        """

    def epoch_ended(self) -> None:
        """Tell that all samples of an epoch were seen."""


def as_criterion(name: str, criterion: Any) -> Criterion:
    """Return a criterion, out of what torch.compile wraps it in; `TypeError` for anything else."""
    whole = getattr(criterion, "_orig_mod", criterion)
    if not isinstance(whole, Criterion):
        raise TypeError(
            f"Expected `{name}` to be a criterion of tfkd, such as `tfkd.tf_kd_reg()`, got "
            f"{type(criterion).__name__}. torch's own is `tfkd.cross_entropy()`, or "
            "`tfkd.binary_cross_entropy()` of several labels."
        )
    return whole


def _either(name: str, value: Any, torchs_name: str, torchs: Any) -> Any:
    """An argument under our name or under torch's."""
    if value is not None and torchs is not None:
        raise TypeError(
            f"Expected `{name}` or `{torchs_name}`, torch's name of the same, got both. The "
            "samples, for teachers that look at them, are `inputs`."
        )
    return torchs if value is None else value
