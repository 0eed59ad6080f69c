"""How the outputs of a teacher flatten as the temperature grows."""

from __future__ import annotations

import numpy as np

from tfkd.report.figures.drawing import Drawing
from tfkd.report.figures.limits import MOST_PANELS, within_limit
from tfkd.report.figures.style import COLOURS, INK, PANEL, plain_ticks
from tfkd.report.figures.widths import in_widths
from tfkd.report.predictions import TEMPERATURES, Array
from tfkd.report.study_data import StudyData
from tfkd.report.tables import Table

_MARKERS = "os^vDP"


def draw(data: StudyData) -> Drawing | None:
    """Draw the mean sorted probabilities of each teacher; None if no run teaches."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    teachers = {arm: mean for arm in data.runs if (mean := _mean(data, arm)) is not None}
    if not teachers:
        return None
    num_classes = len(data.classes)
    arms, left_out = within_limit(list(teachers), MOST_PANELS, "teachers", str)

    def make(place: int) -> tuple[Figure, str]:
        name, curves = data.by_arm[arms[place]].student, teachers[arms[place]]
        figure = Figure(figsize=(PANEL[0], PANEL[1] + 0.4), layout="constrained")
        axes = figure.add_subplot()
        colours = [INK, *list(COLOURS)[:5]]
        for temperature, colour, marker in zip(TEMPERATURES, colours, _MARKERS, strict=True):
            ranks = np.arange(1, len(curves[temperature]) + 1)
            axes.plot(
                ranks,
                curves[temperature],
                color=colour,
                marker=marker,
                label=f"τ = {temperature:g}",
            )
        axes.axhline(1.0 / num_classes, color=INK, linestyle=":", label="uniform")
        axes.set_yscale("log")
        plain_ticks(axes)
        axes.set_ylim(bottom=max(float(curves[1.0].min()) / 1.5, 1e-7))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("rank of the class, from the likeliest")
        axes.set_ylabel("mean probability (log scale)")
        axes.set_title(f"teacher {name}", loc="left")
        figure.legend(loc="outside lower left", ncols=3)
        return figure, f"teacher {name}"

    panels = in_widths("flattening", len(arms), make)
    values = [
        (data.by_arm[arm].student, temperature, rank, float(value))
        for arm, curves in teachers.items()
        for temperature in TEMPERATURES
        for rank, value in enumerate(curves[temperature], 1)
    ]
    return Drawing(
        "flattening",
        "How a teacher's outputs flatten with the temperature",
        "The probabilities softmax(logits/τ) of each network that teaches, after its last epoch, "
        "sorted from the likeliest class on, mean over the test images and seeds. The dotted line "
        "is the uniform distribution, which is the teacher of label smoothing: the nearer a curve, "
        "the less the student can learn from this teacher but smoothing.",
        panels.narrow,
        Table(
            "Mean sorted probabilities of the teachers",
            ("teacher", "temperature", "rank", "mean probability"),
            tuple(values),
        ),
        left_out,
        wide=panels.wide,
    )


def _mean(data: StudyData, arm: str) -> dict[float, Array] | None:
    known = [
        run.predictions.flattened
        for run in data.runs[arm]
        if run.predictions is not None and run.predictions.flattened
    ]
    if not known:
        return None
    return {key: np.mean([flattened[key] for flattened in known], axis=0) for key in TEMPERATURES}
