"""The student's accuracy over its teacher's."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tfkd.method_table import DIALECTS
from tfkd.report.figures.drawing import Drawing
from tfkd.report.figures.limits import MOST_ARMS, MOST_PANELS, within_limit
from tfkd.report.figures.style import FAINT, FILLED, IN_TURN, INK, PANEL, drawing, style_of, to_svg
from tfkd.report.study_data import StudyData
from tfkd.report.tables import Table
from tfkd.study.summary import Row


def draw(data: StudyData) -> Drawing | None:
    """Draw one panel for each student; None if no network teaches."""
    taught = [row for row in data.rows if "teacher_accuracy" in row.metrics]
    if not taught:
        return None
    found_students = list(dict.fromkeys(row.student for row in taught))
    students, left_out = within_limit(found_students, MOST_PANELS, "students", str)
    panels, sentences = [], [left_out]
    for student in students:
        of_student = [row for row in taught if row.student == student]
        rows, left_out = within_limit(
            of_student, MOST_ARMS, f"arms of {student}", data.name_in_figure
        )
        panels.append(_panel(data, student, rows))
        sentences.append(left_out)
    values = [
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
    return Drawing(
        "teachers",
        "Does a better teacher make a better student?",
        "Test accuracy of the student over that of the network that taught it, each the mean over "
        "seeds ± one standard deviation. The line with its band is plain cross-entropy, also ± one "
        "standard deviation. Marks filled: the losses as this package has them; hollow: as printed "
        "in the paper; half filled: as in its released code. After figure 2 of the paper.",
        tuple(panels),
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
    )


def _panel(data: StudyData, student: str, rows: Sequence[Row]) -> str:
    from matplotlib.figure import Figure

    with drawing():
        figure = Figure(figsize=(PANEL[0], PANEL[1] + 0.5), layout="constrained")
        axes = figure.add_subplot()
        plain = next(
            (r for r in data.rows if r.student == student and r.arm.baseline is None), None
        )
        if plain is not None:
            mean, sd = plain.accuracy.mean, _spread(plain.accuracy.sd)
            axes.axhspan(mean - sd, mean + sd, color=FAINT, alpha=0.5, linewidth=0)
            axes.axhline(mean, color=INK, label="cross-entropy, no teacher")
        named: set[str] = set()
        lines = _lines(rows)
        for place, line in enumerate(lines):
            points = sorted(line, key=lambda row: row.metrics["teacher_accuracy"].mean)
            in_turn = IN_TURN[place % len(IN_TURN)]
            if len(points) > 1:
                axes.plot(
                    [row.metrics["teacher_accuracy"].mean for row in points],
                    [row.accuracy.mean for row in points],
                    color=in_turn.colour,
                    linestyle=in_turn.line,
                    linewidth=0.9,
                )
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
        axes.set_title(f"student {student}", loc="left")
        figure.legend(loc="outside lower left", ncols=1 if len(named) < 4 else 2, fontsize=7.4)
        return to_svg(figure, f"teachers-{data.students.index(student)}", f"student {student}")


def _lines(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows that differ in the teacher's snapshot alone."""
    lines: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        lines.setdefault((row.arm.method, row.arm.recipe, row.arm.teacher), []).append(row)
    # A method and its defective teacher are two points and no line.
    if max(map(len, lines.values())) < 3:
        return [[row] for row in rows]
    return list(lines.values())


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
