"""Run a study, and keep what came of it beside its runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfkd.data import load_data
from tfkd.study.directory import write_study
from tfkd.study.execute import StudyProgress, execute
from tfkd.study.plan import Study
from tfkd.study.records import collect, write_records


def run_study(
    study: Study,
    root: Path,
    *,
    jobs: int | None,
    workers: int,
    progress: StudyProgress,
    executor: str = "local",
) -> list[dict[str, Any]]:
    """Train every run of a study that is not finished, and write the records.

    The plan is `NAME.study.json` in `root`; `NAME.jsonl` and `NAME.csv` appear there with the runs
    that are finished, also when others fail. Studies of one directory share the runs that they
    have in common.

    Args:
        study: the plan.
        root: the study's directory.
        jobs: runs side by side; None: as many as there is room for.
        workers: processes that decode image files, for each run.
        progress: told of every epoch and run.
        executor: `local` or `ray`.

    Returns:
        One record for each run.

    Raises:
        FileNotFoundError: if the data set is not there.
        ValueError: for settings that do not fit, or a directory with runs of other settings.
        RunsFailedError: if runs failed; the others are finished.
    """
    runs = study.runs(root)
    # A missing or broken data set is found before any run starts.
    for data in {arm.recipe.data for arm in study.arms}:
        load_data(data)
    write_study(study, root)
    try:
        execute(runs, root, jobs=jobs, workers=workers, progress=progress, executor=executor)
    finally:
        records = collect(study, root)
        write_records(study, records, root)
    return records
