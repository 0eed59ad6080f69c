"""What the named methods have in common: the options that they pass on, and who teaches."""

from __future__ import annotations

from typing import TypedDict

from torch import Tensor, nn

from tfkd._checks import check_at_least_0, check_positive
from tfkd.loss.schedules import ScaleOfAdded, WeightOfAdded
from tfkd.loss.told import SamplesPerEpoch, Setting
from tfkd.teachers import NetworkTeacher, Teacher


class ReductionOptions(TypedDict, total=False):
    """What `DistillationLoss` takes under the names of `torch.nn.CrossEntropyLoss`.

    In the teacher term `weight` counts by the label of the sample: see `distillation_loss`.
    """

    weight: Tensor | None
    ignore_index: int
    class_dim: int
    reduction: str


class AddedOptions(ReductionOptions, total=False):
    """The options of methods whose weight of what is added may follow a schedule by epochs."""

    samples_per_epoch: SamplesPerEpoch


class LossOptions(ReductionOptions, total=False):
    """The options of `DistillationLoss` that every method passes on."""

    scale: float


def as_teacher(model: nn.Module | Teacher) -> Teacher:
    """Return a `Teacher` as it is, and any other module as the network of a `NetworkTeacher`."""
    return model if isinstance(model, Teacher) else NetworkTeacher(model)


class ScheduledOptions(LossOptions, total=False):
    """And what is needed where one of a penalty's numbers follows epochs."""

    samples_per_epoch: SamplesPerEpoch


class Weights(TypedDict):
    """The numbers of a loss that both terms are weighed by."""

    alpha: Setting
    scale: Setting


def added(weight: Setting, scale: float = 1.0, *, positive: bool = False) -> Weights:
    """Return α and s of scale · (cross-entropy + λ · teacher term), as most later papers write it.

    Args:
        weight: λ, at least 0; a number, or a function of progress.
        scale: on top.
        positive: whether λ has to be above 0.

    Example:
        >>> added(9.0)
        {'alpha': 0.9, 'scale': 10.0}
    """
    if callable(weight):
        return {
            "alpha": WeightOfAdded(weight, positive),
            "scale": ScaleOfAdded(weight, scale),
        }
    (check_positive if positive else check_at_least_0)("added", weight)
    return {"alpha": weight / (1.0 + weight), "scale": scale * (1.0 + weight)}
