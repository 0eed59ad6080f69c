"""One run, from its directory to its result: by one trainer at a time, and never twice."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

from tfkd._checks import check_workers
from tfkd.data import identify, load_data
from tfkd.runs import Circumstances, Result, RunDirectory, RunSettings
from tfkd.runs.lock import RunBusyError, lock_run
from tfkd.runs.overwriting import check_apart_from_images, check_free_or_of_a_run
from tfkd.train.accelerator import make_accelerator
from tfkd.train.continuation import check_data, check_settings, check_snapshots
from tfkd.train.freed_memory import freed_memory_kept
from tfkd.train.loop import Training
from tfkd.train.progress import Progress, Silent
from tfkd.train.stopping import launcher, noted_signals
from tfkd.train.teacher_network import check_apart, check_teacher
from tfkd.train.weights.start import check_start

_ONE_AT_A_TIME = threading.Lock()


def train_run(
    path: Path | str,
    settings: RunSettings,
    circumstances: Circumstances | None = None,
    *,
    progress: Progress | None = None,
    overwrite: bool = False,
    other_data: bool = False,
) -> Result:
    """Train one run, or finish it, or return the result of a finished one.

    SIGTERM, Ctrl-C and the end of `torchrun` end it after the next step, with a checkpoint. A
    process trains one run at a time, for its random numbers are the whole process's.

    Args:
        path: directory of the run; made if it does not exist.
        settings: all that changes its numbers.
        circumstances: where and how it is made; None: the usual ones.
        progress: told of every step and epoch.
        overwrite: train anew what was trained there.
        other_data: go on though the data are not those that the run was begun with.

    Returns:
        What came of it, as `result.json` holds it.

    Raises:
        RunBusyError: if another process trains it, or another thread of this one trains any.
        ValueError: if the directory lies among the images, holds what no run wrote, a run of other
            settings, on other data, or that other weights taught, or settings, data, teacher or
            checkpoint do not fit; before anything is written.
        FileNotFoundError: if data or teacher are not there.
        FloatingPointError: if the loss, or a weight, is no longer finite.
        KeyboardInterrupt: after Ctrl-C.
        TrainingTerminated: after SIGTERM, or without `torchrun`; a `SystemExit` of code 143.
    """
    run = RunDirectory(path)
    circumstances = circumstances or Circumstances()
    circumstances.check_epochs(settings.recipe.epochs)
    check_workers(circumstances.workers)
    check_apart(run, settings)
    check_apart_from_images(run.path, settings.recipe.data, circumstances)

    if not _ONE_AT_A_TIME.acquire(blocking=False):
        raise RunBusyError(
            f"Expected one training at a time in a process, but another thread is at one: {path} "
            "needs a process of its own."
        )
    try:
        return _train(
            run,
            settings,
            circumstances,
            progress or Silent(),
            overwrite=overwrite,
            other_data=other_data,
        )
    finally:
        _ONE_AT_A_TIME.release()


def _train(
    run: RunDirectory,
    settings: RunSettings,
    circumstances: Circumstances,
    progress: Progress,
    *,
    overwrite: bool,
    other_data: bool,
) -> Result:
    def finished() -> Result | None:
        if overwrite:
            check_free_or_of_a_run(run)
            return None
        check_settings(run, settings)
        return _finished(run, settings, circumstances, other_data=other_data)

    if (result := finished()) is not None:
        return result
    parent = launcher()  # which must be alive for the processes to find one another
    accelerator = make_accelerator(settings)
    with (
        noted_signals(twice=accelerator.num_processes == 1, launcher=parent) as signals,
        lock_run(run.path) if accelerator.is_main_process else contextlib.nullcontext(),
    ):
        # Another trainer may have begun or finished it since; all processes of this one look
        # behind the lock, and so see the same.
        accelerator.wait_for_everyone()
        if (result := finished()) is not None:
            return result
        with freed_memory_kept(accelerator.device):
            training = Training(
                run,
                settings,
                circumstances,
                accelerator,
                progress=progress,
                signals=signals,
                overwrite=overwrite,
                other_data=other_data,
            )
            return training.finish()


def _finished(
    run: RunDirectory, settings: RunSettings, circumstances: Circumstances, *, other_data: bool
) -> Result | None:
    """The result of a run that is finished, once it is checked to be the one that is asked for."""
    result = run.result()
    if result is None:
        return None
    check_teacher(run, settings)
    check_start(run, settings)
    check_snapshots(run, circumstances)
    with contextlib.suppress(FileNotFoundError):  # without the data nobody can tell
        root = circumstances.places or run.stored().circumstances.places
        data = load_data(settings.recipe.data, seed=settings.seed, root=root)
        check_data(run, identify(data), other_data=other_data)
    run.clear_finished()
    return result
