"""Accelerate as the settings of a run ask for it, or an error before any work."""

from __future__ import annotations

import os

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType

from tfkd.runs.settings import RunSettings


def make_accelerator(settings: RunSettings) -> Accelerator:
    """Return the processes, device and precision that a run is trained with.

    Raises:
        ValueError: if FSDP or fp16 is asked for where Accelerate would not do it, or FSDP of the
            first version.
    """
    # Another run of this process may have set another precision.
    AcceleratorState._reset_state()
    cpu = needs_cpu()
    if settings.recipe.mixed_precision == "fp16" and PartialState(cpu=cpu).device.type == "cpu":
        raise ValueError(
            "Expected a GPU for `mixed_precision` fp16, got a CPU, where Accelerate would train in "
            "float32 without a word. Take bf16 or no."
        )
    accelerator = Accelerator(mixed_precision=settings.recipe.mixed_precision, cpu=cpu)
    _check_sharding(accelerator)
    return accelerator


def needs_cpu() -> bool:
    """Return whether Accelerate must be told that several processes work together on CPUs."""
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    return several and not torch.accelerator.is_available()


def _check_sharding(accelerator: Accelerator) -> None:
    if accelerator.distributed_type == DistributedType.FSDP:
        if not accelerator.is_fsdp2:
            raise ValueError("Expected FSDP of version 2, got 1: set FSDP_VERSION=2.")
    elif os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true":
        raise ValueError(
            f"Expected several GPUs for FSDP, got {accelerator.num_processes} process(es) on "
            f"{accelerator.device.type}. Start it with torchrun, or without ACCELERATE_USE_FSDP."
        )
