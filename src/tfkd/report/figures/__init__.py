"""The figures of a report, one file for each."""

from __future__ import annotations

from tfkd.report.figures import (
    class_differences,
    cost,
    curves,
    flattening,
    reliability,
    risk_coverage,
    soft_targets_of_study,
    teachers,
)
from tfkd.report.figures.drawing import Drawing
from tfkd.report.study_data import StudyData

FIGURES = (
    teachers,
    reliability,
    risk_coverage,
    class_differences,
    curves,
    soft_targets_of_study,
    flattening,
    cost,
)
"""In the order of the page."""


def draw_all(data: StudyData) -> list[Drawing]:
    """Return every figure that the finished runs have something for."""
    if not data.all_runs:
        return []
    drawn = [figure.draw(data) for figure in FIGURES]
    return [drawing for drawing in drawn if drawing is not None]
