"""How long the training of an arm took, with its teacher's and without."""

from __future__ import annotations

import numpy as np

from tfkd.report.study_data import StudyData
from tfkd.study.summary import Row


def seconds_of(data: StudyData, row: Row) -> float:
    """Return the seconds of training, median over seeds."""
    runs = data.runs.get(row.arm.name, [])
    if not runs:
        return row.metrics["seconds"].mean
    return float(np.median([run.seconds for run in runs]))


def seconds_with_teacher(data: StudyData, row: Row) -> float:
    """Return the seconds of a run and of as much of its teacher's as was needed, median."""
    teachers = {run.seed: run for run in data.runs.get(row.arm.teacher or "", [])}
    totals = []
    for run in data.runs.get(row.arm.name, []):
        total = run.seconds
        teacher = teachers.get(run.seed)
        if teacher is not None and row.arm.teacher_epoch is None:
            total += teacher.seconds
        elif teacher is not None:
            epochs = teacher.history[: row.arm.teacher_epoch]
            total += sum(epoch.seconds for epoch in epochs)
        totals.append(total)
    return float(np.median(totals)) if totals else seconds_of(data, row)
