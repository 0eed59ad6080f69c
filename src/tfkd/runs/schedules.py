"""Courses of the learning rate by their name, each with its own numbers."""

from __future__ import annotations

from msgspec import Struct

from tfkd._checks import check_at_least_0, check_positive
from tfkd._field_types import check_types


class Constant(Struct, frozen=True, forbid_unknown_fields=True, tag_field="name", tag="constant"):
    """The same learning rate throughout.

    Attributes:
        warmup_epochs: epochs over which the learning rate rises from 0 at first, at least 0; not of
            one-cycle. Default: by data.
    """

    warmup_epochs: float = 1.0

    def __post_init__(self) -> None:
        check_types(self)
        check_at_least_0("warmup_epochs", self.warmup_epochs)


class Step(Struct, frozen=True, forbid_unknown_fields=True, tag_field="name", tag="step"):
    """A learning rate that falls at milestones.

    Attributes:
        milestones: epochs after which step multiplies the learning rate by `gamma`, increasing.
            Default: by data.
        gamma: what step multiplies the learning rate by, above 0. Default: by data.
        warmup_epochs: epochs over which the learning rate rises from 0 at first, at least 0.
    """

    milestones: tuple[int, ...]
    gamma: float = 0.2
    warmup_epochs: float = 1.0

    def __post_init__(self) -> None:
        check_types(self)
        check_at_least_0("warmup_epochs", self.warmup_epochs)
        check_positive("gamma", self.gamma)
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"Expected `milestones` to increase, got {self.milestones}.")


class Cosine(Struct, frozen=True, forbid_unknown_fields=True, tag_field="name", tag="cosine"):
    """A learning rate that falls to 0 along half a cosine.

    Attributes:
        warmup_epochs: epochs over which the learning rate rises from 0 at first, at least 0.

    Source: Loshchilov and Hutter, 2017, arXiv 1608.03983, without restarts.
    """

    warmup_epochs: float = 1.0

    def __post_init__(self) -> None:
        check_types(self)
        check_at_least_0("warmup_epochs", self.warmup_epochs)


class OneCycle(Struct, frozen=True, forbid_unknown_fields=True, tag_field="name", tag="one-cycle"):
    """A cosine rise over 30 % of the steps, then a cosine fall to nearly 0.

    Source: Smith, 2018, arXiv 1803.09820; the numbers are those of `torch.optim.lr_scheduler`.
    """


Schedule = Constant | Step | Cosine | OneCycle
