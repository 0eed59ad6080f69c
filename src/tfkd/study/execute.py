"""Run a plan: teachers first, independent runs side by side, finished ones never again."""

from __future__ import annotations

import multiprocessing
import os
import queue
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any, Protocol

from tfkd.study.plan import PlannedRun, in_order
from tfkd.train import RunDirectory, train_run

_messages: Any = None


class StudyProgress(Protocol):
    """What a study calls as it goes on."""

    def start(self, runs: int, epochs: int) -> None:
        """Begin: so many runs, of so many epochs together, are left."""

    def epoch(self, name: str, record: dict[str, Any]) -> None:
        """One more epoch of a run is done."""

    def finished(self, run: PlannedRun, result: dict[str, Any]) -> None:
        """One more run is done."""


class RunsFailedError(RuntimeError):
    """Some runs failed; the others are finished and kept."""


def default_jobs() -> int:
    """Return how many runs go side by side: one on a GPU, else one for each core, at most 4."""
    import torch

    return 1 if torch.cuda.is_available() else min(_cores(), 4)


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux alone
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def execute(
    runs: list[PlannedRun], root: Path, *, jobs: int, workers: int, progress: StudyProgress
) -> None:
    """Train every run that is not finished yet.

    Args:
        runs: the plan.
        root: the study's directory; each run has its own beneath.
        jobs: runs side by side, each in a process of its own where more than 1.
        workers: processes that decode image files, for each run.
        progress: told of every epoch and run.

    Raises:
        RunsFailedError: if a run failed, naming each with its error. A run whose teacher failed is
            not started; all others are finished first.
    """
    ordered = in_order(runs)
    for run in ordered:  # before any long work
        RunDirectory(root / run.name).check(run.settings)
    left = [run for run in ordered if RunDirectory(root / run.name).result() is None]
    progress.start(len(left), sum(run.settings.epochs for run in left))
    if not left:
        return
    if jobs == 1:
        failures = _one_by_one(left, root, workers, progress)
    else:
        failures = _side_by_side(left, root, min(jobs, len(left)), workers, progress)
    if failures:
        lines = [f"  {name}: {message}" for name, message in failures.items()]
        raise RunsFailedError("\n".join([f"{len(failures)} of {len(left)} runs failed:", *lines]))


class _Forward:
    """A run's progress, passed on to the study's."""

    def __init__(self, name: str, send: Callable[[str, dict[str, Any]], None]) -> None:
        self._name = name
        self._send = send

    def start(self, epochs: int, steps: int, done: int) -> None:
        """Begin."""

    def step(self) -> None:
        """One more batch."""

    def epoch(self, record: dict[str, Any]) -> None:
        """One more epoch."""
        self._send(self._name, record)


def _one_by_one(
    left: list[PlannedRun], root: Path, workers: int, progress: StudyProgress
) -> dict[str, str]:
    failures: dict[str, str] = {}
    for run in left:
        if run.after in failures:
            failures[run.name] = f"its teacher {run.after} failed"
            continue
        try:
            forward = _Forward(run.name, progress.epoch)
            result = train_run(root / run.name, run.settings, workers=workers, progress=forward)
        except Exception as error:
            failures[run.name] = f"{type(error).__name__}: {error}"
        else:
            progress.finished(run, result)
    return failures


def _side_by_side(
    left: list[PlannedRun], root: Path, jobs: int, workers: int, progress: StudyProgress
) -> dict[str, str]:
    failures: dict[str, str] = {}
    waiting = {run.name: run for run in left}
    running: dict[Future[dict[str, Any]], PlannedRun] = {}
    context = multiprocessing.get_context("spawn")
    messages = context.Queue()
    threads = max(_cores() // jobs, 1)
    with ProcessPoolExecutor(jobs, context, _initialise, (messages, threads)) as pool:
        try:
            while waiting or running:
                busy = set(waiting) | {run.name for run in running.values()}
                for run in list(waiting.values()):
                    if run.after in failures:
                        failures[run.name] = f"its teacher {run.after} failed"
                        del waiting[run.name]
                    elif run.after not in busy:
                        future = pool.submit(_train, run.name, root, run.settings, workers)
                        running[future] = waiting.pop(run.name)
                done, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
                _drain(messages, progress)
                for future in done:
                    run = running.pop(future)
                    error = future.exception()
                    if error is not None:
                        failures[run.name] = f"{type(error).__name__}: {error}"
                    else:
                        progress.finished(run, future.result())
        except BaseException:
            for process in (pool._processes or {}).values():
                process.terminate()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return failures


def _initialise(messages: Any, threads: int) -> None:
    """Prepare a process of the pool."""
    import torch

    global _messages
    _messages = messages
    torch.set_num_threads(threads)


def _train(name: str, root: Path, settings: Any, workers: int) -> dict[str, Any]:
    forward = _Forward(name, lambda run, record: _messages.put((run, record)))
    return train_run(root / name, settings, workers=workers, progress=forward)


def _drain(messages: Any, progress: StudyProgress) -> None:
    while True:
        try:
            name, record = messages.get_nowait()
        except queue.Empty:
            return
        progress.epoch(name, record)
