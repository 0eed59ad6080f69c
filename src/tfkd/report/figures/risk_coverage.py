"""Risk–coverage curves: the error rate among the images a network is surest of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tfkd.report.figures.drawing import Drawing
from tfkd.report.figures.panels import panel_per_group
from tfkd.report.figures.style import Style
from tfkd.report.predictions import COVERAGES, Array
from tfkd.report.study_data import Group, StudyData
from tfkd.report.tables import Table, Value
from tfkd.study.summary import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(data: StudyData) -> Drawing | None:
    """Draw the error rate over the coverage; None if no run keeps its logits."""
    found = {arm: risk for arm in data.runs if (risk := _mean(data, arm)) is not None}
    if not found:
        return None
    coverage = 100.0 * np.arange(1, COVERAGES + 1) / COVERAGES

    def draw_row(axes: list[Axes], row: Row, style: Style) -> None:
        axes[0].plot(
            coverage,
            100.0 * found.get(row.arm.name, np.full(COVERAGES, np.nan)),
            color=style.colour,
            linestyle=style.line,
            marker=style.marker,
            markersize=4,
            markevery=(9, 15),
            label=row.title,
        )

    def finish(axes: list[Axes], group: Group) -> None:
        axes[0].set_xlim(0.0, 100.0)
        axes[0].set_ylim(bottom=0.0)
        axes[0].set_xlabel("coverage, % of the test images")
        axes[0].set_ylabel("error rate among them, %")

    rows = [row for row in data.rows if row.arm.name in found]
    values: list[tuple[Value, ...]] = [
        (place + 1, *(float(100.0 * found[row.arm.name][place]) for row in rows))
        for place in range(COVERAGES)
    ]
    panels = panel_per_group(data, "risk-coverage", draw_row, finish)
    return Drawing(
        "risk-coverage",
        "Risk and coverage: how good are the answers a network is sure of?",
        "A network answers only the share of the test images that it is surest of (by the "
        "probability of its choice); shown is the error rate among them, mean over seeds. Lower "
        "is better; the area below is the AURC. At the right end all images are answered.",
        panels.svgs,
        Table(
            "Error rate in percent by coverage, mean over seeds",
            ("coverage, %", *(f"{row.student}: {data.name_in_figure(row)}" for row in rows)),
            tuple(values),
        ),
        panels.left_out,
        wide=panels.wide,
    )


def _mean(data: StudyData, arm: str) -> Array | None:
    known = [run.predictions.risk for run in data.runs[arm] if run.predictions is not None]
    return np.mean(known, axis=0) if known else None
