"""What a search has found: of each entry its trials, the best of them, and how much it matters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tfkd.runs import MethodSettings, files
from tfkd.runs.chosen import Chosen
from tfkd.tune.expected_best import expected_best
from tfkd.tune.objective import Objective
from tfkd.tune.outcome import State, mean
from tfkd.tune.plan import Entry, Tuning
from tfkd.tune.records import PLAN_FILE, RECORDS_FILE, TrialRecord
from tfkd.tune.space import Axis, Setting

NEAR = 0.02
"""Share of the best value, or of the errors that its accuracy leaves, within which others are near
it."""


@dataclass(frozen=True)
class Tried:
    """A trial: a setting, and what came of it.

    Attributes:
        number: from 0, which has the defaults.
        setting: that was tried.
        state: of it.
        value: of the objective, in the mean over its seeds, of a pruned trial its first alone;
            None where it diverged, or is running.
        accuracy: of the validation split, a share, in the mean over those seeds.
        seconds: of all its training.
        first: the objective with its first seed; None as `value`.
    """

    number: int
    setting: Setting
    state: State
    value: float | None
    accuracy: float | None
    seconds: float
    first: float | None = None


@dataclass(frozen=True)
class TunedEntry:
    """What was found for a method, or another entry.

    Attributes:
        entry: what was tuned.
        goal: what decides.
        tried: its trials, in their order.
    """

    entry: Entry
    goal: Objective
    tried: tuple[Tried, ...]

    @property
    def best(self) -> Tried | None:
        """The trial with the best value, of those with all seeds; the first of equal ones."""
        found = [(own.value, own) for own in self.tried if own.state == "complete"]
        valued = [(value, own) for value, own in found if value is not None]
        if not valued:
            return None
        return (max if self.goal.maximise else min)(valued, key=lambda pair: pair[0])[1]

    @property
    def default(self) -> Tried | None:
        """The first trial; None while it is running."""
        return next((tried for tried in self.tried if tried.state != "running"), None)

    def comparable(self, tried: Tried) -> float | None:
        """Return the value of a trial as that of one with all seeds.

        One seed may have the easier images: a pruned trial, which has the first alone, is moved by
        what the other seeds add in the mean of the trials that have them.
        """
        if tried.state != "pruned" or tried.value is None:
            return tried.value
        added = [
            own.value - own.first
            for own in self.tried
            if own.state == "complete" and own.value is not None and own.first is not None
        ]
        return tried.value + (mean(added) if added else 0.0)

    @property
    def values(self) -> list[float]:
        """Values of the finished trials; of those that diverged the worst of the others.

        Pruned ones are made comparable.
        """
        found = [self.comparable(tried) for tried in self.tried if tried.state != "running"]
        known = [value for value in found if value is not None]
        if not known:
            return []
        worst = min(known) if self.goal.maximise else max(known)
        return [worst if value is None else value for value in found]

    @property
    def expected(self) -> list[float]:
        """What the best of 1, 2, ... trials is expected to be; empty if there is none."""
        return expected_best(self.values, maximise=self.goal.maximise) if self.values else []

    @property
    def near(self) -> float | None:
        """Share of the finished trials whose value is within 2 % of the best.

        Of an accuracy it is within 2 % of the errors that the best makes. Near 1, the method is
        flat: it does not matter much how it is set. Near 0, it has to be tuned. Pruned trials are
        made comparable.
        """
        if self.best is None or self.best.value is None:
            return None
        best = self.best.value
        distance = NEAR * (1.0 - best if self.goal.maximise else best)
        ended = [tried for tried in self.tried if tried.state != "running"]
        values = map(self.comparable, ended)
        close = [value for value in values if value is not None and abs(value - best) <= distance]
        return len(close) / len(ended)

    def at_the_end_of(self, searched: tuple[Axis, ...]) -> tuple[str, ...]:
        """Return the numbers whose best value lies within 5 % of an end of where it was searched.

        Beyond that end a better one may lie.

        Args:
            searched: of `tfkd.tune.space.axes`; shares are of the logarithm where it was searched
                in that.
        """
        if self.best is None:
            return ()
        setting = self.best.setting
        return tuple(axis.name for axis in searched if axis.is_at_an_end(setting.value(axis)))

    @property
    def gain(self) -> float | None:
        """By how much the best is better than the defaults, at least 0; None: one has no value."""
        if self.best is None or self.default is None:
            return None
        best, default = self.best.value, self.default.value
        return None if best is None or default is None else abs(best - default)


@dataclass(frozen=True)
class Tuned:
    """What a search has found.

    Attributes:
        tuning: its plan.
        entries: in the plan's order, each with its trials so far.
    """

    tuning: Tuning
    entries: tuple[TunedEntry, ...]

    @property
    def chosen(self) -> tuple[Chosen, ...]:
        """The best setting of each entry that has one."""
        return tuple(
            Chosen(
                name=own.entry.name,
                method=best.setting.method,
                learning_rate=best.setting.learning_rate,
                weight_decay=best.setting.weight_decay,
            )
            for own in self.entries
            if (best := own.best) is not None
        )


def tuned_of(tuning: Tuning, records: Iterable[TrialRecord]) -> Tuned:
    """Return what the records of a search say.

    Args:
        tuning: its plan.
        records: a line for each finished run, those of a trial behind one another.
    """
    tried: dict[str, list[Tried]] = {entry.name: [] for entry in tuning.entries}
    for (name, _), lines in groupby(records, lambda record: (record.entry, record.trial)):
        if name in tried:
            tried[name].append(tried_of(list(lines)))
    entries = (TunedEntry(e, tuning.goal, tuple(tried[e.name])) for e in tuning.entries)
    return Tuned(tuning, tuple(entries))


def tried_of(lines: Sequence[TrialRecord]) -> Tried:
    """Return what the records of one trial say, of which there is one at least."""
    first = lines[0]
    method = MethodSettings(first.method, first.dialect, first.numbers)
    values = [line.objective for line in lines if line.objective is not None]
    # A pruned trial is judged by its first seed, though another was finished before.
    values = values[:1] if first.state == "pruned" else values
    accuracies = [line.accuracy for line in lines if line.accuracy is not None]
    has_value = first.state in ("complete", "pruned") and bool(values) and bool(accuracies)
    return Tried(
        first.trial,
        Setting(method, first.learning_rate, first.weight_decay),
        first.state,
        mean(values) if has_value else None,
        mean(accuracies[: len(values)]) if has_value else None,
        sum(line.seconds for line in lines if line.seconds is not None),
        values[0] if has_value else None,
    )


def read_tuned(directory: Path | str) -> Tuned:
    """Read what a search has found so far.

    Args:
        directory: of the search.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if a file is not readable.
    """
    root = Path(directory)
    if not (root / PLAN_FILE).is_file():
        raise FileNotFoundError(f"Expected a search in {root}, found no {PLAN_FILE} there.")
    return tuned_of(files.read_json(root / PLAN_FILE, Tuning), read_records(root))


def read_records(root: Path) -> list[TrialRecord]:
    """Read the lines of tune.jsonl; none if nothing is finished.

    Raises:
        ValueError: if it is not readable.
    """
    file = root / RECORDS_FILE
    if not file.is_file():
        return []
    return files.parse_json_lines(files.read_bytes(file), file, TrialRecord)
