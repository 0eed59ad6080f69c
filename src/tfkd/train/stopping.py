"""Stopping between two steps: signals that wait their turn, and processes that stop together."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import torch


class TrainingTerminated(SystemExit):
    """SIGTERM ended the training after a checkpoint; the exit code is 143, as of the signal."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = 128 + signal.SIGTERM


def launcher() -> int | None:
    """Return the process of `torchrun` that started this one; None if it was started otherwise."""
    return os.getppid() if "TORCHELASTIC_RUN_ID" in os.environ else None


class Signals:
    """Whether an end was asked for: by a signal, or by the end of who started this process.

    Until `wait` is called there is nothing to lose, and a signal ends the process at once.

    Args:
        twice: whether a second Ctrl-C ends the process at once.
        launcher: the process with which this one ends; None: none.

    Attributes:
        tell: called when a signal begins to wait; it must not print.
    """

    def __init__(self, *, twice: bool, launcher: int | None = None) -> None:
        self.number = 0
        self._waits = False
        self._twice = twice
        self.tell: Callable[[str], None] = lambda what: None
        self._launcher = launcher

    def wait(self) -> None:
        """From now on signals wait for `asked`."""
        self._waits = True

    def asked(self) -> int:
        """Return the signal that asked for an end, or 0."""
        # One that is killed has no time to signal; its processes get another parent.
        if self.number == 0 and self._launcher not in (None, os.getppid()):
            self.number = signal.SIGTERM
        return self.number

    def note(self, number: int, frame: FrameType | None) -> None:
        """Note a signal; the handler of the operating system's signals."""
        if not self._waits:
            self.number = number  # in case that what it interrupts swallows the exception
            end(number, "stopped before training")
        if self._twice and number == self.number == signal.SIGINT:
            raise KeyboardInterrupt
        self.number = number
        self.tell("stopping after this step")


@contextlib.contextmanager
def noted_signals(*, twice: bool, launcher: int | None = None) -> Iterator[Signals]:
    """Note SIGTERM and SIGINT instead of dying of them.

    Only where they would end the process: whoever handles or ignores one of them goes on to do so.
    Python hands signals to the main thread alone; in another nothing is noted.

    `torchrun` sends SIGTERM to every process that has not ended when the first one has. One that
    ends by `TrainingTerminated` ignores it from then on, so that its exit code is its own.

    Args:
        twice: whether a second Ctrl-C ends the process at once.
        launcher: the process with which this one ends; None: none.
    """
    signals = Signals(twice=twice, launcher=launcher)
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            handler = signal.getsignal(number)
            if handler in (signal.SIG_DFL, signal.default_int_handler):
                before[number] = signal.signal(number, signals.note)
    try:
        yield signals
    except TrainingTerminated:
        if launcher is not None and signal.SIGTERM in before:
            before[signal.SIGTERM] = signal.SIG_IGN
        raise
    finally:
        for known, handler in before.items():
            signal.signal(known, handler)


@contextlib.contextmanager
def raised_sigterm() -> Iterator[None]:
    """Raise `TrainingTerminated` on SIGTERM, where it would end the process without a word."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TrainingTerminated("stopped")

    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def end(number: int, message: str) -> None:
    """End as a signal asks: `KeyboardInterrupt` for SIGINT, exit code 143 for SIGTERM."""
    if number == signal.SIGINT:
        raise KeyboardInterrupt(message)
    raise TrainingTerminated(message)


class Agreement:
    """What any process wishes, known to all of them at the same step.

    Each exchange sends this process's wishes on their way and returns what all wished at the one
    before, whose answer had a step's time to arrive: so nobody waits for another, nor for the
    device. A single process is answered at once.

    Args:
        processes: how many there are.
        wishes: how many numbers are exchanged; the largest of each counts.
    """

    def __init__(self, processes: int, wishes: int) -> None:
        self._group: Any = None
        if processes > 1:  # beside NCCL, which would make the step wait for the device
            self._group = torch.distributed.new_group(backend="gloo")
        self._wishes = wishes
        self._answer: torch.Tensor | None = None
        self._work: Any = None

    def exchange(self, *wishes: int) -> list[int]:
        """Send wishes, and return the largest of each from the exchange before."""
        if self._group is None:
            return list(wishes)
        answer = self._settle()
        self._answer = torch.tensor(wishes)
        self._work = torch.distributed.all_reduce(
            self._answer, torch.distributed.ReduceOp.MAX, group=self._group, async_op=True
        )
        return answer

    def close(self) -> None:
        """Wait for the answer that is still on its way, and for the threads of the exchange.

        One of them may still hold a tensor, and so need Python to let go of it. If Python ends
        meanwhile the process is aborted, with an exit code that is not its own.
        """
        self._settle()
        self._answer = None
        if self._group is not None:
            torch.distributed.destroy_process_group(self._group)
            self._group = None

    def _settle(self) -> list[int]:
        """Return the answer that is still on its way; zeros if there is none."""
        if self._work is None or self._answer is None:
            return [0] * self._wishes
        self._work.wait()
        self._work = None
        return [int(number) for number in self._answer]
