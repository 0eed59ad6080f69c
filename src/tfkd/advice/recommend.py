"""Tune, compare and choose, within a budget of time; the same call goes on where it stopped."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from tfkd._checks import check_positive
from tfkd.advice.budget import METHODS, SIZES, TAUGHT, Costs, Fitting, Size, fitting
from tfkd.advice.command import command_of, write_settings, written_run
from tfkd.advice.rule import Choice, Purpose, choose, sentence, what_was_not_told
from tfkd.runs import Circumstances, MethodSettings, Recipe, files
from tfkd.runs.chosen import Chosen
from tfkd.study.applicable import applicable
from tfkd.study.comparison import comparison
from tfkd.study.conclusions import conclude_claims
from tfkd.study.estimate import Measure, estimate
from tfkd.study.execute import default_jobs
from tfkd.study.guessing import guessing_of
from tfkd.study.plan import Arm, Study
from tfkd.study.run import run_study
from tfkd.study.summary import summarise_study
from tfkd.tune.before import remarks_on, tune_before, tuning_of
from tfkd.tune.progress import TuningProgress
from tfkd.tune.run import check_search

SESSION_FILE = "recommend.json"
SETTINGS_FILE = "recommended.yaml"
FOLDER = "recommended"
"""Of the run that the command trains."""

STEPS = 4
"""In which trials are added, so that the time is looked at between them."""

FIRST_SEEDS, MORE_SEEDS = SIZES[-1].seeds, 2


class Session(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was planned for a budget, and how much of it is used.

    Attributes:
        minutes: the budget.
        methods: that are compared, cross-entropy first.
        size: of tuning and comparison; None where nothing can be told.
        left_out: sentences on what did not fit.
        least: seconds in which something could be told.
        spent: seconds that were used.
    """

    minutes: float
    methods: tuple[str, ...]
    size: Size | None
    left_out: tuple[str, ...]
    least: float
    spent: float = 0.0


@dataclass(frozen=True)
class Recommendation:
    """What to do on some data, and why.

    Attributes:
        sentence: which method, in one sentence.
        command: that trains it.
        file: of its settings.
        remarks: sentences on what could not be told, or was left out.
        choice: as the rule made it.
    """

    sentence: str
    command: str
    file: Path
    remarks: tuple[str, ...]
    choice: Choice


