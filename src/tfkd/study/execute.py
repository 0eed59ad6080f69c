"""Run a plan: teachers first, independent runs side by side, each once and no more."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

from tfkd._counted import number_of
from tfkd.data.kept import sources_kept
from tfkd.runs import Circumstances, Result
from tfkd.runs.lock import RunBusyError
from tfkd.study.directory import run_directory
from tfkd.study.executors.local import LocalProcesses, ThisProcess, cores
from tfkd.study.executors.run_trainer import Report, RunTrainer
from tfkd.study.plan import PlannedRun
from tfkd.study.progress import StudyProgress, Telling
from tfkd.train.continuation import check_settings
from tfkd.train.teacher_network import check_teacher
from tfkd.train.weights.start import check_start

BUSY_SECONDS = 1.0
"""How long a run that another process trains is left alone."""


class RunsFailedError(RuntimeError):
    """Some runs failed; the others are finished and kept.

    Args:
        failures: what each ended with, by its name.
        tried: how many there were; None: not said.
    """

    def __init__(self, failures: Mapping[str, str], tried: int | None = None) -> None:
        count = number_of(len(failures), "run")
        count = count if tried is None else f"{len(failures)} of {number_of(tried, 'run')}"
        lines = [f"  {name}: {message}" for name, message in failures.items()]
        super().__init__("\n".join([f"{count} failed:", *lines]))


class Executor(Protocol):
    """Where runs are trained."""

    @property
    def jobs(self) -> int:
        """How many runs it takes at once."""

    def submit(self, run: PlannedRun) -> Future[Result]:
        """Train a run."""

    def poll(self) -> None:
        """Report what runs told since the last call."""


def default_jobs() -> int:
    """Return how many runs go side by side: one on a GPU, else one for each core, at most 4."""
    import torch

    return 1 if torch.cuda.is_available() else min(cores(), 4)


def execute(
    runs: list[PlannedRun],
    root: Path,
    *,
    jobs: int | None,
    progress: StudyProgress,
    circumstances: Circumstances | None = None,
    executor: str = "local",
    other_data: bool = False,
) -> None:
    """Train every run that is not finished yet.

    May be killed at any moment and called again: what is finished counts, what is half-finished
    resumes. May be called by several processes at once, on all machines that share the directory:
    each run is trained by one of them, and each returns when all runs are finished.

    Args:
        runs: the plan.
        root: the study's directory; each run has its own beneath.
        jobs: runs side by side. None: as many as the machine, or Ray's, have room for.
        progress: told of every epoch that is trained here, and of every run.
        circumstances: in which every run is made.
        executor: `local`, in this process for one job and else in processes of this machine; or
            `ray`.
        other_data: go on though data are not those that runs were begun with.

    Raises:
        ValueError: if the directory holds a run of other settings, or that other weights taught.
        RunsFailedError: if a run failed, naming each with its error. A run whose teacher failed is
            not started; all others are finished first.
        ModuleNotFoundError: for `ray`, if it is not installed.
    """
    left = []
    for run in runs:
        directory = run_directory(root, run.name)
        check_settings(directory, run.settings)  # before any long work
        if directory.result() is None:
            left.append(run)
        else:
            check_teacher(directory, run.settings)
            check_start(directory, run.settings)
            directory.clear_finished()
    trainer = RunTrainer(root, circumstances or Circumstances(), other_data)
    telling = Telling(progress)
    with sources_kept(), executor_of(executor, trainer, telling, jobs, len(left)) as place:
        progress.start(len(left), sum(run.settings.recipe.epochs for run in left))
        try:
            failures = _train_all(left, root, place, progress)
        except (KeyboardInterrupt, SystemExit):
            progress.doing("stopping")
            raise
    if failures:
        raise RunsFailedError(failures, len(left))


def executor_of(
    name: str, trainer: RunTrainer, report: Report, jobs: int | None, runs: int
) -> AbstractContextManager[Executor]:
    """Return where runs are trained.

    Args:
        name: `local` or `ray`.
        trainer: of the runs.
        report: told of every epoch, and where runs are.
        jobs: runs side by side; None: as many as there is room for.
        runs: how many are left; with none no process is started.

    Raises:
        ValueError: for another name.
        ModuleNotFoundError: for `ray`, if it is not installed.
    """
    if name not in ("local", "ray"):
        raise ValueError(f"Expected `executor` local or ray, got {name!r}.")
    if name == "ray" and runs > 0:
        from tfkd.study.executors.ray import RayTasks

        return RayTasks(trainer, report, jobs)
    # As many as were asked for, however few runs are left: their threads, and so the last bits of
    # what they come to, depend on it.
    jobs = default_jobs() if jobs is None else jobs
    if jobs <= 1 or runs == 0:
        return nullcontext(ThisProcess(trainer, report))
    return LocalProcesses(trainer, report, jobs)


def _train_all(
    left: list[PlannedRun], root: Path, executor: Executor, progress: StudyProgress
) -> dict[str, str]:
    """Train runs as their teachers are finished; return what failed, and why."""
    failures: dict[str, str] = {}
    waiting = {run.name: run for run in left}
    running: dict[Future[Result], PlannedRun] = {}
    busy: dict[str, float] = {}  # until when a run that is trained elsewhere is left alone
    died: set[str] = set()
    while waiting or running:
        unfinished = {*waiting, *(run.name for run in running.values())}
        for run in list(waiting.values()):
            if run.after in failures:
                failures[run.name] = f"its teacher {run.after} failed"
                del waiting[run.name]
            elif run.name in busy and time.monotonic() < busy[run.name]:
                continue
            elif run.name in busy and (result := run_directory(root, run.name).result()):
                progress.finished(waiting.pop(run.name), result)
            elif run.after not in unfinished and len(running) < executor.jobs:
                running[executor.submit(run)] = waiting.pop(run.name)
        if not running:
            time.sleep(0.1 if waiting else 0)
            continue
        done, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
        executor.poll()
        for future in done:
            run, error = running.pop(future), future.exception()
            if error is None:
                progress.finished(run, future.result())
            elif isinstance(error, RunBusyError):
                waiting[run.name] = run
                busy[run.name] = time.monotonic() + BUSY_SECONDS
            elif isinstance(error, BrokenExecutor) and run.name not in died:
                waiting[run.name] = run  # goes on from its checkpoint, once
                died.add(run.name)
            elif isinstance(error, BrokenExecutor):
                failures[run.name] = "its process died twice; is the memory too small?"
            else:
                failures[run.name] = f"{type(error).__name__}: {error}"
    return failures
