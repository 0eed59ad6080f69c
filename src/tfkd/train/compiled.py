"""The step of a run, compiled by `torch.compile`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import torch
from accelerate import Accelerator
from torch import Tensor

_Given = ParamSpec("_Given")
_Returned = TypeVar("_Returned")

COMPILE = "Expected {} for `compile`, {}. Without it the same is trained, more slowly."


def check_compiles(device: torch.device) -> None:
    """Check that `torch.compile` makes code for a device, by a function of one line.

    Raises:
        ValueError: if it does not, as without a C++ compiler.
    """
    torch.compiler.reset()
    try:
        with _without_remark_on_cuda():
            torch.compile(_one_line)(torch.ones(3, device=device))
    except Exception as error:
        # Dynamo wraps what went wrong, and behind it names switches for its developers.
        cause = str(getattr(error, "inner_exception", error)).strip().split("\n\n")[0]
        needed = "a C++ compiler" if device.type == "cpu" else "Triton and a C compiler"
        raise ValueError(
            COMPILE.format(
                f"{needed} that torch.compile can use", f"but it fails: {cause.rstrip('.')}"
            )
        ) from error


def check_alone(accelerator: Accelerator) -> None:
    """Raise `ValueError` for several processes, with which a compiled step was never tried."""
    if accelerator.num_processes > 1:
        raise ValueError(COMPILE.format("one process", f"got {accelerator.num_processes}"))


def compiled(step: Callable[_Given, _Returned]) -> Callable[_Given, _Returned]:
    """Return a function, compiled for each size of batch that comes.

    What was compiled before in this process is forgotten: all runs are the same lines of code, of
    which torch keeps a few versions and then gives up compiling.
    """
    torch.compiler.reset()
    return torch.compile(step)


def of_this_size(*tensors: Tensor | None) -> None:
    """Have code made for just the sizes of some tensors: an epoch has two at most."""
    for tensor in tensors:
        if tensor is not None:
            torch._dynamo.mark_static(tensor)


@contextmanager
def _without_remark_on_cuda() -> Iterator[None]:
    """Keep back what torch says where CUDA's tools are found and no GPU, once in a process."""

    def is_other(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("No CUDA runtime is found")

    logger = logging.getLogger("torch.utils.cpp_extension")
    logger.addFilter(is_other)
    try:
        yield
    finally:
        logger.removeFilter(is_other)


def _one_line(x: Tensor) -> Tensor:
    return x.sin() + 1.0
