"""Reliability: how often a network is right when it says how sure it is, before and after T."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import shorten
from typing import TYPE_CHECKING

import numpy as np

from tfkd.report.figures.drawing import Drawing
from tfkd.report.figures.limits import MOST_PANELS, within_limit
from tfkd.report.figures.merged_bins import LEAST_IMAGES, MergedBin, merged
from tfkd.report.figures.style import COLOURS, INK, PANEL
from tfkd.report.figures.widths import in_widths
from tfkd.report.study_data import StudyData
from tfkd.report.tables import Table, Value
from tfkd.study.summary import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RAW, CALIBRATED = "as it comes", "calibrated"
HEIGHT = 2.5
"""Inches of a panel."""

Found = dict[str, list[MergedBin]]
"""Bins by how they are told."""


def draw(data: StudyData) -> Drawing | None:
    """Draw accuracy minus confidence by confidence; None if no run keeps its logits."""
    found = {row.arm.name: bins for row in data.rows if (bins := _bins(data, row))}
    if not found:
        return None
    rows = [row for row in data.rows if row.arm.name in found]
    # The controls have their numbers in the table: they are no answer to what to use.
    methods = [row for row in rows if not row.is_control] or rows
    drawn, left_out = within_limit(methods, MOST_PANELS, "arms", data.name_in_figure)
    names = {
        row.arm.name: f"{row.student}: {data.name_in_figure(row)}"
        if len(data.students) > 1
        else data.name_in_figure(row)
        for row in drawn
    }
    limits = _limits([found[row.arm.name] for row in drawn])

    def make(place: int) -> tuple[Figure, str]:
        row = drawn[place]
        title = shorten(names[row.arm.name], 48, placeholder=" …")
        return _panel(found[row.arm.name], title, _temperature(row), limits), title

    panels = in_widths("reliability", len(drawn), make)
    values: list[tuple[Value, ...]] = [
        (
            row.student,
            data.name_in_figure(row),
            how,
            each.low,
            each.high,
            each.images,
            each.confidence,
            each.accuracy,
            *each.interval,
        )
        for row in rows
        for how, bins in found[row.arm.name].items()
        for each in bins
    ]
    twice = any(CALIBRATED in bins for bins in found.values())
    after = (
        ", hollow as they come and filled after division of the logits by the temperature T (mean "
        "over seeds) that was fitted on validation images"
    )
    return Drawing(
        "reliability",
        "Reliability: is a network right as often as it says?",
        f"The test images by the probability of the class that was chosen{after if twice else ''}. "
        "Shown is the share that is right minus the mean probability: on the line is calibrated, "
        f"below it too sure, above it not sure enough. Bins of the ECE with fewer than "
        f"{LEAST_IMAGES} images are taken together with their neighbours; the bars are Wilson's "
        "95 % intervals for the images of one network, and where a bar crosses the line these "
        "images cannot tell.",
        panels.narrow,
        Table(
            "Reliability by bin, all seeds together",
            (
                "student",
                "arm",
                "told",
                "from",
                "to",
                "images of one network",
                "mean confidence",
                "accuracy",
                "accuracy low",
                "accuracy high",
            ),
            tuple(values),
        ),
        left_out,
        wide=panels.wide,
    )


def _bins(data: StudyData, row: Row) -> Found:
    known = [run.predictions for run in data.runs[row.arm.name] if run.predictions is not None]
    after = [each.calibrated for each in known if each.calibrated is not None]
    found = {} if not known else {RAW: merged([each.bins for each in known])}
    return found | ({CALIBRATED: merged(after)} if after and len(after) == len(known) else {})


def _temperature(row: Row) -> str:
    found = row.metrics.get("temperature")
    return "" if found is None else f"T = {found.mean:.2f}"


def _limits(found: Sequence[Found]) -> tuple[float, float]:
    """Of the y-axis, the same in every panel."""
    ends = [
        end
        for each in found
        for bins in each.values()
        for one in bins
        for end in (*one.gap_interval, 0.0)
    ]
    room = 0.06 * (max(ends) - min(ends)) or 1.0
    return min(ends) - room, max(ends) + room


def _panel(found: Found, title: str, note: str, limits: tuple[float, float]) -> Figure:
    from matplotlib.figure import Figure

    blue = next(colour for colour, called in COLOURS.items() if called == "blue")
    grey = next(colour for colour, called in COLOURS.items() if called == "grey")
    figure = Figure(figsize=(PANEL[0], HEIGHT), layout="constrained")
    axes = figure.add_subplot()
    axes.axhline(0.0, color=INK, linewidth=1.0)
    if RAW in found:
        _points(axes, found[RAW], grey if CALIBRATED in found else blue, "none", "o")
    if CALIBRATED in found:
        _points(axes, found[CALIBRATED], blue, "full", "s")
    axes.set_xlim(0.0, 102.0)
    axes.set_ylim(limits)
    axes.set_xlabel("confidence, %")
    axes.set_ylabel("right − confidence, points")
    axes.set_title(title, loc="left")
    axes.annotate(note, (0.02, 0.03), xycoords="axes fraction", fontsize=8).set_in_layout(False)
    return figure


def _points(axes: Axes, bins: Sequence[MergedBin], colour: str, fill: str, marker: str) -> None:
    gaps = np.array([each.gap for each in bins])
    ends = np.array([each.gap_interval for each in bins]).T
    axes.errorbar(
        [100.0 * each.confidence for each in bins],
        gaps,
        yerr=np.abs(ends - gaps),
        color=colour,
        marker=marker,
        fillstyle=fill,
        linestyle="none",
        elinewidth=1.0,
        markersize=4.5,
    )
