"""A study's progress on the terminal: bars, or plain lines where there is no terminal."""

from __future__ import annotations

import math
import re
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from tfkd.data.reading import told_of_reading
from tfkd.report.number_text import number_of
from tfkd.report.terminal.clock import Clock
from tfkd.report.terminal.rows import WIDTH
from tfkd.report.terminal.run_progress import SECONDS_BETWEEN_LINES, place

if TYPE_CHECKING:
    from rich.console import Console

    from tfkd.runs import EpochRecord, Result
    from tfkd.study.estimate import Estimate
    from tfkd.study.plan import PlannedRun
    from tfkd.study.progress import Moment, StudyBeginning
    from tfkd.tune.plan import Tuning
    from tfkd.tune.progress import TuningBeginning, TuningProgress

NETWORK = re.compile(r"timm/[^/]+")
"""The beginning of an arm whose network has a slash in its name."""


class Behind:
    """How many epochs lie behind, of all runs together, and how long the others will take.

    A run may resume, go back, or be finished by another process: only what is trained while
    somebody looks says how long the rest takes.

    Args:
        epochs: of all runs that are left.
        cost: what they are thought to take; None: an epoch of each is taken for as long.
    """

    def __init__(self, epochs: int, cost: Estimate | None = None) -> None:
        self._seconds: Mapping[str, float] = {}
        expected = None
        if cost is not None and cost.epochs > 0 and 0.0 < cost.seconds < math.inf:
            self._seconds, expected = cost.by_run, cost.seconds
        self._epochs: dict[str, float] = {}
        total = sum(self._seconds.values()) if self._seconds else epochs
        self.clock = Clock(total, expected=expected)

    def reach(self, run: str, epochs: float, of: int) -> None:
        """Count the epochs of a run, of so many; only those since the last time were trained.

        Of a run that was not heard of before only the last one was, if it is whole.
        """
        before = self._epochs.get(run)
        trained = float(epochs == int(epochs)) if before is None else min(epochs - before, 1.0)
        trained = min(max(trained, 0.0), epochs)
        cost = self._seconds.get(run, float(of)) / of
        self.clock.skip((epochs - (before or 0.0) - trained) * cost)
        self.clock.add(trained * cost)
        self._epochs[run] = epochs

    def finish(self, run: str, epochs: int) -> None:
        """Count all epochs of a run, whoever trained them."""
        left = epochs - self._epochs.get(run, 0.0)
        self.clock.skip(left * self._seconds.get(run, float(epochs)) / epochs)
        self._epochs[run] = epochs

    @property
    def epochs(self) -> float:
        """Epochs that lie behind, of all runs together."""
        return sum(self._epochs.values())


