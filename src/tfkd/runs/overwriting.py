"""Over what a run may be written, and how one is removed: nothing of anybody else's is touched."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path
from typing import Any

from tfkd.runs import files
from tfkd.runs.checksums import CHECKSUMS_FILE
from tfkd.runs.directory import SNAPSHOT, RunDirectory

_CACHE = re.compile(r"[0-9a-f]{16}(\.lock)?")
_EVENTS = re.compile(r"events\.out\.tfevents\..*")


def check_free_or_of_a_run(run: RunDirectory) -> None:
    """Check that a run may be written to a directory: over another run, but over nothing else.

    Raises:
        ValueError: naming a file that no run wrote.
    """
    if run.settings_file.exists():
        if not _has_settings_of_a_run(run):
            raise ValueError(
                f"Expected {run.path} to be free or to hold a run, but {run.settings_file} is not "
                "of one. Take another directory."
            )
        return
    for file in run.files():
        if os.path.lexists(file):
            raise ValueError(
                f"Expected {run.path} to be free or to hold a run, but there is no settings.json "
                f"of one, and {file.name} is in the way. Take another directory."
            )


def _has_settings_of_a_run(run: RunDirectory) -> bool:
    """Whether they are a run's, of whatever values; or damaged, of a run that was finished."""
    try:
        found = files.read_json(run.settings_file, dict[str, Any])
    except ValueError:
        found = {}
    sums = run.path / CHECKSUMS_FILE
    return {"recipe", "circumstances"} <= found.keys() or (
        sums.is_file() and f"  {run.settings_file.name}\n".encode() in files.read_bytes(sums)
    )


def remove_run(run: RunDirectory) -> None:
    """Remove all that a run has written to its directory, and nothing else; follow no link.

    Without settings there is nothing that a run has written: they come first, and go last.
    """
    if not run.settings_file.exists():
        return
    # The result first, with which it is finished; then what it would go on from.
    for file in (*run.files(), *_in(run.snapshots_folder, SNAPSHOT)):
        file.unlink(missing_ok=True)
    for found in _in(run.teacher_cache_folder, _CACHE):
        if found.is_file():
            found.unlink(missing_ok=True)
        elif not found.is_symlink():
            shutil.rmtree(found, ignore_errors=True)
    for file in _in(run.tensorboard_folder, _EVENTS):
        file.unlink(missing_ok=True)
    for folder in (run.snapshots_folder, run.teacher_cache_folder, run.tensorboard_folder):
        with contextlib.suppress(OSError):  # a link, or with what somebody else put into it
            folder.rmdir()
    run.settings_file.unlink(missing_ok=True)


def _in(folder: Path, names: re.Pattern[str]) -> list[Path]:
    if folder.is_symlink() or not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if names.fullmatch(path.name)]
