"""Optimisers by their name, each with its own numbers."""

from __future__ import annotations

import inspect
import math
from functools import cache
from typing import Any

from msgspec import Struct
from msgspec.structs import force_setattr

from tfkd._checks import check_at_least_0, check_fraction, check_positive, did_you_mean
from tfkd._field_types import check_types


class SGD(Struct, frozen=True, forbid_unknown_fields=True, tag_field="name", tag="sgd"):
    """Stochastic gradient descent.

    Attributes:
        learning_rate: highest learning rate, above 0. Default: by data, or by the optimiser.
        weight_decay: weight decay, at least 0. Default: by data, or by the optimiser.
        momentum: momentum of sgd, in [0, 1]. Default: 0.9.
        nesterov: take Nesterov's form of the momentum.
        layer_decay: what the learning rate is multiplied by from each layer of the network to the
            one before it, in (0, 1]; of timm's networks. Default: 1.
        decay_norms_and_biases: let the weight decay hold for parameters of norms and biases too.
            Default: by data.
    """

    learning_rate: float = 0.1
    weight_decay: float = 5e-4
    momentum: float = 0.9
    nesterov: bool = False
    layer_decay: float = 1.0
    decay_norms_and_biases: bool = True

    def __post_init__(self) -> None:
        _check_optimizer(self)
        check_fraction("momentum", self.momentum)


class AdamW(Struct, frozen=True, forbid_unknown_fields=True, tag_field="name", tag="adamw"):
    """Adam with decoupled weight decay.

    Attributes:
        learning_rate: highest learning rate, above 0.
        weight_decay: weight decay, at least 0.
        layer_decay: as of sgd.
        decay_norms_and_biases: as of sgd.
    """

    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    layer_decay: float = 1.0
    decay_norms_and_biases: bool = True

    def __post_init__(self) -> None:
        _check_optimizer(self)


class TimmOptimizer(Struct, frozen=True, forbid_unknown_fields=True, tag_field="name", tag="timm"):
    """An optimiser of `timm.optim`, with timm's own numbers but for these.

    Attributes:
        algorithm: its name in `timm.optim.list_optimizers()`.
        learning_rate: highest learning rate, above 0. NaN becomes the optimiser's own default, so
            that no value stays implicit.
        weight_decay: weight decay, at least 0; NaN likewise.
        layer_decay: as of sgd.
        decay_norms_and_biases: as of sgd.

    Raises:
        ValueError: for an optimiser that timm does not know or that cannot be used here, or one
            without a learning rate of its own that got none.

    Example:
        >>> TimmOptimizer("lion").learning_rate
        0.0001
    """

    algorithm: str
    learning_rate: float = math.nan
    weight_decay: float = math.nan
    layer_decay: float = 1.0
    decay_norms_and_biases: bool = True

    def __post_init__(self) -> None:
        check_types(self)
        own = _numbers_of_timm(self.algorithm)
        for name, value in own.items():
            if math.isnan(getattr(self, name)):
                if value is None:
                    raise ValueError(
                        f"Expected a `{name}` for the optimizer {self.algorithm}, which has none "
                        "of its own, got none."
                    )
                force_setattr(self, name, value)
        _check_optimizer(self)


def _check_optimizer(optimizer: SGD | AdamW | TimmOptimizer) -> None:
    check_types(optimizer)
    check_positive("learning_rate", optimizer.learning_rate)
    check_at_least_0("weight_decay", optimizer.weight_decay)
    if not 0.0 < optimizer.layer_decay <= 1.0:
        raise ValueError(f"Expected `layer_decay` in (0, 1], got {optimizer.layer_decay}.")


Optimizer = SGD | AdamW | TimmOptimizer

TORCHS = ("sgd", "adamw")
"""The optimisers that are torch's own here."""


@cache
def _numbers_of_timm(algorithm: str) -> dict[str, float | None]:
    """The default learning rate and weight decay of an optimiser of timm; None: it has none."""
    import timm.optim

    timms: Any = timm.optim
    if algorithm in TORCHS:
        raise ValueError(f"Expected `optimizer` {algorithm} to be torch's own, got timm's.")
    known = timms.list_optimizers()
    if algorithm not in known:
        usable = [*TORCHS, *(name for name in known if _why_not(name) is None)]
        hint = did_you_mean(algorithm, usable) or " timm.optim.list_optimizers() has their names."
        raise ValueError(
            f"Expected `optimizer` to be one of {', '.join(TORCHS)}, or of timm's as lamb, lion "
            f"or adan, got {algorithm[:80]!r}.{hint}"
        )
    if (why_not := _why_not(algorithm)) is not None:
        raise ValueError(
            f"Expected an `optimizer` that can be used here, got {algorithm}: {why_not}. timm's "
            "train.py takes it."
        )
    parameters = inspect.signature(
        timms.get_optimizer_class(algorithm, bind_defaults=False)
    ).parameters
    defaults = (parameters["lr"].default, parameters["weight_decay"].default)
    rate, decay = (float(x) if isinstance(x, (int, float)) else None for x in defaults)
    return {"learning_rate": rate, "weight_decay": 0.0 if decay is None else decay}


def _why_not(algorithm: str) -> str | None:
    """Why an optimiser that timm knows cannot be used here; None: it can."""
    import timm.optim

    timms: Any = timm.optim
    info = timms.get_optimizer_info(algorithm)
    if isinstance(info.opt_class, str):
        package = info.opt_class.partition(".")[0]
        return f"it needs the package {package}, whose checkpoints are not known here"
    if info.second_order:
        return "it needs second derivatives"
    if info.opt_class.__name__ == "Kron":
        return "it draws from generators of its own, so that it could not be resumed exactly"
    return None
