"""The section on tuning: with which budget, what was found, and how much it matters."""

from __future__ import annotations

from pathlib import Path

from tfkd.report.figures.trials import draw_expected, draw_trials
from tfkd.report.number_text import duration, number_of
from tfkd.report.section import Section
from tfkd.report.tables import Table, Value
from tfkd.report.terminal.tuned_table import sentences, title_of_entry, value_of
from tfkd.study.asked import TEACHER
from tfkd.tune import Tuned, read_tuned
from tfkd.tune.before import FOLDER
from tfkd.tune.records import PLAN_FILE
from tfkd.tune.space import axes
from tfkd.tune.tuned import NEAR

LEFT_OUT = "The search in this directory is damaged, and left out: {}"


def tuning_section(root: Path) -> Section | None:
    """Return what the search beside a study says; None if there is none.

    Args:
        root: the study's directory.
    """
    folder = root / FOLDER
    if not (folder / PLAN_FILE).is_file():
        return None
    try:
        return of_tuned(read_tuned(folder))
    except (ValueError, OSError) as error:
        return Section("tuning", TITLE, LEFT_OUT.format(error))


TITLE = "How was each method tuned?"


def of_tuned(tuned: Tuned) -> Section:
    """Return the section on a search, finished or not."""
    tuning, goal = tuned.tuning, tuned.tuning.goal
    ended = [tried for own in tuned.entries for tried in own.tried if tried.state != "running"]
    seconds = sum(tried.seconds for own in tuned.entries for tried in own.tried)
    planned = len(tuned.entries) * tuning.trials
    done = "" if len(ended) == planned else f", of which {len(ended)} of {planned} have ended"
    direction = "highest" if goal.maximise else "lowest"
    methods = [own for own in tuned.entries if own.entry.name != TEACHER]
    teacher = " and the network that teaches" if len(methods) < len(tuned.entries) else ""
    answer = (
        f"Each of {number_of(len(methods), 'method')}{teacher} had the same budget: "
        f"{number_of(tuning.trials, 'trial')} × {number_of(tuning.seeds, 'seed')} × "
        f"{number_of(tuning.recipe.epochs, 'epoch')}{done}, {duration(seconds)} of training "
        f"together. Chosen was what has the {direction} {goal.title} on the validation images; the "
        "seeds are not those of the comparison, and no test image was looked at."
    )
    # The first is on the columns of the terminal.
    of_columns = (
        "With its defaults: the method's own numbers at the recipe's learning rate and weight "
        f"decay. Near the best: the share of the settings tried that are within {100 * NEAR:.0f} % "
        f"of the best{' in the errors that are left' if goal.maximise else ''}."
    )
    rest = sentences(tuned)[1:]
    drawings = [draw_expected(tuned), draw_trials(tuned)]
    return Section(
        "tuning",
        TITLE,
        answer,
        notes=(of_columns, " ".join(rest)),
        drawings=tuple(drawing for drawing in drawings if drawing is not None),
        tables=(_found(tuned),),
    )


def _found(tuned: Tuned) -> Table:
    """What was chosen for each method, and how much it mattered."""
    goal = tuned.tuning.goal
    rows: list[tuple[Value, ...]] = []
    for own in tuned.entries:
        best, ended = own.best, sum(tried.state != "running" for tried in own.tried)
        found: tuple[Value, ...] = ("none", "", "", "", "")
        if best is not None:
            searched = [axis.name for axis in axes(tuned.tuning, own.entry)]
            numbers = best.setting.method.numbers
            found = (
                ", ".join(
                    f"{name.replace('_', ' ')} {numbers[name]:.3g}"
                    for name in searched
                    if name in numbers
                ),
                f"{best.setting.learning_rate:.3g}",
                f"{best.setting.weight_decay:.2g}",
                value_of(best, goal),
                "" if best.accuracy is None else f"{100.0 * best.accuracy:.2f}",
            )
        default = "" if own.default is None else value_of(own.default, goal)
        near = "" if own.near is None else f"{100.0 * own.near:.0f}"
        rows.append((title_of_entry(own), *found, default, near, ended))
    unit = " %" if goal.maximise else ""
    headings = (
        "method",
        "chosen",
        "learning rate",
        "weight decay",
        f"best {goal.title}{unit}",
        "accuracy %",
        f"with its defaults{unit}",
        "near the best %",
        "trials",
    )
    return Table("What was found, on validation images", headings, tuple(rows))
