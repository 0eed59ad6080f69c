"""Runs on Ray: on this machine, or on the cluster that RAY_ADDRESS names."""

from __future__ import annotations

import contextlib
import os
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from tfkd._extras import pip_line
from tfkd.runs import Result
from tfkd.study.executors.run_trainer import Report, RunTrainer
from tfkd.study.plan import PlannedRun


class RayTasks:
    """Hands runs to Ray, which starts each where its cores, and GPU, are free.

    Study and data must lie at the same path on all machines, on a file system with locks that hold
    across them; tfkd must be installed on each.

    Args:
        trainer: of the runs.
        report: told of every epoch, and where runs are.
        jobs: runs handed over at once. None: one for each GPU, or for each core where there is no
            GPU.

    Raises:
        ModuleNotFoundError: without ray, with the line that installs it.
    """

    def __init__(self, trainer: RunTrainer, report: Report, jobs: int | None) -> None:
        # Ray tells its makers of each use unless told otherwise.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
            from ray.util.queue import Empty, Queue
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                f"The `executor` ray needs the package ray: {pip_line('ray')}", name="ray"
            ) from error

        self._ray = ray
        self._report = report
        self._mine = not ray.is_initialized()
        if self._mine:
            ray.init(log_to_driver=False, logging_level="warning")
        cpus, largest, gpus = _resources(ray.nodes())
        self.jobs = jobs or gpus or cpus
        threads = min(max(cpus // self.jobs, 1), largest)
        self._empty = Empty
        self._lines = Queue(actor_options={"num_cpus": 0})
        options = {"num_cpus": threads, "num_gpus": 1 if gpus else 0, "max_retries": 1}
        self._task = ray.remote(_train).options(**options)
        self._arguments = (trainer, self._lines, Path.cwd(), threads)
        self._references: dict[Future[Result], Any] = {}

    def __enter__(self) -> RayTasks:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """End the runs at work, and Ray if it was started here."""
        for future, reference in self._references.items():
            if not future.done():
                self._ray.cancel(reference, force=True)
        if self._mine:
            self._ray.shutdown()
        else:
            self._lines.shutdown(force=True)

    def submit(self, run: PlannedRun) -> Future[Result]:
        """Train a run; where its process dies, Ray tries it once more."""
        reference = self._task.remote(run, *self._arguments)
        future: Future[Result] = Future()
        reference.future().add_done_callback(lambda done: _pass_on(done, future))
        self._references = {f: r for f, r in self._references.items() if not f.done()}
        self._references[future] = reference
        return future

    def poll(self) -> None:
        """Report what runs told since the last call."""
        with contextlib.suppress(self._empty):
            while True:
                self._report(*self._lines.get_nowait())


def _resources(nodes: list[dict[str, Any]]) -> tuple[int, int, int]:
    """Cores together, cores of the largest machine, and GPUs; of those with a GPU if any has one.

    Example:
        >>> small = {"Alive": True, "Resources": {"CPU": 4.0, "GPU": 2.0}}
        >>> large = {"Alive": True, "Resources": {"CPU": 64.0}}
        >>> _resources([large]), _resources([small, large])
        ((64, 64, 0), (4, 4, 2))
    """
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    with_gpu = [resources for resources in alive if resources.get("GPU", 0) >= 1]
    cpus = [max(int(resources.get("CPU", 0)), 0) for resources in with_gpu or alive]
    return sum(cpus), max(cpus), sum(int(resources["GPU"]) for resources in with_gpu)


def _train(run: PlannedRun, trainer: RunTrainer, lines: Any, start: Path, threads: int) -> Result:
    """Train a run in a process of Ray."""
    import torch

    if start.is_dir():
        os.chdir(start)  # relative paths are meant from where the study was started
    torch.set_num_threads(threads)
    return trainer.train(run, lambda name, told: lines.put((name, told)))


def _pass_on(done: Future[Result], to: Future[Result]) -> None:
    """Pass on how a task ended, with the error as it was raised there."""
    error = done.exception()
    if error is None:
        to.set_result(done.result())
    else:
        to.set_exception(getattr(error, "cause", None) or error)
