"""The soft targets of the losses whose teacher is the same for every sample, all through."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import tfkd
from tfkd.report.figures.drawing import Drawing
from tfkd.report.figures.limits import MOST_PANELS, within_limit
from tfkd.report.figures.soft_targets_of_loss import draw_soft_targets
from tfkd.report.figures.style import PANEL, plain_ticks
from tfkd.report.figures.widths import in_widths
from tfkd.report.study_data import StudyData
from tfkd.report.tables import Table
from tfkd.runs import MethodSettings
from tfkd.study.summary import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(data: StudyData) -> Drawing | None:
    """Draw one panel for each such loss that has a teacher; None if there is none."""
    num_classes = len(data.classes)
    found: dict[MethodSettings, Row] = {}
    for row in data.rows:
        if not row.arm.method.has_teacher and not row.is_control:
            found.setdefault(row.arm.method, row)
    times = Counter(row.title for row in found.values())
    explained = []
    for loss, row in found.items():
        # Networks of one table may have numbers of their own in the same method.
        title = row.title if times[row.title] == 1 else f"{row.title} ({row.arm.name})"
        criterion = loss.build(num_classes=num_classes, epochs=row.arm.recipe.epochs)
        if not isinstance(criterion, tfkd.DistillationLoss):
            continue
        each = tfkd.explain(criterion, num_classes)
        known = each.teacher_target is not None and each.target is not None
        if known and each.alpha > 0.0 and not each.schedules:
            explained.append((title, each))
    if not explained:
        return None
    drawn, left_out = within_limit(explained, MOST_PANELS, "losses", lambda pair: pair[0])

    def make(place: int) -> tuple[Figure, str]:
        title, each = drawn[place]
        figure = draw_soft_targets(each, title=title)
        figure.set_size_inches(PANEL[0], PANEL[1] + 0.4)
        axes = figure.axes[0]
        axes.set_title("")
        axes.set_title(title, loc="left")
        plain_ticks(axes)
        axes.grid(axis="x", visible=False)
        axes.set_xticklabels(["true", *(tick.get_text() for tick in axes.get_xticklabels()[1:])])
        return figure, title

    panels, values = in_widths("soft-targets", len(drawn), make), []
    for title, each in explained:
        assert each.teacher_target is not None and each.target is not None  # those alone are drawn
        values.append(
            (
                title,
                each.alpha,
                each.temperature,
                each.scale,
                *each.teacher_target,
                *each.target,
                each.equivalent_label_smoothing,
                "exactly" if each.exact else "at the optimum",
            )
        )
    return Drawing(
        "soft-targets",
        "Soft targets: what the virtual teachers say, and what the student is led to",
        "For each class the probability that the teacher gives at its temperature, the probability "
        "at which the whole loss of a sample is smallest, and the label smoothing with the same "
        "optimum. Not here are losses taught by a network or by a teacher that remembers, for "
        "their soft targets differ from image to image or change with training; losses that "
        "nobody teaches; and those of the controls. After figure 3 of the paper.",
        panels.narrow,
        Table(
            "Soft targets of a sample, by closed form",
            (
                "loss",
                "α",
                "τ",
                "scale s",
                "teacher: true class",
                "teacher: each other",
                "student: true class",
                "student: each other",
                "as label smoothing ε",
                "how",
            ),
            tuple(values),
        ),
        left_out,
        wide=panels.wide,
    )
