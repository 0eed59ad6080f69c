"""What penalties have in common: how they are called, weighed, reduced, and kept up with training.

    L = s · [ H(q, p)  +  λ · R(z) ]

H is the cross-entropy of torch, R what is added for each sample.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple, TypedDict

import torch
import torch.nn.functional as F
from torch import Tensor
from typing_extensions import Unpack  # torch depends on it

from tfkd._checks import check_choice
from tfkd.loss.checks import REDUCTIONS, check_class_dim, check_tensors
from tfkd.loss.terms import class_dim as dim_of
from tfkd.loss.terms import (
    dot,
    in_one_precision,
    is_number,
    reduced,
    sample_weights,
    times_class_weight,
    weighed,
)
from tfkd.loss.told import SamplesPerEpoch, Setting, ToldCriterion
from tfkd.teachers.base import Batch
from tfkd.teachers.logits import classes_second


class Reduction(TypedDict, total=False):
    """What every penalty takes under the names of `torch.nn.CrossEntropyLoss`.

    Attributes:
        weight: weight of each class, `(K,)`. The label term is torch's; the penalty of a sample is
            weighed by its label, Σ_k q_k·w_k, over the same divisor.
        ignore_index: class index whose positions do not count.
        class_dim: which dimension of the logits is the classes; -1 for `(N, L, K)`.
        reduction: `"mean"` over the positions that count (torch's divisor: their total weight for
            class indices, their number for probabilities), `"sum"` or `"none"`.
    """

    weight: Tensor | None
    ignore_index: int
    class_dim: int
    reduction: str


class PenaltyOptions(Reduction, total=False):
    """And the loss scale s, a factor on the whole."""

    scale: Tensor | float


class ModuleOptions(Reduction, total=False):
    """The same for modules, where s may follow a schedule.

    Attributes:
        scale: loss scale s, positive.
        samples_per_epoch: needed where a setting follows epochs, as of `tfkd.DistillationLoss`.
    """

    scale: Setting
    samples_per_epoch: SamplesPerEpoch


class Optimum(NamedTuple):
    """Where the loss of one sample is smallest, if all wrong classes have one logit.

    Attributes:
        gap: between the logit of the true class and theirs; infinite where only certainty will do;
            None where the loss does not say it.
        remark: what the number does not say; empty if nothing.
        is_cross_entropy: whether the loss is plain cross-entropy, having nothing to add.
    """

    gap: float | None
    remark: str = ""
    is_cross_entropy: bool = False


class Penalty(ToldCriterion):
    """A loss that nobody teaches; a drop-in for `torch.nn.CrossEntropyLoss`.

    Subclasses name their numbers in `checked`, and their function in `formula`, which is given
    them. Each number may be a function of `tfkd.loss.schedules.Progress`.

    Args:
        settings: by name, all numbers of `checked` but the scale.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction`,
            `samples_per_epoch`.

    Shape:
        Called as every loss of this package, `criterion(student_logits, labels, inputs=None,
        indices=None, view=None, num_items_in_batch=None)`; `inputs`, `indices` and `view` are not
        looked at.
    """

    formula: Callable[..., Tensor]

    def __init__(self, settings: dict[str, Setting], **options: Unpack[ModuleOptions]) -> None:
        own: dict[str, Any] = dict(options)
        settings = {**settings, "scale": own.pop("scale", 1.0)}
        super().__init__(None, settings, own.pop("samples_per_epoch", None), **own)

    def _loss_of(self, batch: Batch, reduction: str) -> Tensor:
        trained = self._is_trained_by(batch.student_logits)
        if trained:
            self.batch_begins(batch.student_logits)
        loss: Tensor = type(self).formula(
            batch.student_logits,
            batch.labels,
            **dict(zip(self.checked, self._now(), strict=True)),
            **self._not_scheduled(),
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=reduction,
        )
        if trained:
            self.batch_ended(batch)
        return loss

    def _not_scheduled(self) -> dict[str, Any]:
        """Further settings of the formula."""
        return {}

    @property
    @abstractmethod
    def in_words(self) -> str:
        """What is minimised, with the numbers of now, but for the loss scale."""

    @abstractmethod
    def optimum(self, num_classes: int) -> Optimum:
        """Return where the loss of one sample is smallest, with the numbers of now.

        Args:
            num_classes: the number of classes K, at least 2.
        """

    def extra_repr(self) -> str:
        """Return the settings for `repr`."""
        said = [f"{name}={self._said(name)}" for name in self.checked]
        said += [f"{name}={value!r}" for name, value in self._not_scheduled().items()]
        return ", ".join(said + self._said_of_reduction())


def check_setting(
    name: str, value: Tensor | float, check: Callable[[str, float], float]
) -> Tensor | float:
    """Return a number, checked; a tensor, which a module gives that is compiled, as it is."""
    return value if isinstance(value, Tensor) else check(name, value)


def plain_cross_entropy(
    student_logits: Tensor,
    labels: Tensor,
    *,
    scale: Tensor | float = 1.0,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    class_dim: int = 1,
    reduction: str = "mean",
) -> Tensor:
    """Return s · H(q, p), which at s = 1 is torch's to the last bit, its dtype too."""
    z, labels = checked(student_logits, labels, weight, ignore_index, class_dim, reduction)
    loss = F.cross_entropy(z, labels, weight, ignore_index=ignore_index, reduction=reduction)
    return scaled(loss, scale)


def added_to_cross_entropy(
    student_logits: Tensor,
    labels: Tensor,
    penalty: Callable[[Tensor], Tensor],
    added: Tensor | float,
    *,
    scale: Tensor | float = 1.0,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    class_dim: int = 1,
    reduction: str = "mean",
) -> Tensor:
    """Return s · [H(q, p) + λ · R(z)]; with a λ of 0, `plain_cross_entropy`.

    Args:
        student_logits: `(N, K)` or `(N, K, d1, ...)`, or `(K,)` unbatched.
        labels: class indices or probabilities, as torch takes them.
        penalty: R, from logits in float32 at least to the penalty of each sample, of the shape of
            class indices.
        added: λ.
        scale: s.
        weight: as of `Reduction`.
        ignore_index: as of `Reduction`.
        class_dim: as of `Reduction`.
        reduction: as of `Reduction`.
    """
    if is_number(added, 0.0):
        return plain_cross_entropy(
            student_logits,
            labels,
            scale=scale,
            weight=weight,
            ignore_index=ignore_index,
            class_dim=class_dim,
            reduction=reduction,
        )
    z, labels = checked(student_logits, labels, weight, ignore_index, class_dim, reduction)
    z, labels, weight = in_one_precision(z, labels, weight)
    loss = label_term(z, labels, weight, ignore_index, reduction)
    by_label, divisor = sample_weights(labels, z, weight, ignore_index)
    loss = loss + added * reduced(weighed(penalty(z), by_label), divisor, reduction)
    return scaled(loss, scale)


def label_term(
    z: Tensor, labels: Tensor, weight: Tensor | None, ignore_index: int, reduction: str
) -> Tensor:
    """Return torch's cross-entropy, but of masked classes that no label gives anything nothing."""
    if not labels.is_floating_point():
        return F.cross_entropy(z, labels, weight, ignore_index=ignore_index, reduction=reduction)
    dim = dim_of(z)
    loss = -dot(times_class_weight(labels, weight, dim), F.log_softmax(z, dim), dim)
    return reduced(loss, z.numel() // z.shape[dim], reduction)


def checked(
    student_logits: Tensor,
    labels: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    class_dim: int,
    reduction: str,
) -> tuple[Tensor, Tensor]:
    """Return logits and labels, checked, with the classes second; class indices are int64."""
    check_choice("reduction", reduction, REDUCTIONS)
    check_class_dim(class_dim)
    check_tensors(student_logits, labels, weight, ignore_index, class_dim)
    if labels.dim() == student_logits.dim():
        labels = classes_second(labels, class_dim)
    # An ignore_index below 0 does not compare with uint8.
    labels = labels.long() if labels.dtype == torch.uint8 else labels
    return classes_second(student_logits, class_dim), labels


def scaled(loss: Tensor, scale: Tensor | float) -> Tensor:
    """Return s · loss."""
    return loss if is_number(scale, 1.0) else scale * loss
