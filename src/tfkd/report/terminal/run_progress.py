"""A run's progress on the terminal: a bar, or plain lines where there is no terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tfkd.data.reading import told_of_reading
from tfkd.report.terminal.clock import Clock

if TYPE_CHECKING:
    from rich.console import Console

    from tfkd.runs import EpochRecord
    from tfkd.train.progress import Beginning, Progress

SECONDS_BETWEEN_LINES = 60.0
"""Of an epoch that takes long, so often a line."""

SECONDS_BETWEEN_LOOKS = 0.1
"""A bar is not moved more often."""


COMPILING = "compiling the step, once for each size of batch: half a minute or more"


class _Compiling:
    """How long the batches took that were compiled for."""

    def __init__(self) -> None:
        self.is_told = False
        self._since: float | None = None

    def begin(self) -> None:
        """Such a batch begins."""
        self.is_told, self._since = True, time.monotonic()

    def end(self, clock: Clock) -> int:
        """Leave a batch that ends out of what a clock goes by, if it is one; return how many."""
        if self._since is None:
            return 0
        clock.leave_out(time.monotonic() - self._since)
        clock.skip(1)
        self._since = None
        return 1


class Lines:
    """Plain lines, for where there is no terminal: one an epoch, of long epochs one a minute."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def doing(self, what: str) -> None:
        """Say nothing: a log has time."""

    def reading(self, doing: str, done: int, total: int) -> None:
        """Say, now and then, how many files have been read."""
        if self._is_time():
            self._print(f"{doing} {done:,} of {total:,} files")

    def found(self, beginning: Beginning) -> None:
        """Print what was found."""
        from tfkd.report.terminal.found import found_for_run

        for line in found_for_run(beginning):
            self._print(line)

    def remark(self, text: str) -> None:
        """Print it."""
        self._print(text)

    def teacher(self, done: int, total: int) -> None:
        """Say when the teacher begins, now and then, and when it has been asked."""
        if done in (0, total) or self._is_time():
            self._print(f"outputs of the teacher: {done:,} of {total:,} stored")

    def start(self, epochs: int, steps: int, done: int) -> None:
        """Begin."""
        self._epochs, self._steps, self._epoch = epochs, steps, done
        self._clock, self._at = Clock(epochs * steps, done * steps), done * steps
        self._compiling = _Compiling()
        self._begun = False
        if done:
            self._print(f"resuming after epoch {done} of {epochs}")

    def compiling(self) -> None:
        """Say so before the first of these batches."""
        if not self._compiling.is_told:
            self._print(COMPILING)
        self._compiling.begin()

    def step(self) -> None:
        """Leave a batch that was compiled for out of what is left."""
        self._at += self._compiling.end(self._clock)

    def batch(self, done: int, loss: float | None) -> None:
        """Print the first batch, and now and then another."""
        self._reach(self._epoch * self._steps + done)
        if not self._begun or self._is_time():
            self._begun = True
            self._print(
                f"{place(self._epoch, self._epochs, done, self._steps, loss)}  {self._time}"
            )

    def epoch(self, record: EpochRecord) -> None:
        """Print the epoch."""
        self._epoch = record.epoch
        self._reach(record.epoch * self._steps)
        self._print(f"epoch {record.epoch}/{self._epochs}  {epoch_line(record)}  {self._time}")

    def _reach(self, at: int) -> None:
        self._clock.add(at - self._at)
        self._at = at

    @property
    def _time(self) -> str:
        return self._clock.text()

    def _is_time(self) -> bool:
        return time.monotonic() - self._last >= SECONDS_BETWEEN_LINES

    def _print(self, line: str) -> None:
        self._last = time.monotonic()
        print(line, file=sys.stderr, flush=True)