class StudyLines:
    """One plain line for each finished run, and for those at work at most one a minute."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._cost: Estimate | None = None
        self._last = time.monotonic()
        self._searched: Tuning | None = None
        self._of: dict[str, int] = {}
        self._folds: int | None = None

    def doing(self, what: str) -> None:
        """Say nothing: a log has time."""

    def reading(self, doing: str, done: int, total: int) -> None:
        """Say, now and then, how many files have been read."""
        if self._is_time():
            self._print(f"{doing} {done:,} of {total:,} files")

    def found(self, beginning: StudyBeginning) -> None:
        """Print what was found, and what will be done."""
        from tfkd.report.terminal.planned import found_for_study

        self._of, self._folds = epochs_of(beginning), folds_of(beginning)
        self._tell(*found_for_study(beginning))

    def found_search(self, beginning: TuningBeginning) -> None:
        """Print what was found, and what will be searched."""
        from tfkd.report.terminal.tuning import found_for_search

        self._of = epochs_of_search(beginning)
        again = _goes_on(self._searched, beginning.tuning)
        self._searched = beginning.tuning
        self._tell(*found_for_search(beginning, again=again))

    def _tell(self, lines: list[str], cost: Estimate) -> None:
        self._cost = cost
        for line in lines:
            self._print(line)

    def without_result(self, runs: list[PlannedRun]) -> None:
        """Count no more with some runs."""
        self._runs -= len(runs)
        for run in runs:
            self._behind.finish(run.name, run.settings.recipe.epochs)

    def remark(self, text: str) -> None:
        """Print it, a line of more than 80 columns as several."""
        for line in _lines(text):
            self._print(line)

    def start(self, runs: int, epochs: int) -> None:
        """Say how much is left."""
        self._runs, self._total, self._done = runs, epochs, 0
        self._behind = Behind(epochs, self._cost)
        self._print(f"{number_of(runs, 'run')} to do, {number_of(epochs, 'epoch')} together")

    def at(self, name: str, moment: Moment) -> None:
        """Say where it is, now and then."""
        self._reach(name, moment)
        if self._is_time():
            self._print(
                f"{in_words(name, self._folds)}: {where(moment, self._of.get(name))}; {self._all}"
            )

    def epoch(self, name: str, record: EpochRecord) -> None:
        """Say how far it is, now and then."""
        self._behind.reach(name, record.epoch, self._of.get(name, record.epoch))
        if self._is_time():
            self._print(f"{in_words(name, self._folds)}: epoch {record.epoch}; {self._all}")

    def finished(self, run: PlannedRun, result: Result) -> None:
        """Say what came of a run."""
        self._done += 1
        self._behind.finish(run.name, run.settings.recipe.epochs)
        self._print(f"[{self._done}/{self._runs}] {describe(run, result)}")

    def _reach(self, name: str, moment: Moment) -> None:
        if moment.epoch and moment.batches and name in self._of:
            epochs = moment.epoch - 1 + moment.batch / moment.batches
            self._behind.clock.begin()
            self._behind.reach(name, epochs, self._of[name])

    @property
    def _all(self) -> str:
        return f"{self._behind.epochs:.0f} of {self._total} epochs, {self._behind.clock.text()}"

    def _is_time(self) -> bool:
        return time.monotonic() - self._last >= SECONDS_BETWEEN_LINES

    def _print(self, line: str) -> None:
        self._last = time.monotonic()
        self._console.print(line, highlight=False, soft_wrap=True, markup=False, emoji=False)


class StudyBar:
    """A bar over the epochs of all runs, and a line for each at work; finished ones scroll by."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._task = bar.add_task("starting", total=None, clock=Clock())
        self._cost: Estimate | None = None
        self._searched: Tuning | None = None
        self._of: dict[str, int] = {}
        self._folds: int | None = None
        self._started = False
        self._at_work: dict[str, Any] = {}

    def doing(self, what: str) -> None:
        """Show it."""
        self._bar.update(self._task, description=what, total=None)

    def reading(self, doing: str, done: int, total: int) -> None:
        """Show how many files have been read."""
        if not self._started:
            text = f"{doing} {done:,} of {total:,} files"
            self._bar.update(self._task, description=text, total=total, completed=done)

    def found(self, beginning: StudyBeginning) -> None:
        """Print what was found, and what will be done."""
        self.doing("measuring a step")
        from tfkd.report.terminal.planned import found_for_study

        self._of, self._folds = epochs_of(beginning), folds_of(beginning)
        self._tell(*found_for_study(beginning))

    def found_search(self, beginning: TuningBeginning) -> None:
        """Print what was found, and what will be searched."""
        self.doing("measuring a step")
        from tfkd.report.terminal.tuning import found_for_search

        self._of = epochs_of_search(beginning)
        again = _goes_on(self._searched, beginning.tuning)
        self._searched = beginning.tuning
        self._tell(*found_for_search(beginning, again=again))

    def _tell(self, lines: list[str], cost: Estimate) -> None:
        self._cost = cost
        for line in lines:
            self.remark(line)

    def without_result(self, runs: list[PlannedRun]) -> None:
        """Count no more with some runs."""
        self._runs -= len(runs)
        for run in runs:
            self._behind.finish(run.name, run.settings.recipe.epochs)
            if run.name in self._at_work:
                self._bar.remove_task(self._at_work.pop(run.name))
        self._bar.update(
            self._task,
            completed=self._behind.epochs,
            description=f"{self._done} of {self._runs} runs",
        )

    def remark(self, text: str) -> None:
        """Print it above the bars, a line of more than 80 columns as several."""
        for line in _lines(text):
            self._bar.console.print(
                line, highlight=False, markup=False, emoji=False, soft_wrap=True
            )

    def start(self, runs: int, epochs: int) -> None:
        """Begin."""
        self._runs, self._done, self._started = runs, 0, True
        self._behind = Behind(epochs, self._cost)
        text, clock = f"0 of {runs} runs", self._behind.clock
        self._bar.update(self._task, description=text, total=epochs, completed=0, clock=clock)

    def at(self, name: str, moment: Moment) -> None:
        """Show where it is."""
        if moment.epoch and moment.batches and name in self._of:
            epochs = moment.epoch - 1 + moment.batch / moment.batches
            self._behind.clock.begin()
            self._behind.reach(name, epochs, self._of[name])
            self._bar.update(self._task, completed=self._behind.epochs)
        self._show(name, where(moment, self._of.get(name)))

    def epoch(self, name: str, record: EpochRecord) -> None:
        """Advance."""
        self._behind.reach(name, record.epoch, self._of.get(name, record.epoch))
        self._bar.update(self._task, completed=self._behind.epochs)

    def finished(self, run: PlannedRun, result: Result) -> None:
        """Say what came of a run."""
        self._done += 1
        self._behind.finish(run.name, run.settings.recipe.epochs)
        self._bar.update(
            self._task,
            completed=self._behind.epochs,
            description=f"{self._done} of {self._runs} runs",
        )
        if run.name in self._at_work:
            self._bar.remove_task(self._at_work.pop(run.name))
        self.remark(describe(run, result))

    def _show(self, name: str, text: str) -> None:
        line = f"{in_words(name, self._folds)}: {text}"
        if name in self._at_work:
            self._bar.update(self._at_work[name], description=line)
        else:
            self._at_work[name] = self._bar.add_task(line, total=None, clock=None)


