"""How far a search is, and how it goes on: one step at a time, under the directory's lock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tfkd.runs import files
from tfkd.study.plan import PlannedRun
from tfkd.tune.journal import Journal
from tfkd.tune.outcome import Outcome, State, Verdict, judge, read_outcome
from tfkd.tune.plan import Tuning
from tfkd.tune.records import (
    CHOSEN_FILE,
    RECORDS_FILE,
    TrialRecord,
    chosen_of,
    record_of,
    write_as_it_is,
)
from tfkd.tune.runs_of_trial import Trial, read_trial, runs_of, teachers_of, write_trial
from tfkd.tune.sampler import propose
from tfkd.tune.space import axes

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


@dataclass
class _Method:
    """The trials of a method that are known."""

    trials: list[Trial] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)


class Search:
    """The search of a directory.

    All that is known of it lies on the disk: the settings of each trial that was begun in its
    folder, what came of its runs in theirs, and the finished trials in Optuna's journal. So any
    number of processes look at it, and move it on, one at a time; whatever one of them was at when
    it was killed, the next does again with the same result.

    Args:
        tuning: the plan.
        root: its directory.
    """

    def __init__(self, tuning: Tuning, root: Path) -> None:
        self.tuning, self.root = tuning, root
        self._journal = Journal(root, tuning)
        self._outcomes: dict[str, Outcome] = {}
        self._methods = {name: _Method() for name in tuning.methods}

    def step(self) -> list[PlannedRun]:
        """Begin and end the trials that can be, write the records, and return the runs to train.

        A run comes behind its teacher. None are left where the search is finished.
        """
        with self._journal.held():
            wanted: dict[str, PlannedRun] = {}
            for method in self.tuning.methods:
                for run in self._advance(method):
                    wanted.setdefault(run.name, run)
            self._write()
        return list(wanted.values())

    def ended(self) -> list[tuple[Trial, State, float | None]]:
        """Return the trials that were seen to be begun, with their states and values."""
        return [
            row
            for known in self._methods.values()
            for row in zip(known.trials, known.states, known.values, strict=True)
        ]

    def _advance(self, method: str) -> list[PlannedRun]:
        """End trials of a method whose runs are finished; return what the open one wants."""
        known, goal = self._methods[method], self.tuning.goal
        while True:
            finished = self._journal.finished(method)
            number = len(finished)
            self._follow(method, finished)
            if number >= self.tuning.trials:
                return []
            trial = read_trial(self.root, method, number)
            if trial is None:
                trial = Trial(method, number, propose(self.tuning, method, finished))
                write_trial(self.root, trial)
            if len(known.trials) == number:
                known.trials.append(trial)
                known.states.append("running")
                known.values.append(None)
            runs = runs_of(self.tuning, self.root, trial)
            found = {place: o for place, run in enumerate(runs) if (o := self._outcome(run.name))}
            verdict = judge(
                found, len(runs), self._first_values(method), goal, prune=self.tuning.prune
            )
            if verdict.state == "running":
                return self._with_teachers(method, [runs[place] for place in verdict.wanted])
            self._journal.add(method, self._frozen(trial, verdict, found))

    def _follow(self, method: str, finished: Sequence[FrozenTrial]) -> None:
        """Know what became of the finished trials, by whomever."""
        known = self._methods[method]
        for number, frozen in enumerate(finished):
            if number == len(known.trials):
                trial = read_trial(self.root, method, number)
                if trial is None:
                    raise ValueError(
                        f"Expected trial {number} of {method} in {self.root}, as the journal has "
                        "it, found none. Put it back, or take another directory."
                    )
                known.trials.append(trial)
                known.states.append("running")
                known.values.append(None)
            if known.states[number] == "running":
                known.states[number] = frozen.user_attrs["state"]
                known.values[number] = frozen.value

    def _first_values(self, method: str) -> list[float]:
        return [frozen.intermediate_values[0] for frozen in self._journal.finished(method)]

    def _with_teachers(self, method: str, runs: list[PlannedRun]) -> list[PlannedRun]:
        """The runs that can be trained, or the teachers that they wait for."""
        teachers = {run.name: run for run in teachers_of(self.tuning, method)}
        return [
            run
            if run.after is None or self._outcome(run.after) is not None
            else teachers[run.after]
            for run in runs
        ]

    def _outcome(self, run: str) -> Outcome | None:
        if run not in self._outcomes:
            found = read_outcome(self.root, run, self.tuning.goal)
            if found is None:
                return None
            self._outcomes[run] = found
        return self._outcomes[run]

    def _frozen(self, trial: Trial, verdict: Verdict, found: dict[int, Outcome]) -> FrozenTrial:
        """A finished trial as Optuna has it; one that diverged has the worst value there is."""
        from optuna.trial import TrialState, create_trial

        searched = axes(self.tuning, trial.method)
        values = trial.setting.values(searched)
        return create_trial(
            state=TrialState.PRUNED if verdict.state == "pruned" else TrialState.COMPLETE,
            value=verdict.value,
            params={a.name: int(values[a.name]) if a.whole else values[a.name] for a in searched},
            distributions={axis.name: axis.distribution() for axis in searched},
            user_attrs={"state": verdict.state},
            intermediate_values={place: found[place].value for place in sorted(found)},
        )

    def _write(self) -> None:
        encode = msgspec.json.Encoder().encode_lines
        write_as_it_is(self.root / RECORDS_FILE, encode(self.records()))
        write_as_it_is(self.root / CHOSEN_FILE, files.to_json(chosen_of(self._best())))

    def records(self) -> list[TrialRecord]:
        """Return a line for each finished run of a trial."""
        lines = []
        for trial, state, _ in self.ended():
            for run in runs_of(self.tuning, self.root, trial):
                if outcome := self._outcome(run.name):
                    lines.append(record_of(trial, state, run.name, run.settings.seed, outcome))
        return lines

    def _best(self) -> dict[str, Trial]:
        best: dict[str, Trial] = {}
        goal = self.tuning.goal
        for method, known in self._methods.items():
            value: float | None = None
            for trial, state, own in zip(known.trials, known.states, known.values, strict=True):
                if state == "complete" and own is not None:
                    if value is None or goal.is_better(own, value):
                        best[method], value = trial, own
        return best
