"""One record for each finished run of a study: what was run, and every metric."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import asdict

from tfkd.data import DataIdentity
from tfkd.data.identity import how_they_differ
from tfkd.data.settings import DataSettings
from tfkd.runs import Metrics, Result, RunDirectory, RunSettings, files
from tfkd.study.directory import run_directory
from tfkd.study.plan import Arm, PlannedRun, Study
from tfkd.study.spreadsheet import harmless
from tfkd.train import evaluate_run

CALIBRATED = ("nll", "ece", "brier", "aurc", "augrc", "smooth_ece")
"""What a temperature may change; it leaves the accuracy alone."""


class Record(Struct, frozen=True):
    """One finished run of a study; JSON lines, CSV, tables and figures are made from it.

    Attributes:
        study: name of the study.
        run: directory of the run within the study's.
        arm: name of its arm.
        method: name of its method, or of the control that it is.
        dialect: whose formula its loss has.
        student: the network that was trained.
        teacher: the network that taught, `name@epoch` for a snapshot; None if none did.
        teacher_accuracy: of that network on the test split.
        seed: of the run.
        accuracy: on the test split, a fraction.
        nll: negative log-likelihood on the test split, in nats.
        ece: expected calibration error on the test split, a fraction.
        brier: Brier score on the test split.
        aurc: area under the risk-coverage curve on the test split, a fraction.
        train_accuracy: of the last epoch, a fraction.
        train_loss: of the last epoch.
        validation_accuracy: a fraction; None without a validation split.
        validation_nll: in nats; None without a validation split.
        seconds: of training.
        epochs: that were trained.
        parameters: of the network.
        settings: all that changed its numbers, with the teacher's path relative to the study's
            directory.
        augrc: area under the generalised risk-coverage curve on the test split, a fraction.
        temperature: that was fitted on the validation split. It and what follows is None without
            such a split, and in records of 0.1.
        calibrated_nll, calibrated_ece, calibrated_brier, calibrated_aurc, calibrated_augrc: the
            same metrics of logits divided by it.
        validation_calibrated_nll: on the validation split, on which it was fitted.
        smooth_ece: on the test split, a fraction; None in records of 0.1.
        calibrated_smooth_ece: the same of logits divided by the temperature.
    """

    study: str
    run: str
    arm: str
    method: str
    dialect: str
    student: str
    teacher: str | None
    teacher_accuracy: float | None
    seed: int
    accuracy: float
    nll: float
    ece: float
    brier: float
    aurc: float
    train_accuracy: float
    train_loss: float
    validation_accuracy: float | None
    validation_nll: float | None
    seconds: float
    epochs: int
    parameters: int
    settings: RunSettings
    augrc: float | None = None
    temperature: float | None = None
    calibrated_nll: float | None = None
    calibrated_ece: float | None = None
    calibrated_brier: float | None = None
    calibrated_aurc: float | None = None
    calibrated_augrc: float | None = None
    validation_calibrated_nll: float | None = None
    smooth_ece: float | None = None
    calibrated_smooth_ece: float | None = None


class Collected(NamedTuple):
    """The records of a study, and what could not be one.

    Attributes:
        records: of the runs that are finished and those of the plan.
        left_out: a sentence on each finished run that is damaged, not the plan's, or of other data
            than the runs of the same seed.
    """

    records: list[Record]
    left_out: list[str]


def collect(
    study: Study,
    root: Path,
    *,
    also: Callable[[Record, RunDirectory, Result], None] = lambda record, directory, result: None,
) -> Collected:
    """Return the records of the runs that are finished, in the order of the plan.

    Args:
        study: the plan.
        root: the study's directory.
        also: called with each; a run of which it raises `ValueError` or `OSError` is left out.
    """
    arms = {arm.name: arm for arm in study.arms}
    records, left_out = [], []
    data: dict[tuple[DataSettings, int], DataIdentity] = {}
    for run in study.runs(Path()):
        directory = run_directory(root, run.name)
        try:
            result = directory.result()
            if result is None:
                continue
            _check_planned(directory, run)
            own = directory.data()
            first = data.setdefault((run.settings.recipe.data, run.settings.seed), own)
            if (differing := how_they_differ(first, own)) is not None:
                raise ValueError(f"Expected the data of the runs before it, {differing}.")
            if result.test is None:
                raise ValueError("Expected a run that looked at the test split, got none.")
            record = _record(study, arms, run, result, result.test, root)
            also(record, directory, result)
            records.append(record)
        except (ValueError, OSError) as error:
            left_out.append(f"{run.name}: {error}")
    return Collected(records, left_out)


def _check_planned(directory: RunDirectory, run: PlannedRun) -> None:
    """Check that a run is the plan's; where its teacher lies does not matter."""
    if not run.is_of(directory.settings()):
        raise ValueError("Expected a run of the settings in the plan, got one of others.")


