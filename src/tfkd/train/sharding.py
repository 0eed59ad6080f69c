"""Tensors that FSDP has spread over the processes: put together for a file, and taken apart."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map


def whole(state: Any) -> Any:
    """Return nested tensors with those that are spread put together; all processes must call it."""
    from torch.distributed.tensor import DTensor

    return tree_map(lambda x: x.full_tensor() if isinstance(x, DTensor) else x, state)


def local(tensor: Tensor) -> Tensor:
    """Return this process's part of a tensor, or all of one that is not spread."""
    from torch.distributed.tensor import DTensor

    return tensor.to_local().detach() if isinstance(tensor, DTensor) else tensor.detach()


def _like(value: Any, pattern: Any) -> Any:
    """Return a whole tensor spread as the pattern is."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(pattern, DTensor) or not isinstance(value, Tensor):
        return value
    if value.shape != pattern.shape:
        return value  # a counter beside a parameter
    device = pattern.to_local().device
    return distribute_tensor(value.to(device), pattern.device_mesh, pattern.placements)


def load_model(model: nn.Module, state: dict[str, Any]) -> None:
    """Load whole tensors into a network, which may be spread."""
    pattern = model.state_dict()
    model.load_state_dict({name: _like(value, pattern[name]) for name, value in state.items()})


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load whole tensors into an optimiser, whose parameters may be spread."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    spread = {
        number: {name: _like(value, parameters[number]) for name, value in values.items()}
        for number, values in state["state"].items()
    }
    optimizer.load_state_dict({**state, "state": spread})
