"""Whether a run may go on from what its directory holds."""

from __future__ import annotations

from typing import Any

import msgspec

from tfkd.data import DataIdentity
from tfkd.data.identity import how_they_differ
from tfkd.runs import Circumstances, RunDirectory, RunSettings
from tfkd.runs.overwriting import check_free_or_of_a_run
from tfkd.runs.settings import variant

TEACHERS_PLACE = ("run", "weights")
"""Where a teacher lies; who it is, its weights say."""


def check_settings(run: RunDirectory, settings: RunSettings) -> None:
    """Check that a directory is free, or holds this run.

    A directory in which nothing was trained is free. A run that is not finished may be trained for
    longer, where that changes nothing of what was trained.

    Args:
        run: that may be begun, or finished.
        settings: of the run that is to be trained there.

    Raises:
        ValueError: if another run was begun there, naming what differs; or if files of a run's
            names are there that no run wrote.
    """
    check_free_or_of_a_run(run)
    if not run.is_begun or not run.settings_file.exists():
        return
    there, here = _compared(run.settings()), _compared(settings)
    differing = _differences(there, here)
    if not differing:
        return
    ending = "Take another directory, or the same settings; `tfkd train --overwrite` trains anew."
    as_long = {**there, "recipe": {**there["recipe"], "epochs": settings.recipe.epochs}}
    if _differences(as_long, here):
        raise ValueError(
            f"Expected the settings of the run in {run.path}, but they differ: "
            f"{'; '.join(differing)}. {ending}"
        )
    reason = _why_not_as_long(run, settings)
    if reason is not None:
        raise ValueError(
            f"Expected {there['recipe']['epochs']} epochs, as of the run in {run.path}, got "
            f"{settings.recipe.epochs}: {reason}. {ending}"
        )


def check_snapshots(run: RunDirectory, circumstances: Circumstances) -> None:
    """Check that a finished run has kept the snapshots that are asked for.

    Raises:
        ValueError: naming the first that it has not.
    """
    missing = [e for e in circumstances.save_epochs if not run.weights_file(e).is_file()]
    if missing:
        raise ValueError(
            f"Expected the weights after epoch {missing[0]} in {run.path}, but that run is "
            "finished and has not kept them. Take another directory, or --overwrite to train it "
            "anew."
        )


def check_data(run: RunDirectory, data: DataIdentity, *, other_data: bool = False) -> None:
    """Check that a run was begun on the same data.

    Args:
        run: that may be begun, or finished.
        data: that it is to go on with.
        other_data: let it go on with others.

    Raises:
        ValueError: if they are others, in words.
    """
    if other_data or not run.is_begun or not run.data_file.exists():
        return
    differing = how_they_differ(run.data(), data)
    if differing is not None:
        raise ValueError(
            f"Expected the data that the run in {run.path} was begun with, {differing}. Restore "
            "them, take another directory, or go on all the same with --other-data."
        )


def _why_not_as_long(run: RunDirectory, settings: RunSettings) -> str | None:
    """Why a run cannot be trained for another number of epochs; None where it can, exactly."""
    if run.result_file.exists():
        return "it is finished, and its optimiser is gone"
    done = max([len(run.history()) if run.metrics_file.exists() else 0, *run.snapshots()])
    if settings.recipe.epochs < done:
        return f"{done} epochs are trained already"
    if settings.method.row.takes("epochs", settings.method.dialect):
        return f"{settings.method.name} depends on the number of epochs from the first step on"
    name = variant(settings.recipe.schedule)
    if name not in ("constant", "step"):
        return f"the schedule {name} depends on the number of epochs from the first step on"
    return None


def _compared(settings: RunSettings) -> dict[str, Any]:
    values: dict[str, Any] = msgspec.to_builtins(settings)
    if values["teacher"] is not None:
        for name in TEACHERS_PLACE:
            values["teacher"].pop(name, None)
    if values["recipe"]["weights"] is not None:
        values["recipe"]["weights"] = "a file"  # which one, its content says
    return values


def _differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[str]:
    differing = []
    for name in {**old, **new}:
        before, after = old.get(name), new.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            differing += _differences(before, after, f"{prefix}{name}.")
        elif before != after:
            differing.append(f"{prefix}{name} is {before!r} there, {after!r} here")
    return differing
