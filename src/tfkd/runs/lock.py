"""One trainer to a run: a lock that the system lets go of when its holder dies."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfkd.runs import files

if TYPE_CHECKING:
    from filelock import BaseFileLock

LOCK_FILE = ".lock"

_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP}


class RunBusyError(RuntimeError):
    """Another process trains this run, or another thread of this one trains any."""


@contextlib.contextmanager
def lock_run(path: Path) -> Iterator[None]:
    """Hold a run's directory, so that nobody else trains it; never waits.

    The lock is the operating system's: it goes with the process that holds it, however that ends.
    What is left on the disk is an empty file, which says nothing. On a file system that several
    machines share it must hold across them (NFS 4; Lustre mounted with `flock`).

    Args:
        path: directory of the run; made, with the folders above it, if it does not exist, and gone
            again if nothing of the run was written.

    Raises:
        RunBusyError: if another process holds it.
        OSError: if the file system has no locks.
    """
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    files.make_folder(path)
    file = path / LOCK_FILE
    try:
        lock = _acquire_run(path, file)
        try:
            yield
        finally:
            # Removed while it is held, and only where whoever comes next finds no half-trained run.
            begun, finished = ((path / name).exists() for name in ("settings.json", "result.json"))
            if finished or not begun:
                with contextlib.suppress(OSError):
                    file.unlink()
            lock.release()
    finally:
        with contextlib.suppress(OSError):  # something was written there
            for folder in made:
                folder.rmdir()


def _acquire_run(path: Path, file: Path) -> BaseFileLock:
    from filelock import Timeout

    try:
        return _acquire(file, place=path, blocking=False)
    except Timeout:
        raise _busy(path) from None
    except OSError as error:
        if error.errno == errno.ESTALE:  # its holder has just removed the file
            raise _busy(path) from error
        raise


@contextlib.contextmanager
def wait_for_lock(file: Path) -> Iterator[None]:
    """Hold a lock file, waiting for whoever holds it; what is done under it is done once at a time.

    The lock goes with its holder, as that of a run. The file stays: whoever waits for it has it
    open.

    Raises:
        OSError: if the file system has no locks.
    """
    lock = _acquire(file, place=file, poll_interval=0.2)
    try:
        yield
    finally:
        lock.release()


def _acquire(file: Path, *, place: Path, **how: Any) -> BaseFileLock:
    """Hold a lock of the operating system; `OSError` naming the place where there are none."""
    from filelock import FileLock, SoftFileLock

    try:
        lock = FileLock(file, fallback_to_soft=False)
    except TypeError:  # of a version that becomes a `SoftFileLock` there
        lock = FileLock(file)
    try:
        lock.acquire(**how)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            raise _no_locks(place) from error
        raise
    if isinstance(lock, SoftFileLock):
        # filelock's stand-in where there are no locks: a file that outlives its writer.
        lock.release()
        raise _no_locks(place)
    return lock


def _busy(path: Path) -> RunBusyError:
    return RunBusyError(f"Expected the run in {path} to be free, but another process trains it.")


def _no_locks(path: Path) -> OSError:
    return OSError(
        errno.ENOLCK,
        f"Expected a file system with locks, so that no run is trained twice at once, got none "
        f"for {path}. Take a directory on another file system, or mount this one with locks",
    )
