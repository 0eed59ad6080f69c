"""A study's progress on the terminal: a bar, or plain lines where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tfkd.runs import EpochRecord, Result
from tfkd.study.execute import StudyProgress
from tfkd.study.plan import PlannedRun

if TYPE_CHECKING:
    from rich.console import Console


class _Epochs:
    """How many epochs lie behind; a run may resume, go back, or be finished by another process."""

    def __init__(self) -> None:
        self._behind: dict[str, int] = {}
        self.trained = 0

    def reach(self, name: str, epoch: int) -> None:
        """Count a run's epochs up to this one; only this one was trained just now."""
        self._behind[name] = epoch
        self.trained += 1

    def finish(self, name: str, epochs: int) -> None:
        """Count all epochs of a run."""
        self._behind[name] = epochs

    @property
    def behind(self) -> int:
        """Epochs that lie behind, of all runs together."""
        return sum(self._behind.values())


class StudyLines:
    """One plain line for each finished run, and for one at work at most one a minute."""

    seconds_between_lines = 60.0

    def __init__(self, console: Console) -> None:
        self._console = console

    def start(self, runs: int, epochs: int) -> None:
        """Say how much is left."""
        self._runs, self._total, self._done, self._epochs = runs, epochs, 0, _Epochs()
        self._started = self._last = time.monotonic()
        self._print(f"{runs} runs to do, {epochs} epochs together")

    def epoch(self, name: str, record: EpochRecord) -> None:
        """Say how far it is, now and then."""
        self._epochs.reach(name, record.epoch)
        now = time.monotonic()
        if now - self._last >= self.seconds_between_lines:
            self._last = now
            behind, each = self._epochs.behind, (now - self._started) / self._epochs.trained
            minutes = each * (self._total - behind) / 60
            self._print(
                f"epoch {behind} of {self._total} together, about {minutes:.0f} "
                f"minutes left; {name} is at epoch {record.epoch}"
            )

    def finished(self, run: PlannedRun, result: Result) -> None:
        """Say what came of a run."""
        self._done += 1
        self._epochs.finish(run.name, run.settings.recipe.epochs)
        self._last = time.monotonic()
        self._print(f"[{self._done}/{self._runs}] {describe(run, result)}")

    def _print(self, line: str) -> None:
        self._console.print(line, highlight=False, soft_wrap=True, markup=False)


class StudyBar:
    """A bar over the epochs of all runs; finished runs scroll by above it."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def start(self, runs: int, epochs: int) -> None:
        """Begin."""
        self._task = self._bar.add_task(f"0 of {runs} runs", total=epochs)
        self._runs, self._done, self._epochs = runs, 0, _Epochs()

    def epoch(self, name: str, record: EpochRecord) -> None:
        """Advance."""
        self._epochs.reach(name, record.epoch)
        self._bar.update(self._task, completed=self._epochs.behind)

    def finished(self, run: PlannedRun, result: Result) -> None:
        """Say what came of a run."""
        self._done += 1
        self._epochs.finish(run.name, run.settings.recipe.epochs)
        self._bar.update(
            self._task,
            completed=self._epochs.behind,
            description=f"{self._done} of {self._runs} runs",
        )
        self._bar.console.print(describe(run, result), highlight=False, markup=False)


@contextmanager
def show_study_progress(console: Console | None = None) -> Iterator[StudyProgress]:
    """Report on a console: a bar where it is a terminal, plain lines where it is not.

    Args:
        console: where to. Default: standard error.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    if console is None:
        console = Console(stderr=True)
    if not console.is_terminal:
        yield StudyLines(console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        yield StudyBar(bar)


def describe(run: PlannedRun, result: Result) -> str:
    """Return one short line about a finished run."""
    return (
        f"{run.arm.replace('/', ' ')} seed {run.settings.seed}: "
        f"{100 * result.test.accuracy:.2f} % in {result.seconds:.0f} s"
    )
