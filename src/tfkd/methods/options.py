"""What the named methods have in common: the options that they pass on, and who teaches."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable
from typing import ParamSpec, TypedDict, TypeVar

from torch import Tensor, nn

from tfkd._checks import check_at_least_0, check_positive, did_you_mean
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


P = ParamSpec("P")
R = TypeVar("R")

_SET = {"alpha", "temperature", "scale"}
"""What makes a loss one method or another: taken by those alone that name it themselves."""


def checks_options(method: Callable[P, R]) -> Callable[P, R]:
    """Have a method say its own name, and what it takes, of an option that it has not.

    Args:
        method: whose last parameter is `**options: Unpack[...]`, of what it passes on.

    Example:
        >>> import tfkd
        >>> tfkd.logit_norm(temperture=0.1)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        TypeError: Expected options of `tfkd.logit_norm` among temperature, ..., scale, ...
    """

    @functools.wraps(method)
    def checked(*args: P.args, **options: P.kwargs) -> R:
        named, taken = _options_of(method)
        for name in options:
            if name not in taken:
                raise TypeError(
                    f"Expected options of `tfkd.{method.__name__}` among {', '.join(named)}, got "
                    f"`{name}`.{did_you_mean(name, taken)}"
                )
        return method(*args, **options)

    return checked


@functools.cache
def _options_of(method: Callable[..., object]) -> tuple[tuple[str, ...], frozenset[str]]:
    """What the signature of a method names; and all it takes, also what is its loss's alone."""
    *own, rest = inspect.signature(method).parameters.values()
    hints = typing.get_type_hints(method)
    (passed_on,) = typing.get_args(hints[rest.name])
    named = [one.name for one in own if one.kind is not one.POSITIONAL_ONLY]
    named += passed_on.__annotations__
    of_loss = inspect.signature(hints["return"]).parameters.values()
    beside = {one.name for one in of_loss if one.kind is one.KEYWORD_ONLY}
    return tuple(named), frozenset(named) | (beside - _SET)


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
