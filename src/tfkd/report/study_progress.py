"""A study's progress on the terminal: a bar, or plain lines where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tfkd.study.execute import StudyProgress
from tfkd.study.plan import PlannedRun

if TYPE_CHECKING:
    from rich.console import Console


class StudyLines:
    """One plain line for each finished run, and for one at work at most one a minute."""

    seconds_between_lines = 60.0

    def __init__(self, console: Console) -> None:
        self._console = console

    def start(self, runs: int, epochs: int) -> None:
        """Say how much is left."""
        self._runs, self._epochs, self._done, self._epochs_done = runs, epochs, 0, 0
        self._started = self._last = time.monotonic()
        self._print(f"{runs} runs to do, {epochs} epochs together")

    def epoch(self, name: str, record: dict[str, Any]) -> None:
        """Say how far it is, now and then."""
        self._epochs_done += 1
        now = time.monotonic()
        if now - self._last >= self.seconds_between_lines:
            self._last = now
            left = (now - self._started) * (self._epochs - self._epochs_done) / self._epochs_done
            self._print(
                f"epoch {self._epochs_done} of {self._epochs} together, about {left / 60:.0f} "
                f"minutes left; {name} is at epoch {record['epoch']}"
            )

    def finished(self, run: PlannedRun, result: dict[str, Any]) -> None:
        """Say what came of a run."""
        self._done += 1
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
        self._runs, self._done = runs, 0

    def epoch(self, name: str, record: dict[str, Any]) -> None:
        """Advance."""
        self._bar.advance(self._task)

    def finished(self, run: PlannedRun, result: dict[str, Any]) -> None:
        """Say what came of a run."""
        self._done += 1
        self._bar.update(self._task, description=f"{self._done} of {self._runs} runs")
        self._bar.console.print(describe(run, result), highlight=False, markup=False)


@contextmanager
def show_study_progress() -> Iterator[StudyProgress]:
    """Report on standard error."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

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


def describe(run: PlannedRun, result: dict[str, Any]) -> str:
    """Return one short line about a finished run."""
    return (
        f"{run.settings.student} {run.method} seed {run.settings.seed}: "
        f"{100 * result['test']['accuracy']:.2f} % in {result['seconds']:.0f} s"
    )
