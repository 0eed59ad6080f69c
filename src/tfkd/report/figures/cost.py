"""What a gain costs in seconds of training, with and without its teacher's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfkd.report.figures.beyond import BEYOND, mark_beyond, shown_range
from tfkd.report.figures.drawing import Drawing
from tfkd.report.figures.panels import panel_per_group
from tfkd.report.figures.style import INK, Style, styles_in
from tfkd.report.seconds import seconds_of, seconds_with_teacher
from tfkd.report.study_data import Group, StudyData
from tfkd.report.tables import Table
from tfkd.study.summary import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(data: StudyData) -> Drawing | None:
    """Draw the difference to cross-entropy over the seconds of training; None without runs."""
    if not any(row.difference is not None for row in data.rows):
        return None
    costs = {
        row.arm.name: (seconds_of(data, row), seconds_with_teacher(data, row)) for row in data.rows
    }

    beyond: list[str] = []

    def gain(row: Row) -> float:
        return 0.0 if row.difference is None else row.difference.mean

    def draw_row(axes: list[Axes], row: Row, style: Style) -> None:
        mean = gain(row)
        own, total = costs[row.arm.name]
        axes[0].plot(
            [own], [mean], color=style.colour, marker=style.marker, ls="none", label=row.title
        )
        if total > own:
            axes[0].plot([own, total], [mean, mean], color=style.colour, linewidth=0.8)
            axes[0].plot(
                [total],
                [mean],
                color=style.colour,
                marker=style.marker,
                fillstyle="none",
                ls="none",
            )

    def finish(axes: list[Axes], group: Group) -> None:
        axes[0].axhline(0.0, color=INK, linewidth=0.8)
        axes[0].set_xlim(left=0.0)
        axes[0].margins(y=0.12)
        gains = [(style, gain(row)) for row, style in styles_in(group)]
        learned = [gain(row) for row in group.all_rows if not row.only_guesses]
        low, high = shown_range(learned or [value for _, value in gains])
        if any(not low <= value <= high for _, value in gains):
            room = 0.12 * (high - low) or 1.0
            axes[0].set_ylim(low - room, high + room)
            mark_beyond(axes[0], gains, low - room, high + room)
            beyond.append(BEYOND)
        axes[0].set_xlabel("seconds of training")
        axes[0].set_ylabel("difference in test accuracy, points")

    values = [
        (
            row.student,
            data.name_in_figure(row),
            *costs[row.arm.name],
            None if row.difference is None else row.difference.mean,
        )
        for row in data.rows
    ]
    panels = panel_per_group(data, "cost", draw_row, finish, compared=True)
    return Drawing(
        "cost",
        "What a gain costs",
        "Test accuracy minus that of cross-entropy, over the time to train the network, median "
        "over seeds. Filled: its own training; hollow, where a network taught it: with the "
        "teacher's training, for a snapshot up to that epoch. Runs that ran side by side, or "
        "beside other work, took longer than they would alone: read the times as orders of "
        "magnitude.",
        panels.svgs,
        Table(
            "Seconds of training, median over seeds, and difference in points",
            ("student", "arm", "seconds", "seconds with the teacher's", "difference"),
            tuple(values),
        ),
        " ".join(filter(None, (panels.left_out, *beyond[:1]))),
        wide=panels.wide,
    )
