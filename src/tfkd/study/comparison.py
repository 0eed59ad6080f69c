"""The main job: every method on one data set against plain cross-entropy, run and collected."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfkd.data import load_data
from tfkd.study.comparison_plan import plan_comparison
from tfkd.study.execute import StudyProgress, execute
from tfkd.study.plan import PlannedRun
from tfkd.train import RunDirectory, RunSettings, evaluate_run, files


def run_comparison(
    base: RunSettings,
    *,
    teacher: str,
    methods: Sequence[str],
    seeds: int,
    out: Path,
    jobs: int,
    workers: int,
    progress: StudyProgress,
) -> list[dict[str, Any]]:
    """Train every run of a comparison that is not finished, and write the results.

    `results.jsonl` and `results.csv` appear in `out` beside the runs, with those that are
    finished, also when others fail.

    Args:
        base: data, student and recipe of every run.
        teacher: name of the larger network.
        methods: names from `tfkd.study.comparison_plan.METHODS`.
        seeds: number of seeds.
        out: the comparison's directory.
        jobs: runs side by side.
        workers: processes that decode image files, for each run.
        progress: told of every epoch and run.

    Returns:
        One record for each run.

    Raises:
        FileNotFoundError: if the data set is not there.
        ValueError: for settings that do not fit, or a directory with runs of other settings.
        RunsFailedError: if runs failed; the others are finished.
    """
    runs = plan_comparison(base, teacher=teacher, methods=methods, seeds=seeds, root=out)
    load_data(base.data)  # a missing or broken data set is found before any run starts
    out.mkdir(parents=True, exist_ok=True)
    try:
        execute(runs, out, jobs=jobs, workers=workers, progress=progress)
    finally:
        records = collect(runs, out)
        write_records(records, out)
    return records


def collect(runs: list[PlannedRun], root: Path) -> list[dict[str, Any]]:
    """Return one record for each finished run: what was run, and every metric."""
    records = []
    for run in runs:
        directory = RunDirectory(root / run.name)
        result = directory.result()
        if result is None:
            continue
        teacher, teacher_accuracy = _teacher(run, root)
        records.append(
            {
                "study": "compare",
                "run": run.name,
                "method": run.method,
                "student": run.settings.student,
                "teacher": teacher,
                "teacher_accuracy": teacher_accuracy,
                "seed": run.settings.seed,
                **result["test"],
                "train_accuracy": result["train"]["accuracy"],
                "train_loss": result["train"]["loss"],
                "validation_accuracy": (result["validation"] or {}).get("accuracy"),
                "validation_nll": (result["validation"] or {}).get("nll"),
                "seconds": result["seconds"],
                "epochs": result["epochs"],
                "parameters": result["parameters"],
                "settings": run.settings.to_dict(),
            }
        )
    return records


def _teacher(run: PlannedRun, root: Path) -> tuple[str | None, float | None]:
    """Name of the network that taught a run, and its accuracy on the test split."""
    teacher = run.settings.teacher
    if run.after is None or teacher is None:
        return None, None
    directory = RunDirectory(root / run.after)
    name = directory.settings().student
    if teacher.epoch is None:
        result = directory.result()
        return name, None if result is None else result["test"]["accuracy"]
    return f"{name}@{teacher.epoch}", snapshot_accuracy(directory, teacher.epoch)


def snapshot_accuracy(directory: RunDirectory, epoch: int) -> float:
    """Return the accuracy of a snapshot on the test split, measured once and kept beside it."""
    kept = directory.weights_file(epoch).with_suffix(".json")
    if not kept.is_file():
        files.write_json(kept, evaluate_run(directory.path, epoch=epoch))
    accuracy: float = files.read_json(kept)["accuracy"]
    return accuracy


def write_records(records: list[dict[str, Any]], out: Path) -> None:
    """Write `results.jsonl`, and `results.csv` without the nested settings."""
    files.write_json_lines(out / "results.jsonl", records)
    table = io.StringIO()
    columns = [name for name in (records[0] if records else {}) if name != "settings"]
    writer = csv.DictWriter(table, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    files.write_text(out / "results.csv", table.getvalue())
