"""The file from which a run goes on, believed only with its checksum."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any, TypedDict

import torch

from tfkd._typed import typed
from tfkd.runs import files
from tfkd.runs.contents import Epoch


class Checkpoint(TypedDict):
    """What a checkpoint holds; `resume` fills it, and looks into what is `Any` here."""

    model: dict[str, Any]
    optimizer: dict[str, Any]
    scaler: dict[str, Any] | None
    epochs_done: int
    batches_done: int
    totals: dict[str, Any]
    epoch_seconds: float
    seconds: float
    history: list[Epoch]


def write_checkpoint(file: Path, content: bytes) -> None:
    """Write what `torch.save` gave, behind a line with its checksum, whole or not at all."""
    files.write_bytes(file, _checkpoint_line(content) + content)


def read_checkpoint(file: Path) -> dict[str, Any]:
    """Read what resuming needs.

    Nothing of a file whose checksum does not match is looked at, and of one that does match,
    tensors and plain values alone are read: nothing is executed.

    Raises:
        ValueError: naming the file, if it is not what `write_checkpoint` wrote.
    """
    line, _, content = file.read_bytes().partition(b"\n")
    try:
        if line + b"\n" != _checkpoint_line(content):
            raise ValueError("its checksum does not match")
        checkpoint: dict[str, Any] = torch.load(
            io.BytesIO(content), map_location="cpu", weights_only=True
        )
        typed(Checkpoint, checkpoint, "checkpoint")
    except Exception as error:
        raise ValueError(
            f"Expected a checkpoint in {file}, but: {str(error).rstrip('.')}. Delete this file to "
            "start the run anew."
        ) from error
    return checkpoint


def _checkpoint_line(content: bytes) -> bytes:
    return f"tfkd checkpoint, sha256 {hashlib.sha256(content).hexdigest()}\n".encode()
