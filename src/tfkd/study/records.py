"""One record for each finished run of a study: what was run, and every metric."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path
from typing import Any

from tfkd._typed import typed
from tfkd.runs import RunDirectory, files
from tfkd.runs.contents import Metrics
from tfkd.study.directory import run_directory
from tfkd.study.plan import Arm, PlannedRun, Study
from tfkd.study.spreadsheet import harmless
from tfkd.train import evaluate_run


def collect(study: Study, root: Path) -> list[dict[str, Any]]:
    """Return the records of the runs that are finished, in the order of the plan.

    Args:
        study: the plan.
        root: the study's directory.

    Returns:
        Dictionaries of plain values: `study`, `run`, `arm`, `method`, `dialect`, `student`,
        `teacher` (`name@epoch` for a snapshot) and its test accuracy, `seed`, the test metrics
        `accuracy`, `nll`, `ece`, `brier`, `aurc`, those of training and validation, `seconds`,
        `epochs`, `parameters`, and all `settings`, with the teacher's path relative to `root`.
    """
    arms = {arm.name: arm for arm in study.arms}
    records = []
    for run in study.runs(Path()):
        result = run_directory(root, run.name).result()
        if result is None:
            continue
        arm = arms[run.name.rpartition("/")[0]]
        teacher, teacher_accuracy = _teacher(arms, run, root)
        validation = result["validation"] or {}
        records.append(
            {
                "study": study.name,
                "run": run.name,
                "arm": arm.name,
                "method": arm.method,
                "dialect": arm.dialect,
                "student": run.settings.student,
                "teacher": teacher,
                "teacher_accuracy": teacher_accuracy,
                "seed": run.settings.seed,
                **result["test"],
                "train_accuracy": result["train"]["accuracy"],
                "train_loss": result["train"]["loss"],
                "validation_accuracy": validation.get("accuracy"),
                "validation_nll": validation.get("nll"),
                "seconds": result["seconds"],
                "epochs": result["epochs"],
                "parameters": result["parameters"],
                "settings": run.settings.to_dict(),
            }
        )
    return records


def write_records(study: Study, records: list[dict[str, Any]], root: Path) -> list[Path]:
    """Write `NAME.jsonl`, and `NAME.csv` without the nested settings; return their paths."""
    lines, table = root / f"{study.name}.jsonl", root / f"{study.name}.csv"
    files.write_json_lines(lines, records)
    text = io.StringIO()
    columns = [name for name in (records[0] if records else {}) if name != "settings"]
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerow({name: harmless(record[name]) for name in columns})
    files.write_text(table, text.getvalue())
    return [lines, table]


def _teacher(arms: dict[str, Arm], run: PlannedRun, root: Path) -> tuple[str | None, float | None]:
    """Name of the network that taught a run, and its accuracy on the test split."""
    arm = arms[run.name.rpartition("/")[0]]
    if run.after is None or arm.teacher is None:
        return None, None
    directory = run_directory(root, run.after)
    name = arms[arm.teacher].recipe.student
    if arm.teacher_epoch is None:
        result = directory.result()
        return name, None if result is None else result["test"]["accuracy"]
    return f"{name}@{arm.teacher_epoch}", snapshot_accuracy(directory, arm.teacher_epoch)


def snapshot_accuracy(directory: RunDirectory, epoch: int) -> float:
    """Return the accuracy of a snapshot on the test split, measured once and kept beside it.

    What is kept has a checksum of its own; where it is damaged the snapshot is measured again.
    """
    kept = directory.weights_file(epoch).with_suffix(".json")
    metrics = _kept_metrics(kept)
    if metrics is None:
        metrics = evaluate_run(directory.path, epoch=epoch)
        files.write_json(kept, {"metrics": metrics, "sha256": _digest(metrics)})
    return metrics["accuracy"]


def _kept_metrics(file: Path) -> dict[str, float] | None:
    if not file.is_file():
        return None
    try:
        found = files.read_json(file)
        metrics: dict[str, float] = typed(Metrics, found["metrics"])
        return metrics if found["sha256"] == _digest(metrics) else None
    except (ValueError, LookupError, TypeError):
        return None


def _digest(metrics: dict[str, float]) -> str:
    return hashlib.sha256(files.to_json(metrics)).hexdigest()
