"""Networks of older versions of timm, made on the device `meta`, where they take no memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


def counting_without_memory() -> AbstractContextManager[object]:
    """Have `torch.linspace` count on the CPU while networks are made on the device `meta`.

    Older versions of timm read their rates of stochastic depth from it, which nobody can there.
    """
    on_meta = torch.empty(0).device.type == "meta"
    return _LinspaceOnCpu() if on_meta else nullcontext()


class _LinspaceOnCpu(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        named = dict(kwargs or {})
        if func is torch.linspace:
            named.setdefault("device", "cpu")
        return func(*args, **named)
