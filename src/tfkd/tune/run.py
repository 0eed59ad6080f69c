"""Tune: train what the search asks for, wherever there is room, until it asks for nothing more."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from pathlib import Path

from msgspec.structs import replace

from tfkd.data import DataSettings, ImageData
from tfkd.data.kept import sources_kept
from tfkd.runs import Circumstances, Result, files
from tfkd.runs.lock import RunBusyError, wait_for_lock
from tfkd.study.directory import run_directory
from tfkd.study.execute import (
    BUSY_SECONDS,
    Executor,
    RunsFailedError,
    default_jobs,
    executor_of,
)
from tfkd.study.executors.run_trainer import RunTrainer
from tfkd.study.plan import Arm, PlannedRun, Study
from tfkd.study.progress import Telling
from tfkd.study.run import check_runs
from tfkd.train.event_writer import check_event_writer
from tfkd.tune.journal import LOCK_FILE
from tfkd.tune.left import runs_left
from tfkd.tune.plan import Tuning
from tfkd.tune.progress import SilentTuning, TuningBeginning, TuningProgress
from tfkd.tune.records import PLAN_FILE, gone_on_with, remove_leftovers
from tfkd.tune.runs_of_trial import Trial, runs_of, teachers_of
from tfkd.tune.search import Search, Step
from tfkd.tune.space import first_setting
from tfkd.tune.telling import tell_ended
from tfkd.tune.tuned import Tuned


def tune(
    tuning: Tuning,
    directory: Path | str,
    *,
    progress: TuningProgress | None = None,
    jobs: int | None = None,
    circumstances: Circumstances | None = None,
    executor: str = "local",
    other_data: bool = False,
) -> Tuned:
    """Choose settings on validation data, with the same budget for each method.

    May be killed at any moment and called again: what is finished counts, what is half-finished
    goes on, and the settings tried are the same. May be called by several processes at once, on all
    machines that share the directory: each run is trained by one of them. With more trials, or more
    methods, it goes on from there. The test split is not looked at.

    `tune.json` in the directory is the plan, `tune.jsonl` has a line for each trial and seed, and
    `chosen.json` what is best so far; they are written as the search goes on.

    Args:
        tuning: the plan.
        directory: of the search; made if it does not exist.
        progress: told of every epoch, run and trial.
        jobs: runs side by side; None: as many as there is room for. Within a method one trial
            follows the other; methods go side by side, and seeds of a trial behind the first.
        circumstances: in which every run is made.
        executor: `local` or `ray`.
        other_data: go on though data are not those that runs were begun with.

    Returns:
        The trials of each method, and the best of them.

    Raises:
        FileNotFoundError: if the data set is not there.
        ValueError: for settings or data that do not fit, or a directory with another search; before
            anything is written or trained.
        RunsFailedError: if runs failed, but for those whose loss was not finite, which are an
            answer; all others are finished first.
    """
    root = Path(directory)
    progress = progress or SilentTuning()
    circumstances = replace(circumstances or Circumstances(), measure_test=False)
    if circumstances.tensorboard:
        check_event_writer()
    tuning = gone_on_with(tuning, root)
    progress.doing("reading the data")
    data = check_search(tuning, root, circumstances, other_data=other_data)
    files.make_folder(root)
    with wait_for_lock(root / LOCK_FILE):
        tuning = gone_on_with(tuning, root)
        remove_leftovers(root)
        files.write_json(root / PLAN_FILE, tuning)
    search = Search(tuning, root)
    first = search.step()
    left = runs_left(tuning, root, search.records())
    side_by_side = default_jobs() if jobs is None else jobs
    progress.found_search(TuningBeginning(tuning, root, data, circumstances, side_by_side, left))
    trainer = RunTrainer(root, circumstances, other_data)
    telling = Telling(progress)
    with sources_kept(), executor_of(executor, trainer, telling, jobs, len(left)) as place:
        progress.start(len(left), tuning.recipe.epochs * len(left))
        try:
            failures = _train(search, first, place, progress)
        except (KeyboardInterrupt, SystemExit):
            progress.doing("stopping")
            raise
    if failures:
        raise RunsFailedError(failures)
    return search.tuned()


def check_search(
    tuning: Tuning, root: Path, circumstances: Circumstances, *, other_data: bool = False
) -> dict[DataSettings, ImageData]:
    """Check all that may be wrong with a search, with the true data and networks; write nothing.

    Args:
        tuning: the plan.
        root: its directory.
        circumstances: in which every run is made.
        other_data: go on though data are not those that runs were begun with.

    Returns:
        The data, as the first seed splits them.

    Raises:
        FileNotFoundError: if the data set is not there.
        ValueError: if a run does not fit its data, its network, or what its directory holds; or
            without a validation split.
    """
    runs: dict[str, PlannedRun] = {}
    arms: dict[str, Arm] = {}
    for entry in tuning.entries:
        first = Trial(entry.name, 0, first_setting(tuning, entry))
        for run in (*teachers_of(tuning, entry), *runs_of(tuning, root, entry, first)):
            runs[run.name] = run
            arms[run.arm] = Arm(run.arm, run.settings.method, run.settings.recipe)
    study = Study("tune", "Which settings suit each method?", tuple(arms.values()))
    data = check_runs(study, list(runs.values()), root, circumstances, other_data=other_data)
    check_validation(tuning, data)
    return data


def check_validation(tuning: Tuning, data: Mapping[DataSettings, ImageData]) -> None:
    """Raise `ValueError` for data without a validation split."""
    if not all(len(found.validation) for found in data.values()):
        raise ValueError(
            "Expected a validation split to choose settings by, got `validation_fraction` "
            f"{tuning.recipe.data.validation_fraction:g}."
        )


def _train(
    search: Search, step: Step, executor: Executor, progress: TuningProgress
) -> dict[str, str]:
    """Train runs as they are asked for; return what failed, and why."""
    failures: dict[str, str] = {}
    running: dict[Future[Result], PlannedRun] = {}
    busy: dict[str, float] = {}  # until when a run that is trained elsewhere is left alone
    died: set[str] = set()
    wanted, looked = step.wanted, time.monotonic()
    while True:
        at_work = {run.name for run in running.values()}
        for run in wanted:
            is_free = run.name not in at_work and run.name not in failures
            is_free = is_free and time.monotonic() >= busy.get(run.name, 0.0)
            if is_free and len(running) < executor.jobs:
                running[executor.submit(run)] = run
        if not running and all(run.name in failures for run in wanted):
            return failures
        done, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
        executor.poll()
        for future in done:
            run, error = running.pop(future), future.exception()
            if isinstance(error, RunBusyError):
                busy[run.name] = time.monotonic() + BUSY_SECONDS
            elif isinstance(error, BrokenExecutor) and run.name not in died:
                died.add(run.name)  # goes on from its checkpoint, once
            elif isinstance(error, BrokenExecutor):
                failures[run.name] = "its process died twice; is the memory too small?"
            elif error is not None and not _has_diverged(search.root, run, error):
                failures[run.name] = f"{type(error).__name__}: {error}"
        if done or time.monotonic() - looked >= BUSY_SECONDS:
            step, looked = search.step(), time.monotonic()
            wanted = step.wanted
            for run, result in step.finished:
                progress.finished(run, result)
            tell_ended(search, step.ended, progress)
        elif not running:
            time.sleep(0.1)


def _has_diverged(root: Path, run: PlannedRun, error: BaseException) -> bool:
    """Whether a run ended as one whose loss was not finite, which is an answer and no failure."""
    left = run_directory(root, run.name).failure_file.is_file()
    return isinstance(error, FloatingPointError) and left
