"""What is remembered of each sample, a row of several columns: on disk, epoch by epoch."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor, nn

from tfkd.teachers.cache.epoch_files import (
    EpochFiles,
    delete_all_but,
    digest_from_numbers,
    digest_to_numbers,
    epochs_in,
)
from tfkd.teachers.cache.rows import Layout, write_rows
from tfkd.teachers.processes import is_first_of_machine, wait_for_all

if TYPE_CHECKING:
    from filelock import FileLock

LOCK_FILE = ".lock"


def checked_directory(directory: Path | str) -> Path:
    """Return a directory that is there, or can be made.

    Raises:
        TypeError: for something else than a path.
        ValueError: for an empty one.
        NotADirectoryError: where a file is in its place, or above it.
        PermissionError: where nothing may be written.
    """
    if not isinstance(directory, str | os.PathLike):
        raise TypeError(f"Expected `directory` to be a path, got {type(directory).__name__}.")
    if directory == "":
        raise ValueError("Expected `directory` to be a path, got an empty one.")
    path = Path(directory)
    there = next(place for place in (path, *path.absolute().parents) if os.path.lexists(place))
    if not there.is_dir():
        raise NotADirectoryError(
            f"Expected a folder, or a place where one can be made, as `directory` {path}, but "
            f"{there} is a file."
        )
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(
            f"Expected `directory` {path} in a place that may be written to, but {there} may not."
        )
    return path


@contextmanager
def _room_for(files: EpochFiles) -> Iterator[None]:
    """Say what a full disk is short of, and where."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise OSError(
            error.errno,
            f"{os.strerror(error.errno)}, where an epoch of what is remembered takes {files.size} "
            "bytes. Make room, or take a `directory` on another disk or a smaller `form`; then go "
            "on from the last saved state",
            str(files.path),
        ) from error


@final
class RowsOnDisk(nn.Module):
    """Columns of rows in files of each epoch, mapped into memory.

    An epoch reads files that nobody writes, and writes those of the next, which begin as a copy. A
    saved state holds the checksum of the first and how many batches are in the second: what was
    written behind it is written again by whoever goes on from it.

    Args:
        directory: of the files, made where it is missing.
        layout: of the columns.
        count: of rows; all are zeros before the first epoch has ended.

    Raises:
        FileExistsError: when something is written, and the directory holds what another wrote, or
            another writes there.
        FileNotFoundError: when a state is loaded whose files are gone.
        ValueError: when one is loaded to which the files do not belong.
    """

    def __init__(self, directory: Path, layout: Layout, count: int) -> None:
        super().__init__()
        self.directory = directory
        self._layout = layout
        self._count = count
        self._epoch = self._written = 0
        self._digest = ""  # of the files that are read
        self._saved: list[int] = []
        self._loaded = False  # whether what is in the directory is known
        self._read: dict[str, Tensor] | None = None
        self._next: dict[str, Tensor] | None = None
        self._lock: FileLock | None = None

    def _files(self, epoch: int) -> EpochFiles:
        """The files that are read in an epoch, from 1; in the first nothing is known."""
        return EpochFiles(self.directory, epoch, self._layout, self._count)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def read(self, rows: Tensor) -> dict[str, Tensor]:
        """Return rows `(n,)` of every column, as they were when the epoch began."""
        if self._epoch == 0:
            return {
                name: torch.zeros(len(rows), *shape, dtype=dtype, device=rows.device)
                for name, (dtype, shape) in self._layout.items()
            }
        if self._read is None:
            self._read = self._files(self._epoch).mapped()
        here = rows.cpu()
        return {
            name: self._read[name].index_select(0, here).to(rows.device) for name in self._layout
        }

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def write(self, rows: Tensor, values: dict[str, Tensor]) -> None:
        """Write values `(n, ...)` to rows, −1 being none, to be read in the next epoch."""
        if is_first_of_machine():
            columns = self._begun()
            moved = {name: value.cpu() for name, value in values.items()}
            write_rows({name: columns[name] for name in self._layout}, rows.cpu(), moved)
            columns["written"].fill_(self._written + 1)
        self._written += 1

    def _begun(self) -> dict[str, Tensor]:
        """The columns of the next epoch, to be written."""
        if self._next is None:
            self._hold()
            files = self._files(self._epoch + 1)
            # In the middle of an epoch, as when a state was loaded, they are there.
            if self._written == 0:
                with _room_for(files):
                    files.begin(self._files(self._epoch) if self._epoch > 0 else None, self._digest)
            self._next = files.mapped(shared=True)
        return self._next

    def _hold(self) -> None:
        """Make the directory this object's own, for as long as it lives."""
        if self._lock is not None:
            return
        from filelock import FileLock, Timeout  # torch brings it

        self.directory.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.directory / LOCK_FILE, thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise FileExistsError(
                f"Expected nobody else to write what is remembered in {self.directory}, but "
                "another does. Take another directory."
            ) from None
        if not self._loaded and epochs_in(self.directory):
            lock.release()
            raise FileExistsError(
                f"Expected nothing remembered in {self.directory}, but another training wrote "
                "there. Go on with it by `criterion.load_state_dict(state)`, of its last state, "
                "or delete the directory."
            )
        self._lock = lock

    def epoch_ended(self) -> None:
        """Read what was written, and nothing else, from now on."""
        try:
            if is_first_of_machine():
                self._begun()
                files = self._files(self._epoch + 1)
                with _room_for(files):
                    files.finish()
        finally:  # or the others would wait for one that has failed
            wait_for_all()
        self._epoch, self._written = self._epoch + 1, 0
        self._read = self._next = None
        self._digest = self._files(self._epoch).digest()
        if is_first_of_machine():
            epochs = {self._epoch, *self._saved}
            delete_all_but(self.directory, {epoch + ahead for epoch in epochs for ahead in (0, 1)})

    def get_extra_state(self) -> Tensor:
        """Return which files a state needs, and by what they are known.

        Epoch, batches written in it, the two epochs last saved, and a SHA-256.
        """
        if self._next is not None:
            self._files(self._epoch + 1).flush()
        if self._epoch not in self._saved:
            self._saved = [*self._saved, self._epoch][-2:]
        numbers = [self._epoch, self._written, self._saved[0], self._epoch]
        return torch.tensor([*numbers, *digest_to_numbers(self._digest)])

    def set_extra_state(self, state: Tensor) -> None:
        """Go on from a saved state, whose files must be there."""
        numbers = state.tolist()
        epoch, written, digest = numbers[0], numbers[1], digest_from_numbers(numbers[4:])
        if epoch > 0:
            self._files(epoch).check_read(digest, content=is_first_of_machine())
        if written > 0:
            self._files(epoch + 1).check_begun(digest, written)
        self._epoch, self._written, self._digest = epoch, written, digest
        self._saved = sorted({numbers[2], numbers[3]})
        self._read, self._next, self._loaded = None, None, True

    def __getstate__(self) -> dict[str, Any]:
        known = self._loaded or self._epoch + self._written > 0
        return {**self.__dict__, "_read": None, "_next": None, "_lock": None, "_loaded": known}

    def extra_repr(self) -> str:
        """Return where it is for `repr`."""
        return f"directory={str(self.directory)!r}"
