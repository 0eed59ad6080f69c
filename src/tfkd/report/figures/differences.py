"""The differences to cross-entropy with their intervals."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

from tfkd.report.figures.beyond import BEYOND, shown_range
from tfkd.report.figures.drawing import Drawing
from tfkd.report.figures.limits import MOST_ARMS, MOST_PANELS, within_limit
from tfkd.report.figures.style import FAINT, FILLED, INK, PANEL, drawing, style_of, to_svg
from tfkd.report.number_text import interval_text, with_sign
from tfkd.report.study_data import StudyData
from tfkd.report.tables import Table
from tfkd.study.summary import Row

ROW_INCHES = 0.35
MOST_LETTERS = 61
"""A longer line leaves no room for the interval, which is drawn and in the table."""


def draw(data: StudyData) -> Drawing | None:
    """Draw test accuracy minus the baseline's, one panel a student; None without a comparison."""
    compared = [row for row in data.rows if row.difference is not None]
    if not compared:
        return None
    found_students = list(dict.fromkeys(row.student for row in compared))
    students, left_out = within_limit(found_students, MOST_PANELS, "students", str)
    panels, sentences = [], [left_out]
    for student in students:
        of_student = [row for row in compared if row.student == student]
        rows, left_out = within_limit(
            of_student, MOST_ARMS, f"arms of {student}", data.name_in_figure
        )
        limits = _limits(rows)
        panels.append(_panel(data, student, rows, limits))
        sentences += [left_out] if limits is None else [left_out, BEYOND]
    columns = ("student", "arm", "control", "n", "difference", "low", "high", "corrected p")
    values = []
    for row in compared:
        found = row.difference
        assert found is not None
        values.append(
            (
                row.student,
                data.name_in_figure(row),
                "yes" if row.is_control else "",
                found.n,
                found.mean,
                found.low,
                found.high,
                row.adjusted_p,
            )
        )
    return Drawing(
        "differences",
        "What each method gains over plain cross-entropy",
        "Test accuracy minus that of cross-entropy with the same seed, in points: the mean over "
        "seeds and its 95 % bootstrap interval. What lies right of the line is better; an interval "
        "across the line may be chance. The shaded rows are controls: they have no teacher, so a "
        "method whose gain is its teacher's must lie right of them. The intervals are not "
        "corrected for their number; the p-values of the table are.",
        tuple(panels),
        Table("Differences to cross-entropy, in points", columns, tuple(values)),
        " ".join(filter(None, dict.fromkeys(sentences))),
    )


def _ends(row: Row) -> tuple[float, float, float]:
    """Lower end, mean and upper end; thrice the mean where there is no interval."""
    found = row.difference
    assert found is not None
    return tuple(
        found.mean if math.isnan(end) else end for end in (found.low, found.mean, found.high)
    )  # type: ignore[return-value]


def _limits(rows: Sequence[Row]) -> tuple[float, float] | None:
    """Of the axis, where something would stretch it; None where all are drawn."""
    learned = [row for row in rows if not row.only_guesses] or rows
    low, high = shown_range([end for row in learned for end in _ends(row)])
    low, high = min(low, 0.0), max(high, 0.0)
    if all(low <= end <= high for row in rows for end in _ends(row)):
        return None
    room = 0.06 * (high - low) or 1.0
    return low - room, high + room


def _panel(
    data: StudyData, student: str, rows: Sequence[Row], limits: tuple[float, float] | None
) -> str:
    from matplotlib.figure import Figure

    with drawing():
        figure = Figure(figsize=(PANEL[0], 0.7 + ROW_INCHES * len(rows)), layout="constrained")
        axes = figure.add_subplot()
        for place in range(len(rows)):
            axes.plot([0.0, 0.0], [place - 0.16, place + 0.3], color=INK, linewidth=1.0)
        first_control = next((i for i, row in enumerate(rows) if row.is_control), len(rows))
        if first_control < len(rows):
            axes.axhspan(first_control - 0.62, len(rows) - 0.38, color=FAINT, alpha=0.35, lw=0)
        for place, row in enumerate(rows):
            found, style = row.difference, style_of(row)
            assert found is not None
            low, mean, high = _ends(row)
            axes.plot([low, high], [place, place], color=style.colour, linewidth=2.0)
            axes.plot(
                [mean],
                [place],
                marker=style.marker,
                color=style.colour,
                fillstyle=FILLED[row.dialect],
                markersize=6,
            )
            if limits is not None:
                for edge, arrow, is_beyond in zip(
                    limits, "<>", (low < limits[0], high > limits[1]), strict=True
                ):
                    if is_beyond:
                        axes.plot([edge], [place], marker=arrow, color=style.colour, clip_on=False)
            label = textwrap.shorten(data.name_in_figure(row), 52, placeholder=" …")
            text = with_sign(found.mean)
            interval = f" ({interval_text(found.low, found.high)})"
            if not math.isnan(found.low) and len(label + text + interval) <= MOST_LETTERS:
                text += interval
            for side, words in ((0.0, label), (1.0, text)):
                axes.annotate(
                    words,
                    (side, place),
                    xycoords=("axes fraction", "data"),
                    xytext=(0, 7),
                    textcoords="offset points",
                    fontsize=7.4,
                    ha="right" if side else "left",
                ).set_in_layout(False)
        axes.set_ylim(len(rows) - 0.38, -0.8)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.grid(visible=False)
        axes.margins(x=0.06)
        if limits is not None:
            axes.set_xlim(limits)
        axes.set_xlabel("difference in test accuracy, points")
        axes.set_title(f"student {student}", loc="left")
        return to_svg(figure, f"differences-{data.students.index(student)}", f"student {student}")
