"""What was chosen for each method, what that gains, and whether it had to be searched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfkd.method_table import find_method
from tfkd.report.number_text import number_of
from tfkd.report.terminal.study_table import broken
from tfkd.study.asked import TEACHER
from tfkd.tune.objective import Objective
from tfkd.tune.space import axes
from tfkd.tune.tuned import NEAR, Tried, Tuned, TunedEntry

if TYPE_CHECKING:
    from rich.console import Console

NAME_WIDTH = 14
FLAT = 0.5
"""Share of settings near the best from which a method is called flat."""

LEAST_TO_BE_FLAT = 10
"""Settings tried before that is said: fewer may all lie in one corner."""


def print_tuned(tuned: Tuned, console: Console) -> None:
    """Print a row for each entry, and what follows from it.

    Args:
        tuned: what was found.
        console: where to; it fits in 80 columns.
    """
    from rich.table import Table

    tuning = tuned.tuning
    table = Table(
        title=f"validation {tuning.goal.title}, mean of {number_of(tuning.seeds, 'seed')}, "
        f"{number_of(tuning.trials, 'trial')} each",
        title_justify="left",
        box=None,
        padding=(0, 1, 0, 0),
    )
    table.add_column("method", width=NAME_WIDTH, overflow="fold")
    table.add_column("chosen", overflow="fold")
    headings = ("learning\nrate", "weight\ndecay", "best", "default", "accu-\nracy %", "near\nbest")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for own in tuned.entries:
        table.add_row(broken(title_of_entry(own), NAME_WIDTH), *_cells(tuned, own))
    console.print(table)
    console.print()
    for sentence in sentences(tuned):
        console.print(sentence, highlight=False)


def title_of_entry(own: TunedEntry) -> str:
    """Return what an entry is called."""
    entry = own.entry
    if entry.name == TEACHER:
        return f"teacher {entry.student}"
    return entry.name if entry.keeps_numbers else find_method(entry.method.name).title


def _cells(tuned: Tuned, own: TunedEntry) -> list[str]:
    goal, best = tuned.tuning.goal, own.best
    default = "" if own.default is None else value_of(own.default, goal)
    if best is None:
        return ["none", "", "", "", default, "", ""]
    searched = [axis.name for axis in axes(tuned.tuning, own.entry)]
    numbers = best.setting.method.numbers
    chosen = "\n".join(f"{name} {numbers[name]:.4g}" for name in searched if name in numbers)
    return [
        chosen,
        f"{best.setting.learning_rate:.3g}",
        f"{best.setting.weight_decay:.2g}",
        value_of(best, goal),
        default,
        "" if best.accuracy is None else f"{100 * best.accuracy:.2f}",
        "" if own.near is None else f"{100 * own.near:.0f} %",
    ]


def value_of(tried: Tried, goal: Objective) -> str:
    """Return the value of a trial, an accuracy in percent."""
    if tried.value is None:
        return "diverged"
    return f"{100 * tried.value:.2f}" if goal.maximise else f"{tried.value:.4f}"


def sentences(tuned: Tuned) -> list[str]:
    """Return what a table of what was found means, in sentences."""
    said = [
        "default: the method's own numbers at the recipe's learning rate and weight decay. near "
        f"best: the share of the settings tried that are within {100 * NEAR:.0f} % of the best"
        f"{' in the errors that are left' if tuned.tuning.goal.maximise else ''}."
    ]
    found = [own for own in tuned.entries if own.near is not None]
    steep = [title_of_entry(own) for own in found if _needs_tuning(own)]
    flat = [title_of_entry(own) for own in found if _is_flat(own)]
    if flat:
        said.append(f"Need hardly any tuning here: {', '.join(flat)}.")
    if steep:
        said.append(f"Gain more than {100 * NEAR:.0f} % by it: {', '.join(steep)}.")
    ends = [
        f"{' and '.join(name.replace('_', ' ') for name in names)} of {title_of_entry(own)}"
        for own in tuned.entries
        if not _is_flat(own) and (names := own.at_the_end_of(axes(tuned.tuning, own.entry)))
    ]
    if ends:
        said.append(f"At an end of where it was searched, so look further: {', '.join(ends)}.")
    for state, what in (("pruned", "given one seed alone"), ("diverged", "not finite in the loss")):
        count = sum(tried.state == state for own in tuned.entries for tried in own.tried)
        if count:
            were = "was" if count == 1 else "were"
            said.append(f"{number_of(count, 'setting')} {were} {what}.")
    if not tuned.chosen:
        return [*said, "Nothing was chosen."]
    return [
        *said,
        "The best of many is too good by luck: what a setting is worth, runs with other seeds say.",
    ]


def _is_flat(own: TunedEntry) -> bool:
    """Whether hardly any setting spoils it, that with the defaults neither."""
    ended = sum(tried.state != "running" for tried in own.tried)
    is_near = own.near is not None and own.near >= FLAT
    return is_near and ended >= LEAST_TO_BE_FLAT and not _needs_tuning(own)


def _needs_tuning(own: TunedEntry) -> bool:
    if own.gain is None or own.default is None or own.default.value is None:
        return own.best is not None
    value = own.default.value
    return own.gain > NEAR * (1.0 - value if own.goal.maximise else value)