def _record(
    study: Study,
    arms: dict[str, Arm],
    run: PlannedRun,
    result: Result,
    test: Metrics,
    root: Path,
) -> Record:
    arm, validation, calibrated = arms[run.arm], result.validation, result.calibrated
    after = None if calibrated is None else calibrated.test
    teacher, teacher_accuracy = _teacher(arms, run, root)
    return Record(
        study=study.name,
        run=run.name,
        arm=arm.name,
        method=arm.control or arm.method.name,
        dialect=arm.method.dialect,
        student=arm.recipe.student,
        teacher=teacher,
        teacher_accuracy=teacher_accuracy,
        seed=run.settings.seed,
        **asdict(test),
        **_calibrated(after),
        temperature=None if calibrated is None else calibrated.temperature,
        train_accuracy=result.train.accuracy,
        train_loss=result.train.loss,
        validation_accuracy=None if validation is None else validation.accuracy,
        validation_nll=None if validation is None else validation.nll,
        validation_calibrated_nll=None if calibrated is None else calibrated.validation.nll,
        seconds=result.seconds,
        epochs=result.epochs,
        parameters=result.parameters,
        settings=run.settings,
    )


def _calibrated(metrics: Metrics | None) -> dict[str, Any]:
    return {f"calibrated_{name}": getattr(metrics, name, None) for name in CALIBRATED}


def write_records(study: Study, records: list[Record], root: Path) -> list[Path]:
    """Write `NAME.jsonl`, and `NAME.csv` without the nested settings; return their paths."""
    lines, table = root / f"{study.name}.jsonl", root / f"{study.name}.csv"
    files.write_json_lines(lines, records)
    text = io.StringIO()
    columns = [name for name in Record.__struct_fields__ if name != "settings"]
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerow({name: harmless(value) for name, value in asdict(record).items()})
    files.write_text(table, text.getvalue())
    return [lines, table]


def _teacher(arms: dict[str, Arm], run: PlannedRun, root: Path) -> tuple[str | None, float | None]:
    """Name of the network that taught a run, and its accuracy on the test split."""
    arm = arms[run.arm]
    if run.after is None or arm.teacher is None:
        return None, None
    directory = run_directory(root, run.after)
    name = arms[arm.teacher].recipe.student
    if arm.teacher_epoch is None:
        result = directory.result()
        return name, None if result is None or result.test is None else result.test.accuracy
    return f"{name}@{arm.teacher_epoch}", snapshot_accuracy(directory, arm.teacher_epoch)


class _Kept(Struct, frozen=True):
    """The metrics of a snapshot, with their checksum."""

    metrics: Metrics
    sha256: str


def snapshot_accuracy(directory: RunDirectory, epoch: int) -> float:
    """Return the accuracy of a snapshot on the test split, measured once and kept beside it.

    What is kept has a checksum of its own; where it is damaged the snapshot is measured again.
    """
    file = directory.weights_file(epoch).with_suffix(".json")
    if file.is_file():
        try:
            kept = files.read_json(file, _Kept)
            if kept.sha256 == _digest(kept.metrics):
                return kept.metrics.accuracy
        except ValueError:
            pass
    metrics = evaluate_run(directory.path, epoch=epoch).metrics
    files.write_json(file, _Kept(metrics, _digest(metrics)))
    return metrics.accuracy


def _digest(metrics: Metrics) -> str:
    return hashlib.sha256(files.to_json(metrics)).hexdigest()
