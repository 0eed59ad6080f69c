"""A run's progress on the terminal: a bar, or plain lines where there is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tfkd.runs import EpochRecord
from tfkd.train.progress import Progress


class Lines:
    """One plain line an epoch, for where there is no terminal."""

    def remark(self, text: str) -> None:
        """Print the sentence."""
        print(text, file=sys.stderr, flush=True)

    def teacher(self, done: int, total: int) -> None:
        """Say when the teacher begins, and when it has been asked."""
        if done in (0, total):
            line = f"outputs of the teacher: {done} of {total} stored"
            print(line, file=sys.stderr, flush=True)

    def start(self, epochs: int, steps: int, done: int) -> None:
        """Begin."""
        self._epochs = epochs
        if done:
            print(f"resuming after epoch {done} of {epochs}", file=sys.stderr, flush=True)

    def step(self) -> None:
        """One more batch."""

    def epoch(self, record: EpochRecord) -> None:
        """Print the epoch."""
        line = f"epoch {record.epoch}/{self._epochs}  {epoch_line(record)}"
        print(line, file=sys.stderr, flush=True)


class Bar:
    """A bar of the terminal, with the metrics of the last epoch behind it."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._teaching: Any = None

    def remark(self, text: str) -> None:
        """Print the sentence above the bar."""
        self._bar.console.print(text, markup=False, highlight=False)

    def teacher(self, done: int, total: int) -> None:
        """Advance a bar of its own."""
        if self._teaching is None:
            self._teaching = self._bar.add_task("outputs of the teacher", total=total)
        self._bar.update(self._teaching, completed=done)

    def start(self, epochs: int, steps: int, done: int) -> None:
        """Begin."""
        self._steps = steps
        self._task = self._bar.add_task("training", total=epochs * steps, completed=done * steps)

    def step(self) -> None:
        """Advance."""
        self._bar.advance(self._task)

    def epoch(self, record: EpochRecord) -> None:
        """Show the metrics."""
        self._bar.update(
            self._task,
            completed=record.epoch * self._steps,  # though the epoch was begun by another
            description=f"epoch {record.epoch}  {epoch_line(record)}",
        )


@contextmanager
def show_progress() -> Iterator[Progress]:
    """Report on standard error: a bar where it is a terminal, plain lines where it is not."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with RichProgress(*columns, console=console) as bar:
        yield Bar(bar)


def epoch_line(record: EpochRecord) -> str:
    """Return the metrics of an epoch in one short line."""
    parts = [f"loss {record.train_loss:.4f}", f"train {100 * record.train_accuracy:.1f} %"]
    if record.validation_accuracy is not None:
        parts.append(f"validation {100 * record.validation_accuracy:.1f} %")
    return "  ".join(parts)
