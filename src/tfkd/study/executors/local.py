"""Runs on this machine: in this process one by one, or in processes side by side."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from tfkd._children import deaf_to_interrupts
from tfkd.data.kept import keep_sources
from tfkd.runs import Result
from tfkd.study.executors.run_trainer import Report, RunTrainer, Told
from tfkd.study.plan import PlannedRun
from tfkd.train.stopping import raised_sigterm

END_SECONDS = 5.0
"""How long a run may take to its next step and a checkpoint when the study ends."""


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux alone
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_of(jobs: int) -> int:
    """Return how many threads each of so many runs side by side has."""
    return int(os.environ.get("OMP_NUM_THREADS") or max(cores() // jobs, 1))


class ThisProcess:
    """Trains a run while it is handed over."""

    jobs = 1

    def __init__(self, trainer: RunTrainer, report: Report) -> None:
        self._trainer = trainer
        self._report = report

    def submit(self, run: PlannedRun) -> Future[Result]:
        """Train a run; the future is done."""
        future: Future[Result] = Future()
        try:
            future.set_result(self._trainer.train(run, self._report))
        except Exception as error:
            future.set_exception(error)
        return future

    def poll(self) -> None:
        """Do nothing: all was reported as it passed."""


@dataclass
class _Place:
    """A process and the line to it: what it tells comes up; its end tells the process to end."""

    pool: ProcessPoolExecutor
    line: Connection
    processes: list[BaseProcess] = field(default_factory=list)
    told: bool = False


class LocalProcesses:
    """Trains runs side by side, each in a process that is used again.

    A pool of one process for each, so that a process that dies takes no other run with it.

    Args:
        trainer: of the runs.
        report: told of every epoch, and where runs are.
        jobs: processes.
    """

    def __init__(self, trainer: RunTrainer, report: Report, jobs: int) -> None:
        self.jobs = jobs
        self._trainer = trainer
        self._report = report
        self._free: list[_Place] = []
        self._busy: dict[Future[Result], _Place] = {}
        self._signals = contextlib.ExitStack()

    def __enter__(self) -> LocalProcesses:
        self._signals.enter_context(raised_sigterm())
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """End the processes: after the next step where runs are at work, as after Ctrl-C."""
        self._signals.close()
        for place in self._busy.values():
            told = place.told or _has_told(place.line)
            place.line.close()
            if not told:  # it is still loading its packages, and has nothing to lose
                for process in place.processes:
                    process.terminate()
        for place in [*self._busy.values(), *self._free]:
            place.pool.shutdown()
            place.line.close()

    def submit(self, run: PlannedRun) -> Future[Result]:
        """Train a run; the future has a `BrokenExecutor` if its process dies."""
        self._take_back()
        place = self._free.pop() if self._free else self._start()
        before = multiprocessing.active_children()
        with deaf_to_interrupts():  # the first to be submitted starts the process
            future = place.pool.submit(_train, run)
        place.processes += [own for own in multiprocessing.active_children() if own not in before]
        self._busy[future] = place
        return future

    def poll(self) -> None:
        """Report what runs told since the last call."""
        for place in self._busy.values():
            with contextlib.suppress(EOFError, OSError):  # it died; its future says so
                while place.line.poll():
                    place.told = True
                    self._report(*place.line.recv())

    def _take_back(self) -> None:
        for future in [future for future in self._busy if future.done()]:
            place = self._busy.pop(future)
            if isinstance(future.exception(), BrokenExecutor):
                place.pool.shutdown()
                place.line.close()
            else:
                self._free.append(place)

    def _start(self) -> _Place:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        initial = (self._trainer, theirs, threads_of(self.jobs))
        pool = ProcessPoolExecutor(1, context, _initialise, initial)
        return _Place(pool, ours)


def _has_told(line: Connection) -> bool:
    try:
        return line.poll()
    except (EOFError, OSError):
        return False


_trainer: RunTrainer
_line: Connection


def _initialise(trainer: RunTrainer, line: Connection, threads: int) -> None:
    """Prepare a process that trains."""
    import torch

    global _trainer, _line
    _trainer, _line = trainer, line
    torch.set_num_threads(threads)
    keep_sources()
    # Ctrl-C reaches all processes of a terminal; the first of them decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_study, daemon=True).start()


def _end_with_the_study() -> None:
    """End this process when the study's closes the line, or dies."""
    with contextlib.suppress(EOFError, OSError):
        _line.recv()
    os.kill(os.getpid(), signal.SIGTERM)  # a run ends after its next step, with a checkpoint
    time.sleep(END_SECONDS)
    os._exit(1)


def _train(run: PlannedRun) -> Result:
    try:
        return _trainer.train(run, _send)
    except SystemExit:  # asked to end: by the study, or by whoever ends all its processes
        os._exit(128 + signal.SIGTERM)


def _send(name: str, told: Told) -> None:
    with contextlib.suppress(OSError):  # the study has closed the line; the run will hear of it
        _line.send((name, told))
