"""What every loss of this package is, whatever it computes: called alike, and told alike."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from tfkd._checks import check_choice
from tfkd.loss.checks import REDUCTIONS, check_ignore_index, check_weight


class Criterion(nn.Module):
    """A loss that is called as `criterion(logits, labels, inputs, indices=..., view=...)`.

    A loop may tell any of them of its steps and epochs; those that want to know say so.

    Args:
        weight: of each class, `(K,)`; a buffer, as in `torch.nn.CrossEntropyLoss`.
        ignore_index: class index whose positions do not count.
        reduction: `"mean"`, `"sum"` or `"none"`.
    """

    weight: Tensor | None

    def __init__(
        self, *, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        super().__init__()
        if weight is not None:
            check_weight(weight, None, None)
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.register_buffer("weight", weight)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "reduction":
            check_choice(name, value, REDUCTIONS)
        elif name == "ignore_index":
            check_ignore_index(value)
        super().__setattr__(name, value)

    def step_ended(self, student: nn.Module) -> None:
        """Tell of a step of the optimiser, after it.

        Args:
            student: the network that is trained, with its new weights.
        """

    def epoch_ended(self) -> None:
        """Tell that all samples of an epoch were seen."""
