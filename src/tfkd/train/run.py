"""One run, from its directory to its result: by one trainer at a time, and never twice."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from tfkd.runs.directory import RunDirectory
from tfkd.runs.lock import lock_run
from tfkd.runs.settings import RunSettings
from tfkd.train.accelerator import make_accelerator
from tfkd.train.loop import Training
from tfkd.train.progress import Progress, Silent
from tfkd.train.stopping import launcher, noted_signals
from tfkd.train.teacher_network import check_teacher


def train_run(
    path: Path | str,
    settings: RunSettings,
    *,
    workers: int = 0,
    progress: Progress | None = None,
    checkpoint_seconds: float = 10.0,
) -> dict[str, Any]:
    """Train one run, or finish it, or return the result of a finished one.

    SIGTERM, Ctrl-C and the end of `torchrun` end it after the next step, with a checkpoint.

    Args:
        path: directory of the run; made if it does not exist.
        settings: all that determines the run.
        workers: processes that decode image files.
        progress: told of every step and epoch.
        checkpoint_seconds: at least this long between two checkpoints, and longer where writing
            them would take more than 2 % of the time; 0: one after every step.

    Returns:
        What `result.json` holds.

    Raises:
        RunBusyError: if another process trains it.
        ValueError: if the directory holds a run of other settings, or that other weights taught, or
            teacher or checkpoint do not fit.
        FileNotFoundError: if data or teacher are not there.
        FloatingPointError: if the loss, or a weight, is no longer finite.
        KeyboardInterrupt: after Ctrl-C.
        TrainingTerminated: after SIGTERM, or without `torchrun`; a `SystemExit` of code 143.
    """
    run = RunDirectory(Path(path))
    run.check(settings)
    result = run.result()
    if result is not None:
        check_teacher(run, settings)
        run.clear_finished()
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
        run.check(settings)
        result = run.result()
        if result is not None:
            return result
        training = Training(
            run,
            settings,
            accelerator,
            workers=workers,
            progress=progress or Silent(),
            checkpoint_seconds=checkpoint_seconds,
            signals=signals,
        )
        return training.finish()
