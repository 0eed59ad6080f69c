"""How far a search is, and how it goes on: one step at a time, under the directory's lock."""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tfkd.runs import Result, files
from tfkd.study.plan import PlannedRun
from tfkd.tune.journal import Journal
from tfkd.tune.outcome import Outcome, State, Verdict, judge, read_outcome
from tfkd.tune.plan import Entry, Tuning
from tfkd.tune.records import CHOSEN_FILE, RECORDS_FILE, TrialRecord, record_of, write_if_new
from tfkd.tune.runs_of_trial import Trial, read_trial, runs_of, teachers_of, write_trial
from tfkd.tune.sampler import Proposer
from tfkd.tune.space import axes, searched_values
from tfkd.tune.tuned import Tried, Tuned, TunedEntry, tried_of

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


@dataclass
class _Begun:
    """A trial that was begun, and what is known of it."""

    trial: Trial
    runs: list[PlannedRun]
    state: State = "running"
    finished: int = 0
    records: list[TrialRecord] = field(default_factory=list)
    tried: Tried | None = None


@dataclass
class _Known:
    """What is known of an entry, so that a step looks at what is new alone.

    Attributes:
        proposer: of its settings.
        begun: its trials, in their order.
        ended: how many of them are in the journal, and were looked at.
        lost: numbers of those whose runs are missing.
        firsts: values of their first seeds, sorted.
    """

    proposer: Proposer
    begun: list[_Begun] = field(default_factory=list)
    ended: int = 0
    lost: list[int] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)


@dataclass
class Step:
    """What a step has found.

    Attributes:
        wanted: the runs that are to be trained now, teachers instead of those that wait for them;
            none where the search is finished.
        finished: runs that have been finished since the step before, by whomever, with results.
        ended: trials that have ended since, each with its state.
    """

    wanted: list[PlannedRun] = field(default_factory=list)
    finished: list[tuple[PlannedRun, Result]] = field(default_factory=list)
    ended: list[tuple[Trial, State]] = field(default_factory=list)


