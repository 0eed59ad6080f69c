"""What a search was worth: the best of n trials, and how the trials of each method lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfkd.report.figures.beyond import shown_range
from tfkd.report.figures.drawing import Drawing
from tfkd.report.figures.style import BASELINE_STYLE, FAINT, IN_TURN, INK, PANEL, Style
from tfkd.report.figures.widths import in_widths
from tfkd.report.number_text import number_of
from tfkd.report.tables import Table
from tfkd.report.terminal.tuned_table import title_of_entry
from tfkd.tune import Tuned, TunedEntry

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_expected(tuned: Tuned) -> Drawing | None:
    """Draw the best value that n trials are expected to find; None without a finished trial."""
    found = _with_values(tuned)
    if not found:
        return None
    factor, name = _axis(tuned)

    def make(place: int) -> tuple[Figure, str]:
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator

        figure = Figure(figsize=(PANEL[0], PANEL[1] + 0.16 * len(found)), layout="constrained")
        axes = figure.add_subplot()
        for own, style in found:
            axes.plot(
                range(1, len(own.expected) + 1),
                [factor * value for value in own.expected],
                color=style.colour,
                linestyle=style.line,
                marker=style.marker,
                markersize=3.5,
                label=title_of_entry(own),
            )
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("trials")
        axes.set_ylabel(f"expected best\n{name}")
        figure.legend(loc="outside lower left", ncols=1)
        return figure, "The best of n trials"

    panels = in_widths("expected-best", 1, make)
    return Drawing(
        "expected-best",
        "What so many trials are worth",
        f"The best {tuned.tuning.goal.title} on the validation images that n trials of a method "
        "are expected to find (Dodge et al., 2019, arXiv 1909.03004), from those that were made. A "
        "line that is flat from the first trial on belongs to a method that needs no tuning here; "
        "where lines cross, which method is better depends on the budget. It takes the trials for "
        "drawn at random, which those of a search are not: the first numbers are a little too "
        "good.",
        panels.narrow,
        Table(
            "Expected best value after n trials",
            ("method", "trials", "expected best"),
            tuple(
                (title_of_entry(own), place, factor * value)
                for own, _ in found
                for place, value in enumerate(own.expected, 1)
            ),
        ),
        wide=panels.wide,
    )


def draw_trials(tuned: Tuned) -> Drawing | None:
    """Draw the value of every trial, a line for each method; None without a finished trial."""
    found = _with_values(tuned)
    if not found:
        return None
    factor, name = _axis(tuned)
    values = [factor * v for own, _ in found for t in own.tried if (v := t.value) is not None]
    low, high = shown_range(values)
    room = 0.05 * (high - low) or 1.0
    outside = sum(not low <= value <= high for value in values)

    def make(place: int) -> tuple[Figure, str]:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(PANEL[0], 0.7 + 0.42 * len(found)), layout="constrained")
        axes = figure.add_subplot()
        for row, (own, style) in enumerate(found):
            shown = [factor * v for t in own.tried if (v := t.value) is not None]
            axes.plot([low, high], [row, row], color=FAINT, linewidth=0.8)
            axes.plot(
                [value for value in shown if low <= value <= high],
                [row] * sum(low <= value <= high for value in shown),
                color=style.colour,
                marker="|",
                markersize=11,
                linestyle="none",
            )
            if own.default is not None and own.default.value is not None:
                value = min(max(factor * own.default.value, low), high)
                axes.plot([value], [row], color=INK, marker="o", fillstyle="none", ls="none")
            if own.best is not None and own.best.value is not None:
                axes.plot(
                    [factor * own.best.value], [row], color=style.colour, marker="D", ls="none"
                )
            axes.annotate(
                title_of_entry(own),
                (0.0, row),
                xycoords=("axes fraction", "data"),
                xytext=(0, 8),
                textcoords="offset points",
                fontsize=7.6,
            ).set_in_layout(False)
        axes.set_ylim(len(found) - 0.5, -0.9)
        axes.set_xlim(low - room, high + room)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.grid(visible=False)
        axes.set_xlabel(name)
        return figure, "Every trial"

    panels = in_widths("trials", 1, make)
    return Drawing(
        "trials",
        "How flat or steep each method is around its best",
        "Each stroke is a trial, in the mean over its seeds; the filled mark is the best, which "
        "was chosen, the hollow one the method's defaults at the recipe's learning rate. Where the "
        "strokes crowd at the best a method is flat, and it does not matter much how it is set; "
        "where few are near it, it has to be tuned.",
        panels.narrow,
        Table(
            "Every trial",
            (
                "method",
                "trial",
                "state",
                "value",
                "accuracy %",
                "learning rate",
                "weight decay",
                "numbers",
            ),
            tuple(
                (
                    title_of_entry(own),
                    tried.number,
                    tried.state,
                    None if tried.value is None else factor * tried.value,
                    None if tried.accuracy is None else 100.0 * tried.accuracy,
                    f"{tried.setting.learning_rate:.4g}",
                    f"{tried.setting.weight_decay:.4g}",
                    ", ".join(f"{k} {v:.4g}" for k, v in tried.setting.method.numbers.items()),
                )
                for own in tuned.entries
                for tried in own.tried
            ),
        ),
        f"{number_of(outside, 'trial')} far outside of the axis not drawn." if outside else "",
        wide=panels.wide,
    )


def _with_values(tuned: Tuned) -> list[tuple[TunedEntry, Style]]:
    """The entries with a finished trial, cross-entropy as in every figure."""
    styles = [BASELINE_STYLE, *(IN_TURN[place % len(IN_TURN)] for place in range(200))]
    return [
        (own, styles[place]) for place, own in enumerate(tuned.entries[: len(styles)]) if own.values
    ]


def _axis(tuned: Tuned) -> tuple[float, str]:
    """The factor of values, and what the axis says."""
    goal = tuned.tuning.goal
    return (100.0, f"validation {goal.title}, %") if goal.maximise else (1.0, goal.title)
