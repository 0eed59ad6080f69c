"""TensorBoard's event files, where they are asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import structs

from tfkd.models._extra import needs_extra
from tfkd.runs import EpochRecord


def check_event_writer() -> None:
    """Raise `ModuleNotFoundError` with the line that mends it if TensorBoard is not installed."""
    with needs_extra("`tensorboard`"):
        import torch.utils.tensorboard  # noqa: F401


@contextlib.contextmanager
def event_writer(
    folder: Path, *, epochs_done: int, active: bool
) -> Iterator[Callable[[EpochRecord], None]]:
    """Yield what is called with the record of each epoch.

    Args:
        folder: of the event files.
        epochs_done: epochs that lie behind; later ones that an earlier process wrote are dropped.
        active: whether to write anything.
    """
    if not active:
        yield lambda record: None
        return
    check_event_writer()
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder), purge_step=epochs_done + 1)

    def write(record: EpochRecord) -> None:
        for name, value in structs.asdict(record).items():
            if name != "epoch" and value is not None:
                writer.add_scalar(name, value, record.epoch)

    try:
        yield write
    finally:
        writer.close()
