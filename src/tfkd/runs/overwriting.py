"""Over what a run may be written, and how one is removed: nothing of anybody else's is touched."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path
from typing import Any

from tfkd.data.image_files.kinds import is_hidden
from tfkd.data.settings import FOLDER, DataSettings
from tfkd.runs import files
from tfkd.runs.checksums import CHECKSUMS_FILE
from tfkd.runs.circumstances import Circumstances
from tfkd.runs.directory import SNAPSHOT, RunDirectory

_CACHE = re.compile(r"[0-9a-f]{16}(\.lock)?")
_EVENTS = re.compile(r"events\.out\.tfevents\..*")


def check_free_or_of_a_run(run: RunDirectory) -> None:
    """Check that a run may be written to a directory: over another run, or where nothing is.

    Hidden files, and what systems leave behind, are nothing.

    Raises:
        ValueError: naming a file that no run wrote.
    """
    if run.path.exists() and not run.path.is_dir():
        raise ValueError(f"Expected a directory at {run.path}, got a file. Take another name.")
    if run.settings_file.exists():
        if not _has_settings_of_a_run(run):
            raise ValueError(
                f"Expected {run.path} to be free or to hold a run, but {run.settings_file} is not "
                "of one. Take another directory."
            )
        return
    there = [file for file in run.files() if os.path.lexists(file)]
    if not there and run.path.is_dir():
        own = _folders(run)  # with what somebody else put into them, which stays
        there = [
            file
            for file in sorted(run.path.iterdir())
            if not is_hidden(file.name) and file not in own
        ]
    if there:
        raise ValueError(
            f"Expected {run.path} to be free or to hold a run, but there is no settings.json of "
            f"one, and {there[0].name} is in the way. Take another directory."
        )


def check_apart_from_images(path: Path, data: DataSettings, circumstances: Circumstances) -> None:
    """Check that a directory is not within a folder of images by class, of which it would be one.

    Args:
        path: of a run or a study.
        data: that are trained on.
        circumstances: that say where they lie.

    Raises:
        ValueError: naming both.
    """
    if data.name != FOLDER or circumstances.labels is not None:
        return
    for name in ("data_root", "train_dir", "validation_dir", "test_dir"):
        place = getattr(circumstances, name)
        if place is None:
            continue
        if path.resolve().is_relative_to(Path(place).expanduser().resolve()):
            raise ValueError(
                f"Expected `out` outside of the images, got {path}, which is in {place}. Take "
                "another directory."
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
    for folder in _folders(run):
        with contextlib.suppress(OSError):  # a link, or with what somebody else put into it
            folder.rmdir()
    run.settings_file.unlink(missing_ok=True)


def _folders(run: RunDirectory) -> tuple[Path, ...]:
    return run.snapshots_folder, run.teacher_cache_folder, run.tensorboard_folder


def _in(folder: Path, names: re.Pattern[str]) -> list[Path]:
    if folder.is_symlink() or not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if names.fullmatch(path.name)]