def _goes_on(before: Tuning | None, tuning: Tuning) -> bool:
    """Whether a search is the one that was told before, with more trials."""
    return before is not None and replace(before, trials=tuning.trials) == tuning


def _lines(text: str) -> list[str]:
    """A remark in lines of at most 80 columns; names and paths are not broken."""
    if len(text) <= WIDTH:
        return [text]
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)


@contextmanager
def show_study_progress(console: Console | None = None) -> Iterator[TuningProgress]:
    """Report on a console: bars where it is a terminal, plain lines where it is not.

    Args:
        console: where to. Default: standard error.
    """
    from rich.console import Console

    if console is None:
        console = Console(stderr=True)
    if not (console.is_terminal if console.file is not sys.stderr else sys.stderr.isatty()):
        lines = StudyLines(console)
        with told_of_reading(lines.reading):
            yield lines
        return
    from tfkd.report.terminal.bars import make_bar

    with make_bar(console) as rich_bar:
        bar = StudyBar(rich_bar)
        with told_of_reading(bar.reading):
            yield bar


def epochs_of(beginning: StudyBeginning) -> dict[str, int]:
    """Return how many epochs each run of a study has."""
    study = beginning.study
    return {run.name: run.settings.recipe.epochs for run in study.runs(beginning.root)}


def epochs_of_search(beginning: TuningBeginning) -> dict[str, int]:
    """Return how many epochs each run has that a search may still need."""
    return dict.fromkeys(beginning.left, beginning.tuning.recipe.epochs)


def folds_of(beginning: StudyBeginning) -> int | None:
    """Return in how many folds the images of a study are divided; None if they are not."""
    return beginning.study.arms[0].recipe.data.folds


def in_words(name: str, folds: int | None = None) -> str:
    """Return what people call a run; a network's own name may have a slash.

    Args:
        name: of its directory, as `student/method/seed-0`.
        folds: of a cross-validation, of which each seed tests one.

    Example:
        >>> in_words("small_cnn/tf_kd_reg/seed-0"), in_words("timm/resnet18/tf_kd_reg/seed-0")
        ('small_cnn tf_kd_reg seed 0', 'timm/resnet18 tf_kd_reg seed 0')
        >>> in_words("small_cnn/tf_kd_reg/seed-3", 5), in_words("small_cnn/tf_kd_reg/seed-6", 5)
        ('small_cnn tf_kd_reg fold 3', 'small_cnn tf_kd_reg fold 1 again, seed 6')
    """
    arm, _, seed = name.rpartition("/seed-")
    return _named(arm, int(seed), folds) if arm and seed.isdecimal() else _arm(name)


def _named(arm: str, seed: int, folds: int | None) -> str:
    if folds is None:
        return f"{_arm(arm)} seed {seed}"
    again = f" again, seed {seed}" if seed >= folds else ""
    return f"{_arm(arm)} fold {seed % folds}{again}"


def _arm(name: str) -> str:
    """An arm, its parts apart but for those of a network's name."""
    network = NETWORK.match(name)
    kept = network[0] if network else ""
    return f"{kept}{name[len(kept) :].replace('/', ' ')}"


def where(moment: Moment, epochs: int | None) -> str:
    """Return where a run is, in a few words."""
    if moment.doing:
        return moment.doing
    of = moment.epoch if epochs is None else epochs
    return place(moment.epoch - 1, of, moment.batch, moment.batches, moment.loss)


def describe(run: PlannedRun, result: Result) -> str:
    """Return one short line about a finished run."""
    name = _named(run.arm, run.settings.seed, run.settings.recipe.data.folds)
    how_good = ""
    if result.test is not None:
        how_good = f"{100 * result.test.accuracy:.2f} % "
    elif result.validation is not None:
        how_good = f"validation {100 * result.validation.accuracy:.2f} % "
    return f"{name}: {how_good}in {result.seconds:.0f} s"
