"""Training and validation curves with their spread over seeds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tfkd.report.figures.beyond import BEYOND, mark_beyond
from tfkd.report.figures.drawing import Drawing
from tfkd.report.figures.panels import panel_per_group
from tfkd.report.figures.style import Style, styles_in
from tfkd.report.predictions import Array
from tfkd.report.study_data import Group, StudyData
from tfkd.report.tables import Table, Value
from tfkd.study.summary import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_POINTS = 60
BLOWN_UP = 4.0
"""Times the baseline's NLL, from where on a curve is beyond the axis."""
CURVES = (
    ("train_accuracy", "training\naccuracy, %", 100.0),
    ("validation_accuracy", "validation\naccuracy, %", 100.0),
    ("validation_nll", "validation\nNLL, nats", 1.0),
)


def draw(data: StudyData) -> Drawing | None:
    """Draw the mean over seeds of every epoch, ± one standard deviation; None without runs."""
    from matplotlib.ticker import MaxNLocator

    found = {arm: _curves(data, arm) for arm in data.runs}
    if not any(curves for _, curves in found.values()):
        return None
    shown = [curve for curve in CURVES if any(curve[0] in curves for _, curves in found.values())]

    beyond: list[str] = []

    def draw_row(axes: list[Axes], row: Row, style: Style) -> None:
        epochs, curves = found[row.arm.name]
        for place, (key, _, _) in enumerate(shown):
            if key not in curves:
                continue
            mean, sd = curves[key]
            axes[place].plot(
                epochs,
                mean,
                color=style.colour,
                linestyle=style.line,
                marker=style.marker,
                markersize=3.5,
                markevery=max(len(epochs) // 5, 1),
                label=row.title,
            )
            axes[place].fill_between(
                epochs, mean - sd, mean + sd, color=style.colour, alpha=0.1, linewidth=0
            )

    def finish(axes: list[Axes], group: Group) -> None:
        for place, (key, name, _) in enumerate(shown):
            axes[place].set_ylabel(name)
            # The first epochs would flatten all that follows.
            settled = {
                row.arm.name: curves[key][0][len(curves[key][0]) // 5 :]
                for row in group.all_rows
                for _, curves in [found[row.arm.name]]
                if key in curves
            }
            within = np.concatenate(_within(group, settled, key))
            low, high = float(np.nanmin(within)), float(np.nanmax(within))
            room = 0.12 * (high - low) or 1.0
            axes[place].set_ylim(low - room, high + room)
            last = [
                (style, float(settled[row.arm.name][-1]))
                for row, style in styles_in(group)
                if row.arm.name in settled
            ]
            if any(not low - room <= value <= high + room for _, value in last):
                mark_beyond(axes[place], last, low - room, high + room)
                beyond.append(BEYOND)
        axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
        axes[-1].set_xlabel("epoch")

    columns = ["student", "arm", "epoch"]
    for key, _, _ in shown:
        columns += [key.replace("_", " "), f"{key.replace('_', ' ')} sd"]
    panels = panel_per_group(
        data, "curves", draw_row, finish, axes=len(shown), height=1.45 * len(shown)
    )
    return Drawing(
        "curves",
        "Training and validation curves",
        "Each epoch's mean over seeds, the band ± one standard deviation. The training accuracy is "
        "that of the batches as they were trained on; the validation NLL is without label "
        "smoothing. Where training accuracy nears 100 % while the validation NLL rises, the "
        "network overfits: there regularisation can show. The first fifth of the epochs may lie "
        "outside of a panel. Nothing was chosen by the test split.",
        panels.svgs,
        Table(
            "Mean and standard deviation over seeds, by epoch",
            tuple(columns),
            tuple(
                values
                for row in data.rows
                for values in _values(data, row, found[row.arm.name], shown)
            ),
        ),
        " ".join(filter(None, (panels.left_out, *beyond[:1]))),
        wide=panels.wide,
    )


def _within(group: Group, settled: dict[str, Array], key: str) -> list[Array]:
    """The curves that the axis shows: not of networks that guess, nor whose NLL has blown up."""
    learned = [row.arm.name for row in group.all_rows if not row.only_guesses]
    kept = {name: settled[name] for name in learned if name in settled}
    baseline = None if group.baseline is None else kept.get(group.baseline.arm.name)
    if key == "validation_nll" and baseline is not None:
        most = BLOWN_UP * float(np.nanmax(baseline))
        kept = {name: values for name, values in kept.items() if values[-1] <= most}
    return list((kept or settled).values())


def _curves(data: StudyData, arm: str) -> tuple[list[int], dict[str, tuple[Array, Array]]]:
    """Epochs, and by metric mean and sd over seeds, of at most `MOST_POINTS` epochs."""
    histories = [run.history for run in data.runs[arm]]
    length = min(len(history) for history in histories)
    step = math.ceil(length / MOST_POINTS)
    kept = sorted({*range(0, length, step), length - 1}) if length else []
    epochs = [histories[0][i].epoch for i in kept]
    curves = {}
    for key, _, factor in CURVES:
        values = [[getattr(history[i], key) for i in kept] for history in histories]
        if not kept or any(value is None for line in values for value in line):
            continue
        array = factor * np.array(values, dtype=np.float64)
        sd = array.std(axis=0, ddof=1) if len(array) > 1 else np.zeros(len(kept))
        curves[key] = (array.mean(axis=0), sd)
    return epochs, curves


def _values(
    data: StudyData,
    row: Row,
    found: tuple[list[int], dict[str, tuple[Array, Array]]],
    shown: list[tuple[str, str, float]],
) -> list[tuple[Value, ...]]:
    epochs, curves = found
    result = []
    for place, epoch in enumerate(epochs):
        values: list[Value] = [row.student, data.name_in_figure(row), epoch]
        for key, _, _ in shown:
            if key in curves:
                mean, sd = curves[key]
                values += [float(mean[place]), float(sd[place])]
            else:
                values += [None, None]
        result.append(tuple(values))
    return result
