"""Tune, compare and choose, within a budget of time; the same call goes on where it stopped."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from tfkd._checks import check_positive
from tfkd._counted import number_of
from tfkd.advice.budget import METHODS, SIZES, TAUGHT, USED, Costs, Fitting, Size, fitting
from tfkd.advice.command import command_of, write_settings, written_run
from tfkd.advice.rule import Choice, Purpose, choose, sentence, what_was_not_told
from tfkd.advice.session import Budget
from tfkd.runs import Circumstances, MethodSettings, Recipe, files
from tfkd.runs.chosen import Chosen
from tfkd.runs.several_labels import check_one_label
from tfkd.study.applicable import applicable
from tfkd.study.comparison import comparison
from tfkd.study.conclusions import conclude_claims
from tfkd.study.directory import SUFFIX
from tfkd.study.estimate import Measure, estimate, is_finished
from tfkd.study.execute import default_jobs
from tfkd.study.guessing import guessing_of
from tfkd.study.plan import Arm, Study
from tfkd.study.records import Record
from tfkd.study.run import check_looks_at_test, run_study
from tfkd.study.summary import summarise_study
from tfkd.tune.before import FOLDER as TUNE_FOLDER
from tfkd.tune.before import remarks_on, tune_before, tuning_of
from tfkd.tune.progress import TuningProgress
from tfkd.tune.records import PLAN_FILE
from tfkd.tune.run import check_search
from tfkd.tune.tuned import read_tuned

SETTINGS_FILE = "recommended.yaml"
RUN_FOLDER = "recommended"
"""Of the run that the command trains."""

STEPS = 4
"""In which trials are added, so that the time is looked at between them."""

FIRST_SEEDS = SIZES[-1].seeds
"""After which the time is looked at again."""


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
        everything, found = self._fitting()
        self._session = self._budget.plan(found, compared=self._has_begun(everything))
        size = self._session.size
        if size is None:
            self.remarks.append(self._nothing(self._session.least))
            return self._recommendation(Choice(None), None)
        self.remarks += self._session.left_out
        for text in self._session.left_out:
            self.progress.remark(text)
        if (self.root / TUNE_FOLDER / PLAN_FILE).is_file():
            # A search that was begun in another time keeps its seeds, else it would be another.
            size = replace(size, tune_seeds=read_tuned(self.root / TUNE_FOLDER).tuning.seeds)
        chosen = self._tune(size)
        return self._compare(size, chosen)

    def foresee(self) -> list[str]:
        """Measure what would be done, and return it in sentences; nothing is trained or written.

        Raises:
            FileNotFoundError: if the data set is not there.
            ValueError: for settings or data that do not fit.
        """
        everything, found = self._fitting()
        plan = self._budget.planned(found, compared=self._has_begun(everything))
        if plan.size is None:
            return [self._nothing(plan.least)]
        size, minutes = plan.size, _minutes(self._costs.seconds(plan.methods, plan.size))
        sentences = [
            f"{', '.join(plan.methods)}: tuned with {number_of(size.trials, 'trial')} of "
            f"{number_of(size.tune_seeds, 'seed')} each, then compared with "
            f"{number_of(size.seeds, 'seed')}: {minutes} of training here, where nothing of it is "
            "done yet. As the time goes on, less is done where it runs short.",
            *plan.left_out,
        ]
        if plan.spent > 0.0:
            sentences.append(f"Used in {self.root} before: {_minutes(plan.spent)}.")
        return sentences

    def _fitting(self) -> tuple[Study, Fitting]:
        """Check everything, and return one seed of the comparison and what fits into the time."""
        check_one_label(self.base.data, "to recommend a method")
        check_positive("minutes", self.minutes)
        check_looks_at_test(self.circumstances)
        self._budget = Budget(self.minutes, self.root, self.clock)
        everything = self._study(self._candidates(), (), seeds=1)
        tuning = tuning_of(everything, self.base, self.teacher, trials=1, seeds=1)
        self.progress.doing("reading the data")
        check_search(
            tuning, self.root / TUNE_FOLDER, self.circumstances, other_data=self.other_data
        )
        self._costs = self._measured(everything)
        return everything, fitting(self._costs, 60.0 * self.minutes)

    def _nothing(self, least: float) -> str:
        minutes = f"{self.minutes:g} minute{'' if self.minutes == 1 else 's'}"
        return (
            f"In {minutes} nothing can be told here, and nothing was trained; {_minutes(least)} "
            "would do for one method."
        )

    def _has_begun(self, comparison: Study) -> bool:
        """Whether runs of the comparison may lie in the directory."""
        return (self.root / f"{comparison.name}{SUFFIX}").is_file()

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

    def _tune(self, size: Size) -> tuple[Chosen, ...]:
        """Tune with as many trials as there is time for, all methods alike.

        Once the comparison has begun no trials are added, for its settings may not change.
        """
        methods = self._session.methods
        study = self._study(methods, (), seeds=1)
        chosen: tuple[Chosen, ...] = ()
        pace, done = 1.0, 0
        reserve = FIRST_SEEDS * self._costs.seed(methods)
        steps = _steps(size)
        if self._has_begun(study):
            steps = [read_tuned(self.root / TUNE_FOLDER).tuning.trials]
        for trials in steps:
            expected = self._costs.tuning(methods, trials - done, size.tune_seeds)
            if done and pace * (expected + reserve) > self._budget.left:
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
            self._budget.keep()
        if done < size.trials:
            tried = number_of(done, "trial")
            self._say(f"Each method was tuned with {tried}; {size.trials} were planned.")
        self._pace = pace
        return chosen

    def _compare(self, size: Size, chosen: tuple[Chosen, ...]) -> Recommendation:
        """Compare with as many seeds as there is time for, and choose."""
        methods = self._session.methods
        each, pace = self._costs.seed(methods), self._pace
        study = self._study(methods, chosen, seeds=size.seeds)
        study = replace(study, remarks=(*self._found, *study.remarks))
        done, ready = 0, _finished_seeds(study, self.root)
        records: list[Record] = []
        while done < size.seeds:
            fit = math.floor(self._budget.left / (pace * each))
            more = max(ready - done, min(fit, FIRST_SEEDS) if not done else math.floor(USED * fit))
            if more < 1:
                break
            seeds, before = min(done + more, size.seeds), self.clock()
            study = replace(study, seeds=seeds)
            records = run_study(
                study,
                self.root,
                progress=self.progress,
                jobs=self.jobs,
                circumstances=self.circumstances,
                other_data=self.other_data,
            )
            pace, done = _pace(self.clock() - before, (seeds - done) * each), seeds
            self._budget.keep()
        if done < size.seeds:
            seeds_done = number_of(done, "seed")
            self._say(f"The methods were compared with {seeds_done}; {size.seeds} were planned.")
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
            command_of(run, str(self.root / RUN_FOLDER)),
            file,
            (*what_was_not_told(choice, self.purpose), *self.remarks),
            choice,
        )


def _steps(size: Size) -> list[int]:
    """Numbers of trials, up to all of them."""
    step = math.ceil(size.trials / STEPS)
    return [*range(step, size.trials, step), size.trials]


def _finished_seeds(study: Study, root: Path) -> int:
    """Of how many seeds, from the first, all runs are finished."""
    left = [run.settings.seed for run in study.runs(root) if not is_finished(run, root)]
    return min(left, default=study.seeds)


def _pace(seconds: float, expected: float) -> float:
    """By what expected times are multiplied; what was finished before took none."""
    return min(max(seconds / expected, 0.5), 20.0) if expected > 0.0 else 1.0


def _minutes(seconds: float) -> str:
    count = max(math.ceil(seconds / 60.0), 1)
    return f"about {count} minute{'' if count == 1 else 's'}"
