"""The student's accuracy over its teacher's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tfkd.method_table import DIALECTS
from tfkd.report.beside_contrasts import beside_contrasts
from tfkd.report.figures.drawing import Drawing
from tfkd.report.figures.limits import MOST_ARMS, MOST_PANELS, within_limit
from tfkd.report.figures.style import FAINT, FILLED, IN_TURN, INK, PANEL, Style, style_of
from tfkd.report.figures.widths import in_widths
from tfkd.report.number_text import interval_text, with_sign
from tfkd.report.study_data import StudyData
from tfkd.report.tables import Table, Value
from tfkd.study.slope import Slope, slopes
from tfkd.study.slope import lines as lines_of_stages
from tfkd.study.summary import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OWN_COLOURS = 1
"""From where on the styles in turn have a colour that no control has."""
FEWEST_TEACHERS = 2
"""Of one there is nothing to compare."""

CONTROLS_DRAWN = (
    " The broken lines are controls, which no network teaches: the same loss scale, the label "
    "smoothing of the same strength and so on, with a mark at the right edge ± one standard "
    "deviation. A student that is no higher than its control owes nothing to its teacher."
)


def draw(data: StudyData) -> Drawing | None:
    """Draw one panel for each student; None if fewer than two networks teach."""
    taught = [row for row in data.rows if "teacher_accuracy" in row.metrics]
    if len({row.teacher for row in taught}) < FEWEST_TEACHERS:
        return None
    found_students = list(dict.fromkeys(row.student for row in taught))
    students, left_out = within_limit(found_students, MOST_PANELS, "students", str)
    sentences = [left_out]
    drawn: list[Sequence[Row]] = []
    for student in students:
        of_student = [row for row in taught if row.student == student]
        rows, left_out = within_limit(
            of_student, MOST_ARMS, f"arms of {student}", data.name_in_figure
        )
        drawn.append(rows)
        sentences.append(left_out)
    controls = [_controls(data, rows) for rows in drawn]

    def make(place: int) -> tuple[Figure, str]:
        title = f"student {students[place]}"
        return _panel(data, title, drawn[place], controls[place]), title

    panels = in_widths("teachers", len(students), make)
    values: list[tuple[Value, ...]] = [
        (
            row.student,
            data.name_in_figure(row),
            row.teacher,
            row.accuracy.n,
            row.metrics["teacher_accuracy"].mean,
            row.metrics["teacher_accuracy"].sd,
            row.accuracy.mean,
            row.accuracy.sd,
        )
        for row in taught
    ]
    others = {
        row.arm.name: row
        for rows, found in zip(drawn, controls, strict=True)
        for row in (*_plain(data, rows), *found)
    }
    values += [
        (row.student, row.title, None, row.n, None, None, row.accuracy.mean, row.accuracy.sd)
        for row in others.values()
    ]
    return Drawing(
        "teachers",
        "Does a better teacher make a better student?",
        "Test accuracy of the student over that of the network that taught it, each the mean over "
        "seeds ± one standard deviation. The full line with its band is plain cross-entropy, also "
        f"± one standard deviation.{CONTROLS_DRAWN if any(controls) else ''}"
        f"{_slopes_in_words(data)} Marks filled: the "
        "losses as this package has them; hollow: as printed in the paper; half filled: as in its "
        "released code. After figure 2 of the paper.",
        panels.narrow,
        Table(
            "Student and teacher, test accuracy in percent",
            (
                "student",
                "arm",
                "teacher",
                "n",
                "teacher accuracy",
                "teacher sd",
                "student accuracy",
                "student sd",
            ),
            tuple(values),
        ),
        " ".join(filter(None, sentences)),
        wide=panels.wide,
    )


def _slopes_in_words(data: StudyData) -> str:
    """What is said of the slopes that are drawn; empty if there is none."""
    if not slopes(data.study, data.records):
        return ""
    said = " ".join(beside_contrasts(replace(data.study, interactions=()), data.records))
    return (
        " The thick line is the mean over seeds of the least-squares slope through the stages of "
        f"a teacher, the wedge its 95 % interval (Student's t): {said}"
    )


def _plain(data: StudyData, rows: Sequence[Row]) -> list[Row]:
    """What the taught students are compared with."""
    baselines = dict.fromkeys(row.arm.baseline for row in rows)
    return [data.by_arm[name] for name in baselines if name in data.by_arm]


def _controls(data: StudyData, rows: Sequence[Row]) -> list[Row]:
    """The arms without a network as teacher that may explain what the taught students gain."""
    taught = {row.arm.name for row in rows}
    return [
        row
        for row in data.rows
        if row.method != "undone" and row.teacher is None and taught & set(row.arm.control_of)
    ]


def _panel(data: StudyData, title: str, rows: Sequence[Row], controls: Sequence[Row]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(PANEL[0], PANEL[1] + 0.5 + 0.14 * len(controls)), layout="constrained")
    axes = figure.add_subplot()
    for plain in _plain(data, rows)[:1]:
        mean, sd = plain.accuracy.mean, _spread(plain.accuracy.sd)
        axes.axhspan(mean - sd, mean + sd, color=FAINT, alpha=0.5, linewidth=0)
        axes.axhline(mean, color=INK, label="cross-entropy, no teacher")
    for place, row in enumerate(controls):
        style = style_of(row)
        label = data.name_in_figure(row)
        axes.axhline(row.accuracy.mean, color=style.colour, linestyle=style.line, linewidth=1.1)
        # Beside one another at the right edge, so that each bar can be seen.
        axes.errorbar(
            1.0 - 0.025 * place,
            row.accuracy.mean,
            yerr=_spread(row.accuracy.sd),
            transform=axes.get_yaxis_transform(),
            color=style.colour,
            marker=style.marker,
            markersize=5,
            elinewidth=0.8,
            linestyle=style.line,
            label=label,
            clip_on=False,
        )
    named: set[str] = set()
    found = {slope.arms: slope for slope in slopes(data.study, data.records)}
    for place, line in enumerate(_lines(data, rows)):
        points = sorted(line, key=lambda row: row.metrics["teacher_accuracy"].mean)
        in_turn = IN_TURN[(place + OWN_COLOURS) % len(IN_TURN)]
        if len(points) > 1:
            axes.plot(
                [row.metrics["teacher_accuracy"].mean for row in points],
                [row.accuracy.mean for row in points],
                color=in_turn.colour,
                linestyle=in_turn.line,
                linewidth=0.9,
            )
        slope = found.get(tuple(row.arm.name for row in line))
        if slope is not None:
            _draw_slope(axes, data, slope, in_turn)
        for row in points:
            style = in_turn if len(points) > 1 else style_of(row)
            teacher, label = row.metrics["teacher_accuracy"], _label(row, len(points) > 1)
            axes.errorbar(
                teacher.mean,
                row.accuracy.mean,
                xerr=_spread(teacher.sd),
                yerr=_spread(row.accuracy.sd),
                color=style.colour,
                marker=style.marker,
                fillstyle=FILLED[row.dialect],
                markersize=6,
                elinewidth=0.8,
                linestyle="none",
                label="_" if label in named else label,
            )
            named.add(label)
    axes.set_xlabel("teacher's test accuracy, %")
    axes.set_ylabel("student's test accuracy, %")
    axes.set_title(title, loc="left")
    columns = 1 if controls or len(named) < 3 else 2
    figure.legend(loc="outside lower left", ncols=columns, fontsize=7.4)
    return figure


def _lines(data: StudyData, rows: Sequence[Row]) -> list[list[Row]]:
    """The rows that differ in the stage of their teacher alone, and each of the others."""
    by_arm = {row.arm.name: row for row in rows}
    joined = [
        [by_arm[arm.name] for arm in line if arm.name in by_arm]
        for line in lines_of_stages(data.study.arms)
    ]
    in_lines = {row.arm.name for line in joined for row in line}
    return [line for line in joined if line] + [
        [row] for row in rows if row.arm.name not in in_lines
    ]


def _draw_slope(axes: Axes, data: StudyData, slope: Slope, style: Style) -> None:
    """Draw the mean slope through the middle of its points, and a wedge for its interval."""
    points = [data.by_arm[name] for name in slope.arms if name in data.by_arm]
    middle = fmean(row.metrics["teacher_accuracy"].mean for row in points)
    height = fmean(row.accuracy.mean for row in points)
    ends = (slope.worst, slope.best)

    def at(rise: float) -> list[float]:
        return [height + rise * (end - middle) for end in ends]

    found = slope.difference
    axes.plot(
        ends,
        at(found.mean),
        color=style.colour,
        linewidth=1.6,
        label=f"slope {_slope_text(slope)}",
    )
    if found.has_interval:
        axes.fill_between(
            [slope.worst, middle, slope.best],
            [at(found.low)[0], height, at(found.low)[1]],
            [at(found.high)[0], height, at(found.high)[1]],
            color=style.colour,
            alpha=0.15,
            linewidth=0,
        )


def _slope_text(slope: Slope) -> str:
    """The slope with its interval."""
    found = slope.difference
    ends = f" ({interval_text(found.low, found.high, 3)})" if found.has_interval else ""
    return f"{with_sign(found.mean, 3)}{ends}"


def _label(row: Row, snapshots: bool) -> str:
    """The method, or for the snapshots of one network its name; and the dialect."""
    label = row.arm.method.row.title
    if snapshots and row.teacher is not None:
        label = f"by {row.teacher.partition('@')[0]}"
    if row.dialect != "tfkd":
        label += f", {DIALECTS[row.dialect]}"
    return label


def _spread(sd: float) -> float:
    return 0.0 if math.isnan(sd) else sd
