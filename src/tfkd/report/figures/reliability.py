"""Reliability diagrams: how often a network is right when it says how sure it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tfkd.report.figures.drawing import Drawing
from tfkd.report.figures.panels import panel_per_group
from tfkd.report.figures.style import INK, Style
from tfkd.report.predictions import BINS, Array
from tfkd.report.study_data import Group, StudyData
from tfkd.report.tables import Table
from tfkd.study.summary import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEAST_SHARE = 0.001
"""Bins with a smaller share of the samples are not drawn: their accuracy is chance."""


def draw(data: StudyData) -> Drawing | None:
    """Draw accuracy minus confidence by confidence; None if no run keeps its logits."""
    found = {arm: bins for arm in data.runs if (bins := _pooled(data, arm)) is not None}
    if not found:
        return None

    def draw_row(axes: list[Axes], row: Row, style: Style) -> None:
        count, confidence, accuracy = found.get(row.arm.name, np.full((3, 0), np.nan))
        drawn = count >= LEAST_SHARE * count.sum()
        axes[0].plot(
            100.0 * confidence[drawn],
            100.0 * (accuracy - confidence)[drawn],
            color=style.colour,
            linestyle=style.line,
            marker=style.marker,
            markersize=4,
            label=row.title,
        )

    def finish(axes: list[Axes], group: Group) -> None:
        axes[0].axhline(0.0, color=INK, linewidth=1.0)
        axes[0].set_xlim(0.0, 100.0)
        axes[0].set_xlabel("confidence, %")
        axes[0].set_ylabel("accuracy − confidence, points")

    values = []
    for row in data.rows:
        if row.arm.name not in found:
            continue
        for place, (count, confidence, accuracy) in enumerate(
            zip(*found[row.arm.name], strict=True)
        ):
            edges = f"{place / BINS:.3f}–{(place + 1) / BINS:.3f}"
            values.append(
                (
                    row.student,
                    data.name_in_figure(row),
                    edges,
                    int(count),
                    float(confidence),
                    float(accuracy),
                )
            )
    panels = panel_per_group(data, "reliability", draw_row, finish)
    return Drawing(
        "reliability",
        "Reliability: is a network right as often as it says?",
        f"The test images of all seeds in {BINS} bins by the probability of the class that was "
        "chosen (the bins of the ECE); shown is the share that is right minus the mean "
        "probability. On the line is calibrated, below it overconfident, above it underconfident. "
        "Bins with fewer than 0.1 % of the images are not drawn.",
        panels.svgs,
        Table(
            "Reliability by bin, all seeds together",
            ("student", "arm", "bin", "images", "mean confidence", "accuracy"),
            tuple(values),
        ),
        panels.left_out,
    )


def _pooled(data: StudyData, arm: str) -> tuple[Array, Array, Array] | None:
    """Count, mean confidence and accuracy of each bin over all seeds; nan for empty bins."""
    known = [run.predictions for run in data.runs[arm] if run.predictions is not None]
    if not known:
        return None
    count = np.sum([found.count for found in known], axis=0)
    with np.errstate(invalid="ignore"):
        confidence = np.sum([found.confidence for found in known], axis=0) / count
        accuracy = np.sum([found.correct for found in known], axis=0) / count
    return count, confidence, accuracy
