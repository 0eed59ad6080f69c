"""Says in words how two things differ, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from tfkd.teachers import Answer


def tensors_differ(ours: Tensor | float, other: Tensor | float, tolerance: float = 0.0) -> str:
    """Return how two tensors differ: in words, or nothing where none is off by more."""
    a, b = torch.as_tensor(ours).detach().cpu(), torch.as_tensor(other).detach().cpu()
    if a.shape != b.shape:
        return f"shape {tuple(a.shape)} is not {tuple(b.shape)}"
    if tolerance == 0.0 and a.dtype != b.dtype:
        return f"{a.dtype} is not {b.dtype}"
    a, b = (x if x.dtype in (torch.int64, torch.bool) else x.double() for x in (a, b))
    same = (a == b) | (a.isnan() & b.isnan())
    if tolerance > 0.0:
        same |= (a - b).abs() <= tolerance * (1.0 + b.abs())
    if bool(same.all()):
        return ""
    at = tuple(int(i) for i in (~same).nonzero()[0])
    return f"{int((~same).sum())} of {same.numel()} numbers; at {at} {a[at]!s} is not {b[at]!s}"


def answers_differ(ours: Answer, other: Answer, tolerance: float = 0.0) -> str:
    """Return how two answers differ, or nothing."""
    a: Any
    b: Any
    for name, a, b in zip(Answer._fields, ours, other, strict=True):
        words = tensors_differ(a, b, tolerance)
        if words:
            return f"`{name}`: {words}"
    return ""


def states_differ(ours: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> str:
    """Return how two states differ, or nothing."""
    if ours.keys() != other.keys():
        return f"the state has {sorted(ours)}, not {sorted(other)}"
    for name, value in ours.items():
        words = tensors_differ(value, other[name])
        if words:
            return f"`{name}` of the state: {words}"
    return ""


def same(words: str, note: Any) -> None:
    """Fail with a note if there are words of a difference."""
    assert not words, f"{note}: {words}"