@dataclass
class Task:
    """What is asked for, and where it is found out.

    Attributes:
        base: data, student and recipe of every run.
        teacher: name of the larger network.
        name: what people call the data.
        minutes: the budget.
        purpose: what the method shall be good for.
        root: directory of all that is computed.
        circumstances: in which every run is made.
        progress: told of every run.
        jobs: runs side by side; None: as many as there is room for.
        other_data: go on though data are not those that runs were begun with.
        measure: how long a network takes; None: it is measured.
        clock: seconds that pass.
    """

    base: Recipe
    teacher: str
    name: str
    minutes: float
    purpose: Purpose
    root: Path
    circumstances: Circumstances
    progress: TuningProgress
    jobs: int | None = None
    other_data: bool = False
    measure: Measure | None = None
    clock: Callable[[], float] = time.monotonic
    remarks: list[str] = field(default_factory=list)

    def recommend(self) -> Recommendation:
        """Find out what to recommend, or go on with that.

        Raises:
            FileNotFoundError: if the data set is not there.
            ValueError: for settings or data that do not fit; before any long work.
        """
        self._began = self.clock()
        check_positive("minutes", self.minutes)
        methods = self._candidates()
        everything = self._study(methods, (), seeds=1)
        tuning = tuning_of(everything, self.base, self.teacher, trials=1, seeds=1)
        self.progress.doing("reading the data")
        check_search(tuning, self.root / "tune", self.circumstances, other_data=self.other_data)
        self._costs = self._measured(everything)
        self._session = self._planned()
        self.remarks += self._session.left_out
        for text in self._session.left_out:
            self.progress.remark(text)
        size = self._session.size
        if size is None:
            self.remarks.append(
                f"In {self.minutes:g} minutes no method can be told from another here; "
                f"{_minutes(self._session.least)} would do for one."
            )
            return self._recommendation(Choice(None), None)
        chosen = self._tune(size)
        return self._compare(size, chosen)

    def _candidates(self) -> tuple[str, ...]:
        found, _ = applicable(self.base, teacher=self.teacher)
        return tuple(name for name in METHODS if name in found)

    def _study(self, methods: tuple[str, ...], chosen: tuple[Chosen, ...], *, seeds: int) -> Study:
        return comparison(
            self.base,
            teacher=self.teacher,
            methods=[name for name in methods if name != "cross_entropy"],
            seeds=seeds,
            chosen=chosen,
        )

    def _measured(self, study: Study) -> Costs:
        """What a run of each method takes; a teacher that costs no more is no larger network."""
        self.progress.doing("measuring a step")
        jobs = default_jobs() if self.jobs is None else self.jobs
        found = estimate(
            study,
            self.root / "nowhere",  # nothing counts as finished
            jobs=jobs,
            data_root=self.circumstances.places,
            workers=self.circumstances.workers,
            measure=self.measure,
        ).by_run
        by_arm = {name.rpartition("/")[0]: seconds / jobs for name, seconds in found.items()}
        plain = {arm.recipe.student: arm for arm in study.arms if arm.baseline is None}
        trained = {
            arm.method.name: by_arm[arm.name]
            for arm in study.arms
            if arm.recipe.student == self.base.student
        }
        larger = plain.get(self.teacher)
        teacher = None if larger is None else by_arm[larger.name]
        if teacher is not None and teacher <= trained["cross_entropy"]:
            trained.pop(TAUGHT, None)
        return Costs(trained, teacher)

    def _planned(self) -> Session:
        """The plan of the directory, or for another budget a new one."""
        file = self.root / SESSION_FILE
        found: Fitting = fitting(self._costs, 60.0 * self.minutes)
        session = Session(
            minutes=self.minutes,
            methods=found.methods,
            size=found.size,
            left_out=found.left_out,
            least=found.least,
        )
        if file.is_file():
            before = files.read_json(file, Session)
            if before.minutes == self.minutes:
                return before
            session = replace(session, spent=before.spent)
        files.make_folder(self.root)
        files.write_json(file, session)
        return session

    @property
    def _spent(self) -> float:
        return self._session.spent + self.clock() - self._began

    def _left(self) -> float:
        return 60.0 * self.minutes - self._spent

    def _keep_time(self) -> None:
        files.write_json(self.root / SESSION_FILE, replace(self._session, spent=self._spent))

    def _tune(self, size: Size) -> tuple[Chosen, ...]:
        """Tune with as many trials as there is time for, all methods alike."""
        methods = self._session.methods
        study = self._study(methods, (), seeds=1)
        chosen: tuple[Chosen, ...] = ()
        pace, done = 1.0, 0
        reserve = FIRST_SEEDS * self._costs.seed(methods)
        for trials in _steps(size.trials):
            expected = self._costs.tuning(methods, trials - done, size.tune_seeds)
            if done and pace * (expected + reserve) > self._left():
                self._say(f"{done} of {size.trials} trials of each method, for want of time.")
                break
            before = self.clock()
            tuning = tuning_of(study, self.base, self.teacher, trials=trials, seeds=size.tune_seeds)
            chosen = tune_before(
                tuning,
                self.root,
                progress=self.progress,
                jobs=self.jobs,
                circumstances=self.circumstances,
                other_data=self.other_data,
            )
            self._found = remarks_on(tuning, chosen)
            pace, done = _pace(self.clock() - before, expected), trials
            self._keep_time()
        self._expected_pace = pace
        return chosen

    def _compare(self, size: Size, chosen: tuple[Chosen, ...]) -> Recommendation:
        """Compare with as many seeds as there is time for, and choose."""
        each = self._costs.seed(self._session.methods)
        pace, done = self._expected_pace, 0
        while done < size.seeds:
            seeds = min(done + (MORE_SEEDS if done else FIRST_SEEDS), size.seeds)
            fit = done + math.floor(self._left() / (pace * each))
            if fit < min(seeds, done + 1):
                break
            seeds, before = min(seeds, fit), self.clock()
            study = self._study(self._session.methods, chosen, seeds=seeds)
            study = replace(study, remarks=(*self._found, *study.remarks))
            records = run_study(
                study,
                self.root,
                progress=self.progress,
                jobs=self.jobs,
                circumstances=self.circumstances,
                other_data=self.other_data,
            )
            pace, done = _pace(self.clock() - before, (seeds - done) * each), seeds
            self._keep_time()
        if done < size.seeds:
            self._say(f"{done} of {size.seeds} seeds of the comparison, for want of time.")
        if done == 0:
            return self._recommendation(Choice(None), self._plain(chosen))
        rows = summarise_study(study, records, guessing_of(records, self.root))
        choice = choose(conclude_claims(study, rows), self.purpose)
        arm = self._plain(chosen) if choice.claim is None else choice.claim.row.arm
        return self._recommendation(choice, arm)

    def _plain(self, chosen: tuple[Chosen, ...]) -> Arm:
        return self._study(("cross_entropy",), chosen, seeds=1).arms[0]

    def _say(self, text: str) -> None:
        self.remarks.append(text)
        self.progress.remark(text)

    def _recommendation(self, choice: Choice, arm: Arm | None) -> Recommendation:
        recipe, method = self.base, MethodSettings()
        if arm is not None:
            recipe, method = arm.recipe, arm.method
        teacher = self.teacher if method.has_teacher else None
        run = written_run(recipe, method, self.circumstances, teacher)
        files.make_folder(self.root)
        write_settings(run, file := self.root / SETTINGS_FILE)
        return Recommendation(
            sentence(choice, self.purpose, self.name),
            command_of(run, str(self.root / FOLDER)),
            file,
            (*what_was_not_told(choice, self.purpose), *self.remarks),
            choice,
        )


def _steps(count: int) -> Iterator[int]:
    """Numbers of trials, up to all of them."""
    step = max(1, math.ceil(count / STEPS))
    yield from (*range(step, count, step), count)


def _pace(seconds: float, expected: float) -> float:
    """By what expected times are multiplied; what was finished before took none."""
    return min(max(seconds / expected, 0.5), 20.0) if expected > 0.0 else 1.0


def _minutes(seconds: float) -> str:
    return f"about {max(math.ceil(seconds / 60.0), 1)} minutes"
