"""The file from which a run goes on, believed only with its checksum."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import torch
from msgspec import Struct

from tfkd.runs import files
from tfkd.runs.contents import EpochRecord


class Checkpoint(Struct):
    """What resuming needs; `check_fits` looks into what is `Any` here.

    Attributes:
        model: state of the network.
        optimizer: state of torch's optimiser.
        scaler: state of the gradients' scaler; None: there is none.
        epochs_done: epochs that lie behind.
        batches_done: batches of the epoch that is being trained.
        totals: what that epoch came to so far.
        epoch_seconds: what that epoch took so far.
        seconds: what the epochs took that lie behind.
        history: their records.
        average: state of the average of the weights; None: there is none.
        criterion: what the loss remembers; None: nothing.
    """

    model: dict[str, Any]
    optimizer: dict[str, Any]
    scaler: dict[str, Any] | None
    epochs_done: int
    batches_done: int
    totals: dict[str, Any]
    epoch_seconds: float
    seconds: float
    history: list[EpochRecord]
    average: dict[str, Any] | None = None
    criterion: dict[str, Any] | None = None


def write_checkpoint(file: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, behind a line with its checksum, whole or not at all."""
    values = msgspec.structs.asdict(checkpoint)
    values["history"] = msgspec.to_builtins(checkpoint.history)
    buffer = io.BytesIO()
    torch.save(values, buffer)
    content = buffer.getvalue()
    files.write_bytes(file, _checkpoint_line(hashlib.sha256(content).hexdigest()) + content)


def read_checkpoint(file: Path) -> Checkpoint:
    """Read what resuming needs.

    Nothing of a file whose checksum does not match is looked at, and of one that does match,
    tensors and plain values alone are read: nothing is executed.

    Raises:
        ValueError: naming the file, if it is not what `write_checkpoint` wrote.
    """
    files.check_regular(file)
    with file.open("rb") as content:
        try:
            _check_line(content)
            values = torch.load(content, map_location="cpu", weights_only=True)
            return msgspec.convert(values, Checkpoint)
        except Exception as error:  # torch's are of many kinds, `OSError` among them
            reason = files.why(error) if isinstance(error, msgspec.MsgspecError) else str(error)
            raise ValueError(
                f"Expected a checkpoint in {file}, but: {reason.rstrip('.')}. Delete this file to "
                "start the run anew."
            ) from error


def _checkpoint_line(digest: str) -> bytes:
    return f"tfkd checkpoint, sha256 {digest}\n".encode()


def _check_line(content: BinaryIO) -> None:
    """Leave a file behind its first line, if that is the checksum of what follows.

    It is read in pieces: the checkpoint of a large network is larger than any other file.
    """
    line = content.readline(len(_checkpoint_line("0" * 64)))
    start, digest = content.tell(), hashlib.sha256()
    if not line.startswith(_checkpoint_line("")[:-1]):
        raise ValueError("its first line is none of a checkpoint")
    while block := content.read(1 << 20):
        digest.update(block)
    if line != _checkpoint_line(digest.hexdigest()):
        raise ValueError("its checksum does not match")
    content.seek(start)
