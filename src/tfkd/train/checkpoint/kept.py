"""What an optimiser keeps of each parameter: by its name what must be there, and of which shape."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tfkd.runs import SGD, AdamW
from tfkd.runs.optimizers import Optimizer
from tfkd.train.optimizer import make_optimizer
from tfkd.train.student import Student


def kept_of_parameters(student: Student) -> dict[str, dict[str, Any]]:
    """Return what the optimiser of a student keeps of every parameter that it changes.

    Args:
        student: that is to be trained on.

    Returns:
        By name of the parameter and of what is kept: a tensor on the device `meta`, or a value of
        the right kind; of SGD, whose momentum may be none, a tensor.
    """
    groups = student.optimizer.optimizer.param_groups
    parameters = [own for group in groups for own in group["params"]]
    if isinstance(student.settings, SGD):
        kept = [{"momentum_buffer": _meta(own)} for own in parameters]
    elif isinstance(student.settings, AdamW):
        step = torch.empty((), device="meta")
        kept = [
            {"step": step, "exp_avg": _meta(own), "exp_avg_sq": _meta(own)} for own in parameters
        ]
    else:
        kept = _after_a_step(groups, student.settings)
    return dict(zip(student.parameters, kept, strict=True))


def _after_a_step(groups: list[dict[str, Any]], settings: Optimizer) -> list[dict[str, Any]]:
    """What an optimiser of timm keeps after a step: one is taken, with a parameter of each shape.

    It is the same after every step, as is tested of all of them.
    """
    stand_ins: dict[tuple[int, torch.Size, torch.dtype], nn.Parameter] = {}
    places, fresh = [], []
    for number, group in enumerate(groups):
        own = {}
        for parameter in group["params"]:
            key = (number, parameter.shape, parameter.dtype)
            places.append(key)
            if key not in stand_ins:
                stand_ins[key] = nn.Parameter(torch.zeros(parameter.shape, dtype=parameter.dtype))
                stand_ins[key].grad = torch.ones_like(stand_ins[key])
                own[key] = stand_ins[key]
        fresh.append({**group, "params": list(own.values())})
    optimizer = make_optimizer([group for group in fresh if group["params"]], settings)
    with torch.random.fork_rng(devices=[]):
        optimizer.step()
    after = {
        key: {
            name: _meta(value) if isinstance(value, Tensor) else value
            for name, value in optimizer.state[parameter].items()
        }
        for key, parameter in stand_ins.items()
    }
    return [after[place] for place in places]


def check_kept(name: str, found: Any, expected: Any) -> None:
    """Check a value that a checkpoint has of a parameter.

    Args:
        name: of the value.
        found: in the checkpoint.
        expected: as `kept_of_parameters` returns it.

    Raises:
        ValueError: if it is of another kind or shape.
    """
    if isinstance(expected, Tensor):
        if found is None and name.startswith("momentum_buffer "):  # as SGD without momentum has it
            return
        check_tensor(name, found, expected.shape, expected.dtype)
    elif type(found) is not type(expected):
        raise ValueError(
            f"expected `{name}` as {type(expected).__name__}, got {type(found).__name__}"
        )


def check_tensor(name: str, found: Any, shape: torch.Size, dtype: torch.dtype) -> None:
    """Check a tensor of a checkpoint; `ValueError` with what was expected, and what came."""
    wanted = f"{dtype} {tuple(shape)}"
    got = type(found).__name__
    if isinstance(found, Tensor):
        got = f"{found.dtype} {tuple(found.shape)}"
    if got != wanted:
        raise ValueError(f"expected `{name}` as {wanted}, got {got}")


def _meta(tensor: Tensor) -> Tensor:
    return torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")
