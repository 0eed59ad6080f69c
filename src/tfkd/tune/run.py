"""Tune: train what the search asks for, wherever there is room, until it asks for nothing more."""

from __future__ import annotations

import time
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from pathlib import Path

from msgspec.structs import replace

from tfkd.data import DataSettings, ImageData
from tfkd.runs import Circumstances, Result, files
from tfkd.runs.lock import RunBusyError, wait_for_lock
from tfkd.study.directory import run_directory
from tfkd.study.execute import BUSY_SECONDS, Executor, RunsFailedError, executor_of
from tfkd.study.executors.run_trainer import RunTrainer
from tfkd.study.plan import Arm, PlannedRun, Study
from tfkd.study.progress import SilentStudy, StudyProgress, Telling
from tfkd.study.run import check_runs
from tfkd.train.event_writer import check_event_writer
from tfkd.tune.journal import LOCK_FILE
from tfkd.tune.plan import Tuning
from tfkd.tune.records import PLAN_FILE, begun, remove_leftovers
from tfkd.tune.runs_of_trial import Trial, runs_of, teachers_of
from tfkd.tune.search import Search
from tfkd.tune.space import default_setting


def tune(
    tuning: Tuning,
    root: Path,
    *,
    progress: StudyProgress | None = None,
    jobs: int | None = None,
    circumstances: Circumstances | None = None,
    executor: str = "local",
    other_data: bool = False,
) -> Search:
    root = Path(root)
    progress = progress or SilentStudy()
    circumstances = replace(circumstances or Circumstances(), measure_test=False)
    if circumstances.tensorboard:
        check_event_writer()
    tuning = begun(tuning, root)
    progress.doing("reading the data")
    check_tuning(tuning, root, circumstances, other_data=other_data)
    files.make_folder(root)
    with wait_for_lock(root / LOCK_FILE):
        tuning = begun(tuning, root)
        remove_leftovers(root)
        files.write_json(root / PLAN_FILE, tuning)
    search = Search(tuning, root)
    wanted = search.step()
    trainer = RunTrainer(root, circumstances, other_data)
    with executor_of(executor, trainer, Telling(progress), jobs, len(wanted)) as place:
        failures = _train(search, wanted, place, progress)
    if failures:
        lines = [f"  {name}: {message}" for name, message in failures.items()]
        raise RunsFailedError("\n".join([f"{len(failures)} runs failed:", *lines]))
    return search


def check_tuning(
    tuning: Tuning, root: Path, circumstances: Circumstances, *, other_data: bool = False
) -> dict[DataSettings, ImageData]:
    """Check all that may be wrong with a search, with the true data and networks; write nothing."""
    runs: dict[str, PlannedRun] = {}
    arms: dict[str, Arm] = {}
    for method in tuning.methods:
        first = runs_of(tuning, root, Trial(method, 0, default_setting(tuning, method)))
        for run in (*teachers_of(tuning, method), *first):
            runs[run.name] = run
            recipe = run.settings.recipe
            arms[run.arm] = Arm(run.arm, run.settings.method, recipe)
    study = Study("tune", "Which settings suit each method?", tuple(arms.values()))
    data = check_runs(study, list(runs.values()), root, circumstances, other_data=other_data)
    if not all(len(found.validation) for found in data.values()):
        raise ValueError(
            "Expected a validation split to choose settings by, got `validation_fraction` "
            f"{tuning.recipe.data.validation_fraction:g}."
        )
    return data


def _train(
    search: Search, wanted: list[PlannedRun], executor: Executor, progress: StudyProgress
) -> dict[str, str]:
    """Train runs as they are asked for; return what failed, and why."""
    failures: dict[str, str] = {}
    running: dict[Future[Result], PlannedRun] = {}
    busy: dict[str, float] = {}  # until when a run that is trained elsewhere is left alone
    died: set[str] = set()
    looked = time.monotonic()
    while True:
        names = {run.name for run in running.values()}
        for run in wanted:
            is_free = run.name not in names and run.name not in failures
            is_free = is_free and time.monotonic() >= busy.get(run.name, 0.0)
            if is_free and len(running) < executor.jobs:
                running[executor.submit(run)] = run
                names.add(run.name)
        if not running and all(run.name in failures for run in wanted):
            return failures
        done, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
        executor.poll()
        for future in done:
            run, error = running.pop(future), future.exception()
            if error is None:
                progress.finished(run, future.result())
            elif isinstance(error, RunBusyError):
                busy[run.name] = time.monotonic() + BUSY_SECONDS
            elif isinstance(error, BrokenExecutor) and run.name not in died:
                died.add(run.name)  # goes on from its checkpoint, once
            elif isinstance(error, BrokenExecutor):
                failures[run.name] = "its process died twice; is the memory too small?"
            elif not _has_diverged(search, run, error):
                failures[run.name] = f"{type(error).__name__}: {error}"
        if done or time.monotonic() - looked >= BUSY_SECONDS:
            wanted, looked = search.step(), time.monotonic()
        elif not running:
            time.sleep(0.1)


def _has_diverged(search: Search, run: PlannedRun, error: BaseException) -> bool:
    """Whether a run ended as one that diverged, which is an answer and no failure."""
    left = run_directory(search.root, run.name).failure_file.is_file()
    return isinstance(error, FloatingPointError) and left
