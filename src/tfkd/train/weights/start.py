"""What a run's student starts from: a file, known by its content and not by its place."""

from __future__ import annotations

from pathlib import Path

from tfkd.data.file_contents import digest_of_file
from tfkd.runs import RunDirectory, RunSettings
from tfkd.train.weights.file import weights_file


def start_file(settings: RunSettings) -> Path | None:
    """Return the file of weights that the student of a run starts from; None if it has none."""
    place = settings.recipe.weights
    return None if place is None else weights_file(place)


def digest_of_start(settings: RunSettings) -> str | None:
    """Return the SHA-256 of that file; None if there is none."""
    file = start_file(settings)
    return None if file is None or not file.is_file() else digest_of_file(file)


def check_start(run: RunDirectory, settings: RunSettings) -> None:
    """Check that a run was not begun from other weights.

    Args:
        run: that may be begun, or finished.
        settings: of the run.

    Raises:
        ValueError: if its student started from others, naming the file.
    """
    if settings.recipe.weights is None or not run.is_begun:
        return
    here, there = digest_of_start(settings), run.started_from()
    if here is not None and there not in (here, None):
        raise ValueError(
            f"Expected the weights that the run in {run.path} started from, of SHA-256 "
            f"{there:.64}, in {start_file(settings)}, got {here}. Restore that file, or take "
            "another directory."
        )
