"""Where and how a run is made: what changes none of its numbers."""

from __future__ import annotations

import math
from dataclasses import fields

from msgspec import Struct
from msgspec.structs import replace

from tfkd._checks import check_encodable, check_integer, check_number
from tfkd._field_types import check_types
from tfkd.data.places import Places

PLACES = ("data_root", "train_dir", "validation_dir", "test_dir", "labels")
"""What says where the data lie, in the order of `Places`."""


class Circumstances(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What may be different each time that a run is made or gone on with.

    Attributes:
        data_root: folder in which the data set lies. Default: the usual places.
        train_dir: folder of training images by class, if `data` does not say or not lie so.
        validation_dir: folder of validation images by class.
        test_dir: folder of test images by class.
        labels: CSV file of paths of images, which start from `data`, and their labels.
        save_epochs: epochs after which the weights are kept. Default: after the last one alone.
        tensorboard: write TensorBoard event files.
        workers: processes that decode image files. Default: 0, the training process
            itself.
        checkpoint_seconds: at least this long between two checkpoints, and longer where writing
            them would take more than 2 % of the time; 0: one after every step. Default: 10.
        validate_every: look at the validation split after each so many epochs, and after the last;
            0: after the last alone. Default: 1.
        measure_test: look at the test split after the last epoch; no: leave it alone, as while
            settings are chosen. `tfkd evaluate` looks at it later. Default: yes.
    """

    data_root: str | None = None
    train_dir: str | None = None
    validation_dir: str | None = None
    test_dir: str | None = None
    labels: str | None = None
    save_epochs: tuple[int, ...] = ()
    tensorboard: bool = False
    workers: int = 0
    checkpoint_seconds: float = 10.0
    validate_every: int = 1
    measure_test: bool = True

    def __post_init__(self) -> None:
        check_types(self)
        for name in PLACES:
            if getattr(self, name) is not None:
                check_encodable(name, getattr(self, name))
        for name in ("workers", "validate_every"):
            check_integer(name, getattr(self, name), minimum=0)
        if not 0.0 <= check_number("checkpoint_seconds", self.checkpoint_seconds) < math.inf:
            raise ValueError(
                f"Expected `checkpoint_seconds` of at least 0, got {self.checkpoint_seconds}."
            )
        for epoch in self.save_epochs:
            check_integer("save_epochs", epoch, minimum=1)

    @property
    def places(self) -> Places | None:
        """Where the data lie; None: the usual places."""
        root, *others = (getattr(self, name) for name in PLACES)
        places = Places(root, *others)
        return places if places.is_said else None

    def with_places(self, places: Places) -> Circumstances:
        """Return the same with data that lie elsewhere."""
        values = [getattr(places, field.name) for field in fields(places)]
        return replace(self, **dict(zip(PLACES, values, strict=True)))

    def check_epochs(self, epochs: int) -> None:
        """Raise `ValueError` for a snapshot after more epochs than there are."""
        late = [epoch for epoch in self.save_epochs if epoch > epochs]
        if late:
            raise ValueError(f"Expected `save_epochs` between 1 and {epochs}, got {late[0]}.")