class Search:
    """The search of a directory.

    All that is known of it lies on the disk: the setting of each trial that was begun in its
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
        self._known = {own.name: _Known(Proposer(tuning, own)) for own in tuning.entries}
        self._changed: list[_Begun] = []  # since the records were last made
        self._is_written = False

    def step(self) -> Step:
        """Begin and end the trials that can be, and write the records."""
        found = Step()
        wanted: list[tuple[int, PlannedRun]] = []
        with self._journal.held():
            for entry in self.tuning.entries:
                runs = self._advance(entry, found)
                wanted += [(len(self._known[entry.name].begun), run) for run in runs]
            if self._changed or not self._is_written:
                self._write()
        # What has the fewest trials comes first, so that budgets are equal on the way too.
        in_order = [run for _, run in sorted(wanted, key=lambda pair: pair[0])]
        found.wanted = list({run.name: run for run in in_order}.values())
        return found

    def _write(self) -> None:
        """Write the records, and what is best so far."""
        lines = msgspec.json.Encoder().encode_lines(self.records())
        write_if_new(self.root / RECORDS_FILE, lines)
        write_if_new(self.root / CHOSEN_FILE, files.to_json(list(self.tuned().chosen)))
        self._is_written = True

    def records(self) -> list[TrialRecord]:
        """Return a line for each finished run of a trial."""
        self._take_in()
        trials = (begun for known in self._known.values() for begun in known.begun)
        return [record for begun in trials for record in begun.records]

    def _take_in(self) -> None:
        """Make the records anew of the trials that have changed."""
        for begun in self._changed:
            begun.records = [
                record_of(begun.trial, begun.state, run.settings.seed, self._outcomes[run.name])
                for run in begun.runs
                if run.name in self._outcomes
            ]
            begun.tried = tried_of(begun.records) if begun.records else None
        self._changed = []

    def without_result(self, trial: Trial) -> list[PlannedRun]:
        """Return the runs of an ended trial that were not trained, or diverged."""
        begun = self._known[trial.entry].begun[trial.number]
        return [
            run
            for run in begun.runs
            if (outcome := self._outcomes.get(run.name)) is None or outcome.diverged
        ]

    def tuned(self) -> Tuned:
        """Return what was found so far."""
        self._take_in()
        entries = []
        for entry in self.tuning.entries:
            tried = (begun.tried for begun in self._known[entry.name].begun)
            known = tuple(own for own in tried if own is not None)
            entries.append(TunedEntry(entry, self.tuning.goal, known))
        return Tuned(self.tuning, tuple(entries))

    def _advance(self, entry: Entry, found: Step) -> list[PlannedRun]:
        """End trials of an entry whose runs are finished; return what the open one wants."""
        finished = list(self._journal.finished(entry.name))
        while True:
            lost = self._follow(entry, finished, found)
            number = len(finished)
            if number >= self.tuning.trials:
                return self._with_teachers(entry, lost, found)
            begun = self._open(entry, number, finished)
            outcomes = self._outcomes_of(begun, found)
            verdict = judge(
                outcomes,
                len(begun.runs),
                self._known[entry.name].firsts,
                self.tuning.goal,
                prune=self.tuning.prune,
            )
            if verdict.state == "running":
                wanted = [*lost, *(begun.runs[n] for n in verdict.wanted)]
                return self._with_teachers(entry, wanted, found)
            finished.append(self._frozen(entry, begun.trial, verdict, outcomes))
            self._journal.add(entry.name, finished[-1])

    def _follow(
        self, entry: Entry, finished: Sequence[FrozenTrial], found: Step
    ) -> list[PlannedRun]:
        """Know what became of the finished trials, by whomever; return runs that are lost again.

        A run may have been deleted since: it is trained anew, and its trial ended when it is.
        """
        known = self._known[entry.name]
        lost: list[PlannedRun] = []
        numbers = [*known.lost, *range(known.ended, len(finished))]
        known.lost = []
        for number in numbers:
            frozen, begun = finished[number], self._open(entry, number, None)
            outcomes = self._outcomes_of(begun, found)
            if number == known.ended:
                known.ended = number + 1
                insort(known.firsts, frozen.intermediate_values[0])
            missing = [n for n in frozen.intermediate_values if n not in outcomes]
            lost += [begun.runs[n] for n in missing]
            if missing:
                known.lost.append(number)
            else:
                begun.state = frozen.user_attrs["state"]
                self._changed.append(begun)
                found.ended.append((begun.trial, begun.state))
        return lost

    def _open(self, entry: Entry, number: int, finished: Sequence[FrozenTrial] | None) -> _Begun:
        """The trial of a number, begun if it is new; that of an ended one is there."""
        known = self._known[entry.name]
        if number == len(known.begun):
            trial = read_trial(self.root, entry.name, number)
            if trial is None and finished is None:
                raise ValueError(
                    f"Expected trial {number} of {entry.name} in {self.root}, which the journal "
                    "has, found none. Put it back, or take another directory."
                )
            if trial is None:
                trial = Trial(entry.name, number, known.proposer.next(finished or ()))
                write_trial(self.root, trial)
            known.begun.append(_Begun(trial, runs_of(self.tuning, self.root, entry, trial)))
        return known.begun[number]

    def _outcomes_of(self, begun: _Begun, found: Step) -> dict[int, Outcome]:
        """What came of the finished runs of a trial, by place of the seed."""
        every = {n: self._outcome(run, found) for n, run in enumerate(begun.runs)}
        outcomes = {n: outcome for n, outcome in every.items() if outcome is not None}
        if len(outcomes) > begun.finished:
            begun.finished = len(outcomes)
            self._changed.append(begun)
        return outcomes

    def _outcome(self, run: PlannedRun, found: Step) -> Outcome | None:
        if run.name not in self._outcomes:
            outcome = read_outcome(self.root, run, self.tuning.goal)
            if outcome is None:
                return None
            self._outcomes[run.name] = outcome
            if outcome.result is not None:
                found.finished.append((run, outcome.result))
        return self._outcomes[run.name]

    def _with_teachers(self, entry: Entry, runs: list[PlannedRun], found: Step) -> list[PlannedRun]:
        """The runs that can be trained, or the teachers that they wait for."""
        teachers = {run.name: run for run in teachers_of(self.tuning, entry)}
        return [
            run
            if run.after is None or self._outcome(teachers[run.after], found) is not None
            else teachers[run.after]
            for run in runs
        ]

    def _frozen(
        self, entry: Entry, trial: Trial, verdict: Verdict, outcomes: Mapping[int, Outcome]
    ) -> FrozenTrial:
        """A finished trial as Optuna has it; one that diverged has the worst value there is."""
        from optuna.trial import TrialState, create_trial

        searched = axes(self.tuning, entry)
        return create_trial(
            state=TrialState.PRUNED if verdict.state == "pruned" else TrialState.COMPLETE,
            value=verdict.value,
            params=searched_values(trial.setting, searched),
            distributions={axis.name: axis.distribution() for axis in searched},
            user_attrs={"state": verdict.state},
            intermediate_values={n: outcomes[n].value for n in sorted(outcomes)},
        )
