"""Copies of networks, which stay as they are."""

from __future__ import annotations

import contextlib
import copy

import torch
from torch import Tensor, nn


def copy_of(network: nn.Module) -> nn.Module:
    """Return a deep copy of a network.

    A tensor that it has computed and keeps is copied as a constant, of which torch makes no copy:
    the weight of the old `torch.nn.utils.weight_norm`, which the next forward pass computes anew.
    """
    computed = (
        value
        for module in network.modules()
        for value in vars(module).values()
        if isinstance(value, Tensor) and not value.is_leaf
    )
    with torch.no_grad():  # else the weights of a scripted copy were computed themselves
        return copy.deepcopy(network, {id(value): value.detach().clone() for value in computed})


def frozen(network: nn.Module) -> nn.Module:
    """Return a copy of a network, or the network where none can be made, in eval mode, frozen."""
    with contextlib.suppress(Exception):  # whatever its parts answer to being copied
        network = copy_of(network)
    # An exported program has the mode in which it was exported, and says that it has no other.
    with contextlib.suppress(NotImplementedError):
        network.eval()
    for parameter in network.parameters():  # scripted modules have no `requires_grad_`
        parameter.requires_grad_(False)
    return network
