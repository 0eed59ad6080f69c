"""Optimisers by their name, each with its own numbers."""

from __future__ import annotations

from msgspec import Struct

from tfkd._checks import check_at_least_0, check_fraction, check_positive
from tfkd._field_types import check_types


class SGD(Struct, frozen=True, forbid_unknown_fields=True, tag_field="name", tag="sgd"):
    """Stochastic gradient descent.

    Attributes:
        learning_rate: highest learning rate, above 0. Default: by data.
        weight_decay: weight decay of all parameters, at least 0. Default: by data.
        momentum: momentum of sgd, in [0, 1]. Default: 0.9.
        nesterov: take Nesterov's form of the momentum.
    """

    learning_rate: float = 0.1
    weight_decay: float = 5e-4
    momentum: float = 0.9
    nesterov: bool = False

    def __post_init__(self) -> None:
        _check_optimizer(self)
        check_fraction("momentum", self.momentum)


class AdamW(Struct, frozen=True, forbid_unknown_fields=True, tag_field="name", tag="adamw"):
    """Adam with decoupled weight decay.

    Attributes:
        learning_rate: highest learning rate, above 0.
        weight_decay: weight decay of all parameters, at least 0.
    """

    learning_rate: float = 1e-3
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        _check_optimizer(self)


def _check_optimizer(optimizer: SGD | AdamW) -> None:
    check_types(optimizer)
    check_positive("learning_rate", optimizer.learning_rate)
    check_at_least_0("weight_decay", optimizer.weight_decay)


Optimizer = SGD | AdamW
