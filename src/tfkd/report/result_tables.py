"""The tables of a report: ours beside the paper's."""

from __future__ import annotations

import math

from tfkd.report.study_data import StudyData
from tfkd.report.tables import Table, Value, number, signed
from tfkd.study.statistics.differences import PairedDifference, Summary
from tfkd.study.summary import SUMMARISED, Row

_COLUMNS = (
    ("nll", "NLL", 3),
    ("ece", "ECE %", 1),
    ("brier", "Brier", 3),
    ("aurc", "AURC %", 2),
    ("train_accuracy", "train accuracy %", 1),
    ("seconds", "seconds", 0),
)


def result_tables(data: StudyData) -> list[Table]:
    """Return for each student a table of its methods and one of its controls, as text."""
    tables = []
    for student in data.students:
        of_student = [row for row in data.rows if row.student == student]
        for controls in (False, True):
            rows = [row for row in of_student if row.is_control is controls]
            if not rows:
                continue
            kind = "controls" if controls else "methods"
            tables.append(_table(data, f"student {student}: {kind}", rows))
    return tables


def full_table(data: StudyData) -> Table:
    """Return one row for each arm of the plan, every number in full; for the CSV."""
    columns = ["arm", "student", "title", "method", "dialect", "teacher", "control", "n"]
    for metric in SUMMARISED:
        columns += [f"{metric}_mean", f"{metric}_sd"]
    columns += [
        "difference",
        "difference_sd",
        "difference_low",
        "difference_high",
        "p",
        "adjusted_p",
        "smallest_p",
        "detectable",
    ]
    for metric in SUMMARISED:
        if metric not in ("accuracy", "teacher_accuracy"):
            columns += [f"{metric}_difference", f"{metric}_low", f"{metric}_high"]
    columns += ["published_accuracy", "published_sd", "published_gain"]
    rows = tuple(_full_row(data, name) for name in [arm.name for arm in data.study.arms])
    return Table(data.study.name, tuple(columns), rows)


def _table(data: StudyData, title: str, rows: list[Row]) -> Table:
    taught = any(row.teacher for row in rows)
    published = any(row.arm.published is not None for row in rows)
    columns = [
        "method",
        "n",
        "test accuracy %",
        *(["the paper's %", "the paper's gain"] if published else []),
        "difference",
        "95 % interval",
        "corrected p",
        *(name for _, name, _ in _COLUMNS),
        *(["teacher"] if taught else []),
    ]
    body = []
    for row in rows:
        cells: list[Value] = [data.title(row), row.accuracy.n, mean_sd(row.accuracy, 2)]
        if published:
            cells += _published(row)
        cells += _difference(row.difference)
        cells.append("" if row.adjusted_p is None else f"{row.adjusted_p:.2g}")
        cells += [
            mean_sd(row.metrics[metric], digits) if metric in row.metrics else ""
            for metric, _, digits in _COLUMNS
        ]
        if taught:
            cells.append(_teacher(row))
        body.append(tuple(cells))
    return Table(title, tuple(columns), tuple(body))


def mean_sd(summary: Summary, digits: int) -> str:
    """Return mean ± sd.

    Example:
        >>> mean_sd(Summary(3, 71.0, 0.5), 2), mean_sd(Summary(1, 71.0, math.nan), 1)
        ('71.00 ± 0.50', '71.0')
    """
    spread = "" if math.isnan(summary.sd) else f" ± {summary.sd:.{digits}f}"
    return f"{number(summary.mean, digits)}{spread}"


def _teacher(row: Row) -> str:
    if row.teacher is None:
        return ""
    accuracy = row.metrics.get("teacher_accuracy")
    return row.teacher if accuracy is None else f"{row.teacher} ({number(accuracy.mean, 1)} %)"


def _published(row: Row) -> list[Value]:
    published = row.arm.published
    if published is None:
        return ["", ""]
    spread = "" if published.sd is None else f" ± {published.sd:.2f}"
    gain = "" if published.gain is None else signed(published.gain)
    return [f"{number(published.accuracy)}{spread}", gain]


def _difference(difference: PairedDifference | None) -> list[Value]:
    if difference is None:
        return ["", ""]
    interval = ""
    if not math.isnan(difference.low):
        interval = f"{number(difference.low)} to {number(difference.high)}"
    return [signed(difference.mean), interval]


def _full_row(data: StudyData, name: str) -> tuple[Value, ...]:
    arm, row = data.study.arm(name), data.by_arm.get(name)
    metrics = {} if row is None else row.metrics
    differences = {} if row is None else row.differences
    values: list[Value] = [
        name,
        arm.recipe.student,
        None if row is None else row.title,
        arm.method,
        arm.dialect,
        None if row is None else row.teacher,
        None if row is None else int(row.is_control),
        0 if row is None else row.accuracy.n,
    ]
    for metric in SUMMARISED:
        found = metrics.get(metric)
        values += [None, None] if found is None else [found.mean, found.sd]
    gain = differences.get("accuracy")
    if gain is None:
        values += [None] * 8
    else:
        values += [gain.mean, gain.sd, gain.low, gain.high, gain.p_value]
        values += [None if row is None else row.adjusted_p, gain.smallest_p, gain.detectable]
    for metric in SUMMARISED:
        if metric not in ("accuracy", "teacher_accuracy"):
            other = differences.get(metric)
            values += [None] * 3 if other is None else [other.mean, other.low, other.high]
    published = arm.published
    values += (
        [None] * 3 if published is None else [published.accuracy, published.sd, published.gain]
    )
    return tuple(values)
