"""The tables of results and of calibration, for people; and every number, for programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tfkd.report.columns import CALIBRATION, FULL, RESULTS, SCALE, scale_text
from tfkd.report.study_data import StudyData
from tfkd.report.tables import Table, Value
from tfkd.study.summary import Row, title_of

Columns = Mapping[str, Callable[[Row], Value]]


def result_tables(data: StudyData) -> list[Table]:
    """Return for each student tables of its methods, its controls, and how they are calibrated."""
    tables = []
    for student in data.students:
        of_student = [row for row in data.rows if row.student == student]
        for kind, are_controls in (("methods", False), ("controls", True)):
            rows = [row for row in of_student if row.is_control is are_controls]
            if rows:
                tables.append(_table(data, f"student {student}: {kind}", rows, RESULTS))
        tables.append(_table(data, f"student {student}: calibration", of_student, CALIBRATION))
    return tables


def full_table(data: StudyData) -> Table:
    """Return one row for each arm of the plan, every number in full; for the CSV."""
    rows = [data.by_arm.get(arm.name) or Row(arm, title_of(arm)) for arm in data.study.arms]
    values = tuple(tuple(cell(row) for cell in FULL.values()) for row in rows)
    return Table(data.study.name, tuple(FULL), values)


def _table(data: StudyData, title: str, rows: Sequence[Row], columns: Columns) -> Table:
    """A table without the columns that have nothing to say."""
    cells = {heading: [cell(row) for row in rows] for heading, cell in columns.items()}
    if all(row.is_control or scale_text(row) in ("", "1") for row in rows):
        cells.pop(SCALE, None)
    shown = {heading: column for heading, column in cells.items() if set(column) != {""}}
    values = zip((data.name_in_table(row) for row in rows), *shown.values(), strict=True)
    return Table(title, ("method", *shown), tuple(values))