class Bar:
    """A bar of the terminal, above which finished epochs scroll by."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._task = bar.add_task("starting", total=None, clock=Clock())
        self._epochs = 0
        self._looked = 0.0

    def doing(self, what: str) -> None:
        """Show it."""
        if self._epochs:
            self._show(f"{self._of_epochs()}  {what}")
        else:
            self._show(what, total=None)

    def reading(self, doing: str, done: int, total: int) -> None:
        """Show how many files have been read."""
        if not self._epochs:
            self._show(f"{doing} {done:,} of {total:,} files", total=total, completed=done)

    def found(self, beginning: Beginning) -> None:
        """Print what was found."""
        self.doing("measuring a step")
        from tfkd.report.terminal.found import found_for_run

        for line in found_for_run(beginning):
            self.remark(line)

    def remark(self, text: str) -> None:
        """Print it above the bar."""
        self._bar.console.print(text, highlight=False, markup=False, emoji=False, soft_wrap=True)

    def teacher(self, done: int, total: int) -> None:
        """Show how much of the teacher is stored."""
        if done in (0, total) or self._is_time():
            text = f"outputs of the teacher {done:,}/{total:,}"
            self._show(text, total=total, completed=done)

    def start(self, epochs: int, steps: int, done: int) -> None:
        """Begin."""
        self._epochs, self._steps, self._epoch = epochs, steps, done
        self._clock, self._at = Clock(epochs * steps, done * steps), done * steps
        self._compiling = _Compiling()
        text = place(done, epochs, 0, steps, None)
        self._show(text, total=epochs * steps, completed=done * steps, clock=self._clock)

    def compiling(self) -> None:
        """Show it."""
        self._show(f"{self._of_epochs()}  {COMPILING}")
        self._compiling.begin()

    def step(self) -> None:
        """Leave a batch that was compiled for out of what is left."""
        self._at += self._compiling.end(self._clock)

    def batch(self, done: int, loss: float | None) -> None:
        """Show where it is."""
        if self._is_time():
            at = self._epoch * self._steps + done
            self._reach(at)
            text = place(self._epoch, self._epochs, done, self._steps, loss)
            self._show(text, completed=at)

    def epoch(self, record: EpochRecord) -> None:
        """Print the metrics above the bar."""
        self._epoch = record.epoch
        self._reach(record.epoch * self._steps)
        self.remark(f"epoch {record.epoch}/{self._epochs}  {epoch_line(record)}")
        # Completed though the epoch was begun by another.
        self._show(self._of_epochs(), completed=record.epoch * self._steps)

    def _reach(self, at: int) -> None:
        self._clock.add(at - self._at)
        self._at = at

    def _of_epochs(self) -> str:
        return f"epoch {min(self._epoch + 1, self._epochs)}/{self._epochs}"

    def _is_time(self) -> bool:
        now = time.monotonic()
        if now - self._looked < SECONDS_BETWEEN_LOOKS:
            return False
        self._looked = now
        return True

    def _show(self, text: str, **fields: Any) -> None:
        self._bar.update(self._task, description=text, **fields)


@contextmanager
def show_progress(console: Console | None = None) -> Iterator[Progress]:
    """Report on a console: a bar where it is a terminal, plain lines where it is not.

    Args:
        console: where to. Default: standard error.
    """
    if console is None and not sys.stderr.isatty():
        lines = Lines()
        with told_of_reading(lines.reading):
            yield lines
        return
    from tfkd.report.terminal.bars import make_bar

    with make_bar(console) as rich_bar:
        bar = Bar(rich_bar)
        with told_of_reading(bar.reading):
            yield bar


def place(epochs_done: int, epochs: int, batch: int, batches: int, loss: float | None) -> str:
    """Return where a training is, in a few words.

    Example:
        >>> place(2, 20, 120, 938, 0.43)
        'epoch 3/20  batch 120/938  loss 0.4300'
    """
    said = "" if loss is None else f"  loss {loss:.4f}"
    return f"epoch {epochs_done + 1}/{epochs}  batch {batch}/{batches}{said}"


def epoch_line(record: EpochRecord) -> str:
    """Return the metrics of an epoch in one short line."""
    parts = [f"loss {record.train_loss:.4f}", f"train {100 * record.train_accuracy:.1f} %"]
    if record.validation_mean_average_precision is not None:
        parts.append(f"validation mAP {100 * record.validation_mean_average_precision:.1f} %")
    elif record.validation_accuracy is not None:
        parts.append(f"validation {100 * record.validation_accuracy:.1f} %")
    return "  ".join(parts)
