"""The network that teaches a run: loaded, held against the data, and known by its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from tfkd.data import ImageData
from tfkd.models import create_model
from tfkd.runs.checksums import digest_of_file
from tfkd.runs.directory import RunDirectory, describe_data
from tfkd.runs.settings import RunSettings, TeacherSettings
from tfkd.runs.tensors import load_weights


def teacher_weights(teacher: TeacherSettings) -> Path:
    """Return the file of weights that teaches."""
    if teacher.weights is not None:
        return Path(teacher.weights)
    return RunDirectory(Path(teacher.source)).weights_file(teacher.epoch)


def load_teacher(settings: TeacherSettings, data: ImageData) -> nn.Module:
    """Load the network that teaches, and check that it fits the data.

    Raises:
        FileNotFoundError: if there is no such run or file.
        ValueError: if its classes, their order, or its images differ from the data's.
    """
    if settings.weights is not None:
        model = create_model(
            settings.source, num_classes=data.num_classes, in_channels=data.channels
        )
        load_weights(model, Path(settings.weights))
        return model
    run = RunDirectory(Path(settings.source))
    model = run.load_model(settings.epoch)
    theirs, ours = run.data(), describe_data(data)
    for name in ("classes", "channels", "image_size", "mean", "std"):
        if theirs[name] != ours[name]:
            wanted, got = _where_they_differ(ours[name], theirs[name])
            raise ValueError(
                f"Expected a `teacher` with the student's {name}, {wanted}, got {got} in "
                f"{run.path}."
            )
    return model


def check_teacher(run: RunDirectory, settings: RunSettings) -> str | None:
    """Check that a run was not begun with other weights of its teacher.

    Args:
        run: that may be begun, or finished.
        settings: of the run.

    Returns:
        The SHA-256 of the file of weights that teaches; None if there is none.

    Raises:
        ValueError: if the run was taught by others, naming the file.
    """
    if settings.teacher is None or not (weights := teacher_weights(settings.teacher)).is_file():
        return None
    here = digest_of_file(weights)
    if not run.settings_file.exists():
        return here
    there = run.taught_by()  # runs of earlier versions do not say
    if there not in (here, None):
        raise ValueError(
            f"Expected the weights that taught the run in {run.path}, of SHA-256 {there:.64}, in "
            f"{weights}, got {here}. Restore that file, or take another "
            "directory."
        )
    return here


def _where_they_differ(ours: Any, theirs: Any) -> tuple[str, str]:
    """Two values as a message names them; of two long lists the first difference."""
    if not isinstance(ours, list) or not isinstance(theirs, list) or len(ours) <= 3:
        return _short(ours), _short(theirs)
    if len(ours) != len(theirs):
        return f"{len(ours)} of them", f"{len(theirs)}"
    number = next(
        n for n, (our, their) in enumerate(zip(ours, theirs, strict=True)) if our != their
    )
    order = " (the same in another order)" if sorted(ours) == sorted(theirs) else ""
    return (
        f"number {number} being {_short(ours[number])!r}",
        f"{_short(theirs[number])!r} in its place{order}",
    )


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
