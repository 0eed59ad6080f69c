"""What the figures with one panel for each group of arms have in common."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tfkd.method_table import DIALECTS
from tfkd.report.figures.limits import MOST_PANELS, MOST_PANELS_OF_STUDENT, within_limit
from tfkd.report.figures.style import PANEL, Style, styles_in
from tfkd.report.figures.widths import in_widths
from tfkd.report.study_data import Group, StudyData
from tfkd.study.summary import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DrawRow = Callable[["list[Axes]", Row, Style], None]


class Panels(NamedTuple):
    """Panels as `svg` elements, a sentence on those that are left out, and the same wider."""

    svgs: tuple[str, ...]
    left_out: str
    wide: tuple[str, ...]


def panel_per_group(
    data: StudyData,
    name: str,
    draw_row: DrawRow,
    finish: Callable[[list[Axes], Group], None],
    *,
    axes: int = 1,
    height: float = PANEL[1],
    compared: bool = False,
) -> Panels:
    """Draw one panel for each group of arms, up to a limit, with its legend below.

    Args:
        data: of the study.
        name: of the figure.
        draw_row: draws an arm; what it labels stands in the legend.
        finish: sets limits and names of the axes.
        axes: how many stand above each other, with one x-axis.
        height: in inches, without the legend.
        compared: only groups with an arm beside the baseline.
    """
    from matplotlib.figure import Figure

    found = [group for group in data.groups() if group.rows or not compared]
    groups, left_out = _drawn(found)

    def make(place: int) -> tuple[Figure, str]:
        group = groups[place]
        rows = styles_in(group)
        labels = [legend_label(data, row, group) for row, _ in rows]
        columns = 2 if max(map(len, labels)) <= 24 else 1
        lines = -(-len(rows) // columns)
        figure = Figure(figsize=(PANEL[0], height + 0.16 * lines), layout="constrained")
        all_axes = list(figure.subplots(axes, 1, sharex=True, squeeze=False)[:, 0])
        for row, style in rows:
            draw_row(all_axes, row, style)
        finish(all_axes, group)
        title = _title(group)
        all_axes[0].set_title(title, loc="left")
        handles, _ = all_axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower left", ncols=columns)
        return figure, title

    svgs, wide = in_widths(name, len(groups), make)
    return Panels(svgs, left_out, wide)


def legend_label(data: StudyData, row: Row, group: Group) -> str:
    """Return the label of an arm, without its dialect where the panel's title says it."""
    label, dialect = data.name_in_figure(row), DIALECTS[row.dialect]
    if group.title.startswith(dialect):
        label = label.replace(f", {dialect}", "", 1)
    return textwrap.shorten(label, 56, placeholder=" …")


def _drawn(found: list[Group]) -> tuple[Sequence[Group], str]:
    """The groups that are drawn, and sentences on the others."""
    kept: list[Group] = []
    sentences = []
    for student in dict.fromkeys(group.student for group in found):
        of_student = [group for group in found if group.student == student]
        groups, left_out = within_limit(
            of_student, MOST_PANELS_OF_STUDENT, f"panels of {student}", _title
        )
        kept += groups
        sentences.append(left_out)
    groups, left_out = within_limit(kept, MOST_PANELS, "panels", _title)
    return groups, " ".join(filter(None, (*sentences, left_out)))


def _title(group: Group) -> str:
    return f"{group.student}: {group.title}"
