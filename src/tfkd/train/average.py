"""The average of a student's weights over its steps, by timm."""

from __future__ import annotations

from typing import Any

from torch import nn


class WeightAverage:
    """A network whose weights are an exponential average of another's.

    It is warmed up as timm has it: after the n-th step the decay is the smaller of
    1 − n^(−2/3) and `decay`, so that a short training is not held back by where it started.
    Averages of norms are averaged too, and counters copied. What it is after a step depends on what
    it was before and on the number of the step alone.

    Args:
        network: that is trained, on its device.
        decay: in (0, 1).
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        import timm.utils

        timms: Any = timm.utils
        self._average = timms.ModelEmaV3(network, decay=decay, use_warmup=True)
        self._average.requires_grad_(False)

    @property
    def network(self) -> nn.Module:
        """The averaged network, in eval mode."""
        module: nn.Module = self._average.module
        return module

    def update(self, network: nn.Module, *, step: int) -> None:
        """Take in the weights after a step.

        Args:
            network: that is trained.
            step: its number, from 1.
        """
        self._average.update(network, step=step)
