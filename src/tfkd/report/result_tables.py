"""The tables of results: ours beside the paper's."""

from __future__ import annotations

from tfkd.report.columns import FULL, PAGE, PUBLISHED, SCALE, TEACHER, scale_text
from tfkd.report.study_data import StudyData
from tfkd.report.tables import Table
from tfkd.study.summary import Row, title_of


def result_tables(data: StudyData) -> list[Table]:
    """Return for each student a table of its methods and one of its controls, as text."""
    tables = []
    for student in data.students:
        of_student = [row for row in data.rows if row.student == student]
        for kind, are_controls in (("methods", False), ("controls", True)):
            rows = [row for row in of_student if row.is_control is are_controls]
            if rows:
                tables.append(_table(data, f"student {student}: {kind}", rows))
    return tables


def full_table(data: StudyData) -> Table:
    """Return one row for each arm of the plan, every number in full; for the CSV."""
    rows = [data.by_arm.get(arm.name) or Row(arm, title_of(arm)) for arm in data.study.arms]
    values = tuple(tuple(cell(row) for cell in FULL.values()) for row in rows)
    return Table(data.study.name, tuple(FULL), values)


def _table(data: StudyData, title: str, rows: list[Row]) -> Table:
    without: set[str] = set()
    if not any(row.arm.published for row in rows):
        without |= set(PUBLISHED)
    if not any(row.teacher for row in rows):
        without.add(TEACHER)
    if all(row.is_control or scale_text(row) in ("", "1") for row in rows):
        without.add(SCALE)
    columns = {heading: cell for heading, cell in PAGE.items() if heading not in without}
    values = tuple(
        (data.name_in_table(row), *(cell(row) for cell in columns.values())) for row in rows
    )
    return Table(title, ("method", *columns), values)
