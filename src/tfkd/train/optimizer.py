"""The optimiser of a student, with a group of parameters for each way in which they are changed."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tfkd.runs import SGD, AdamW
from tfkd.runs.optimizers import Optimizer

Groups = list[dict[str, Any]]


def parameter_groups(network: nn.Module, settings: Optimizer, *, name: str) -> Groups:
    """Return the parameters that are trained, by learning rate and weight decay.

    Args:
        network: of which some may be frozen.
        settings: of the optimiser.
        name: of the network.

    Returns:
        Groups as torch's optimisers take them; `lr_scale` is what the learning rate is multiplied
        by there.

    Raises:
        ValueError: if the learning rate is to decay by layers that the network does not say.
    """
    if settings.decay_norms_and_biases and settings.layer_decay == 1.0:
        return [{"params": [p for p in network.parameters() if p.requires_grad]}]
    import timm.optim

    timms: Any = timm.optim
    listed: Any = getattr(network, "no_weight_decay", set)
    kept = () if settings.decay_norms_and_biases else tuple(listed())
    if settings.layer_decay == 1.0:
        return list(
            timms.param_groups_weight_decay(
                network, weight_decay=settings.weight_decay, no_weight_decay_list=kept
            )
        )
    if not hasattr(network, "group_matcher"):
        raise ValueError(
            f"Expected a network of timm, which says its layers, for `layer_decay` "
            f"{settings.layer_decay:g}, got {name}."
        )
    return list(
        timms.param_groups_layer_decay(
            network,
            weight_decay=settings.weight_decay,
            no_weight_decay_list=kept,
            weight_decay_exclude_1d=not settings.decay_norms_and_biases,
            layer_decay=settings.layer_decay,
        )
    )


def make_optimizer(groups: Groups, settings: Optimizer) -> torch.optim.Optimizer:
    """Return the optimiser of some parameters.

    Args:
        groups: as `parameter_groups` returns them.
        settings: of the optimiser.
    """
    if isinstance(settings, AdamW):
        return torch.optim.AdamW(
            groups, lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
    if isinstance(settings, SGD):
        return torch.optim.SGD(
            groups,
            lr=settings.learning_rate,
            momentum=settings.momentum,
            nesterov=settings.nesterov,
            weight_decay=settings.weight_decay,
        )
    import timm.optim

    timms: Any = timm.optim
    made: torch.optim.Optimizer = timms.create_optimizer_v2(
        groups,
        opt=settings.algorithm,
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
    )
    return made
