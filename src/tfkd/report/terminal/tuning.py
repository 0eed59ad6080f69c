"""What a search will try, with which budget, and how long that takes: said before its first run."""

from __future__ import annotations

from tfkd.report.number_text import number_of
from tfkd.report.terminal.found import (
    Row,
    and_compiling,
    data_rows,
    start_rows,
    time_words,
    training_words,
    worth_knowing,
)
from tfkd.report.terminal.planned import network_words
from tfkd.report.terminal.rows import laid_out
from tfkd.study.estimate import Estimate
from tfkd.tune.left import estimate_search
from tfkd.tune.plan import Tuning
from tfkd.tune.progress import TuningBeginning
from tfkd.tune.space import Axis, axes


def found_for_search(
    beginning: TuningBeginning, *, again: bool = False
) -> tuple[list[str], Estimate]:
    """Return what is said before a search, and what it will cost at most.

    Args:
        beginning: of it.
        again: whether all but the number of trials was said before.
    """
    tuning, cost = beginning.tuning, estimate_search(beginning)
    if again:
        return laid_out(_budget(tuning, cost)[:3]), cost
    data = beginning.data.get(tuning.recipe.data)
    rows: list[Row] = []
    if data is not None:
        networks = {own.student: None for own in tuning.entries}
        networks |= {own.taught_by: None for own in tuning.entries if own.taught_by is not None}
        recipes = [tuning.recipe.for_student(name) for name in networks]
        rows += [
            *data_rows(data),
            ("networks", ", ".join(network_words(recipe, data) for recipe in recipes)),
            *start_rows(data, tuning.recipe),
            ("training", training_words(tuning.recipe)),
        ]
    rows += [*_searched(tuning), *_budget(tuning, cost)]
    if data is not None:
        rows += worth_knowing(data, tuning.recipe, split="validation")
    return laid_out(rows), cost


def _searched(tuning: Tuning) -> list[Row]:
    rows: list[Row] = [("objective", f"validation {tuning.goal.title}, in the mean over the seeds")]
    for name, (low, high) in tuning.ranges.items():
        rows.append((name.replace("_", " "), f"{low:g} to {high:g} for every method"))
    for entry in tuning.entries:
        own = [axis for axis in axes(tuning, entry) if axis.name not in tuning.ranges]
        if own:
            rows.append(("search", f"{entry.name}: {', '.join(map(_range, own))}"))
    return rows


def _range(axis: Axis) -> str:
    return f"{axis.name} {axis.low:g} to {axis.high:g}"


def _budget(tuning: Tuning, cost: Estimate) -> list[Row]:
    entries, trials, seeds = len(tuning.entries), tuning.trials, tuning.seeds
    each = f"{number_of(trials, 'trial')} of {number_of(seeds, 'seed')}"
    runs = number_of(len(cost.by_run), "run")
    most = "at most " if tuning.prune and seeds > 1 and cost.by_run else ""
    side = f" each, {cost.jobs} runs side by side" if cost.jobs > 1 else ""
    compiling = and_compiling([tuning.recipe], " of each run")
    teachers = sorted({entry.taught_by for entry in tuning.entries if entry.taught_by is not None})
    taught = (
        "at the settings of a file" if tuning.teacher_chosen else "at the recipe's own settings"
    )
    return [
        ("budget", f"{each} for each of {number_of(entries, 'method')}"),
        ("runs", f"{most}{runs} left, {number_of(cost.epochs, 'epoch')}"),
        ("time", f"{most}{time_words(cost.seconds)}{side}{compiling}"),
        *(
            [("teachers", f"{', '.join(teachers)}, with cross-entropy {taught}")]
            if teachers
            else []
        ),
        ("test split", "is not looked at"),
    ]
