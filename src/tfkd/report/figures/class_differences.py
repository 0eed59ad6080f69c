"""Which classes gain and which lose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tfkd.report.figures.drawing import Drawing
from tfkd.report.figures.panels import panel_per_group
from tfkd.report.figures.style import INK, Style
from tfkd.report.predictions import Array
from tfkd.report.study_data import Group, StudyData
from tfkd.report.tables import Table
from tfkd.study.summary import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_CLASSES = 12


def draw(data: StudyData) -> Drawing | None:
    """Draw each class's accuracy minus the baseline's; None without logits or comparisons."""
    found = {row.arm.name: d for row in data.rows if (d := _differences(data, row)) is not None}
    if not found:
        return None
    classes = data.classes
    shown = _most_different(found)

    def draw_row(axes: list[Axes], row: Row, style: Style) -> None:
        compared = row.arm.name in found
        means = found[row.arm.name][0][shown] if compared else np.zeros(len(shown))
        axes[0].plot(
            means,
            np.arange(len(shown)),
            color=style.colour,
            marker=style.marker if compared else "",
            linestyle="none" if compared else "-",
            label=row.title,
        )

    def finish(axes: list[Axes], group: Group) -> None:
        axes[0].axvline(0.0, color=INK, linewidth=1.0)
        names = [name if len(name) <= 16 else f"{name[:15]}…" for name in classes]
        axes[0].set_yticks(range(len(shown)), [names[i] for i in shown])
        axes[0].set_ylim(len(shown) - 0.5, -0.5)
        axes[0].set_xlabel("difference in accuracy, points")

    values = [
        (row.student, data.name_in_figure(row), classes[place], float(mean), float(sd))
        for row in data.rows
        if row.arm.name in found
        for place, (mean, sd) in enumerate(zip(*found[row.arm.name], strict=True))
    ]
    some = "" if len(shown) == len(classes) else f" The {len(shown)} that differ most are drawn."
    panels = panel_per_group(
        data,
        "classes",
        draw_row,
        finish,
        height=1.0 + 0.21 * len(shown),
        compared=True,
    )
    return Drawing(
        "classes",
        "Which classes gain, which lose",
        "Accuracy on each class minus that of cross-entropy with the same seed, in points, mean "
        f"over seeds; the line at 0 is cross-entropy.{some} These are many comparisons without a "
        "correction: a single mark proves nothing, a pattern over methods may.",
        panels.svgs,
        Table(
            "Accuracy by class minus the baseline's, in points, mean and sd over seeds",
            ("student", "arm", "class", "difference", "sd"),
            tuple(values),
        ),
        panels.left_out,
        wide=panels.wide,
    )


def _differences(data: StudyData, row: Row) -> tuple[Array, Array] | None:
    """Mean and sd over the common seeds of each class's difference, in points."""
    known = [
        {
            run.seed: run.predictions.class_accuracy
            for run in data.runs.get(arm or "", [])
            if run.predictions is not None
        }
        for arm in (row.arm.name, row.arm.baseline)
    ]
    seeds = sorted(set(known[0]) & set(known[1]))
    if not seeds:
        return None
    array = 100.0 * np.array([known[0][seed] - known[1][seed] for seed in seeds])
    sd = array.std(axis=0, ddof=1) if len(seeds) > 1 else np.full(array.shape[1], np.nan)
    return array.mean(axis=0), sd


def _most_different(found: dict[str, tuple[Array, Array]]) -> list[int]:
    """The classes that differ most in any arm, in their own order."""
    largest = np.nan_to_num(np.abs([mean for mean, _ in found.values()])).max(axis=0)
    return sorted(np.argsort(-largest, kind="stable")[:MOST_CLASSES].tolist())
