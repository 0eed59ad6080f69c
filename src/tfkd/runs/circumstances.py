"""Where and how a run is made: what changes none of its numbers."""

from __future__ import annotations

import math

from msgspec import Struct

from tfkd._checks import check_encodable, check_integer, check_number
from tfkd._field_types import check_types


class Circumstances(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What may be different each time that a run is made or gone on with.

    Attributes:
        data_root: folder in which the data set lies. Default: the usual places.
        save_epochs: epochs after which the weights are kept. Default: after the last one alone.
        tensorboard: write TensorBoard event files.
        workers: processes that decode image files. Default: 0, the training process
            itself.
        checkpoint_seconds: at least this long between two checkpoints, and longer where writing
            them would take more than 2 % of the time; 0: one after every step. Default: 10.
    """

    data_root: str | None = None
    save_epochs: tuple[int, ...] = ()
    tensorboard: bool = False
    workers: int = 0
    checkpoint_seconds: float = 10.0

    def __post_init__(self) -> None:
        check_types(self)
        if self.data_root is not None:
            check_encodable("data_root", self.data_root)
        check_integer("workers", self.workers, minimum=0)
        if not 0.0 <= check_number("checkpoint_seconds", self.checkpoint_seconds) < math.inf:
            raise ValueError(
                f"Expected `checkpoint_seconds` of at least 0, got {self.checkpoint_seconds}."
            )
        for epoch in self.save_epochs:
            check_integer("save_epochs", epoch, minimum=1)

    def check_epochs(self, epochs: int) -> None:
        """Raise `ValueError` for a snapshot after more epochs than there are."""
        late = [epoch for epoch in self.save_epochs if epoch > epochs]
        if late:
            raise ValueError(f"Expected `save_epochs` between 1 and {epochs}, got {late[0]}.")
