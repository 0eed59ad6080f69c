"""Settings of a loss that follow the progress of training.

`alpha`, `temperature` and `scale` of a loss may each be one of these, or any function from
`Progress` to a number. They count epochs, of which the criterion is told by `epoch_ended`, or steps
of the optimiser, of which it is told by `step_ended`: exactly one of `epochs` and `steps` is given.
Of any other function it is noted which of the two it looks at.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from typing_extensions import Self  # torch depends on it

from tfkd._checks import check_at_least_0, check_integer, check_number, check_positive


class Progress(NamedTuple):
    """How far training has come.

    Attributes:
        epochs: that have ended.
        steps: of the optimiser that have ended.
    """

    epochs: int = 0
    steps: int = 0


@dataclass(frozen=True, kw_only=True)
class Schedule(ABC):
    """A number by progress. What has ended is counted; behind the last it keeps its last value.

    Args:
        epochs: over how many epochs it goes, at least 1.
        steps: over how many steps, at least 1.

    Raises:
        TypeError: unless one of the two is given.
        ValueError: for less than 1.
    """

    epochs: int | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.steps is None):
            raise TypeError(
                f"Expected one of `epochs` and `steps`, got {self.epochs} and {self.steps}."
            )
        name = "steps" if self.epochs is None else "epochs"
        check_integer(name, self._length, minimum=1)

    @property
    def counts_steps(self) -> bool:
        """Whether it follows steps; otherwise it follows epochs."""
        return self.epochs is None

    @property
    def _length(self) -> int:
        length = self.steps if self.epochs is None else self.epochs
        assert length is not None
        return length

    def __call__(self, progress: Progress) -> float:
        """Return the value."""
        ended = progress.steps if self.counts_steps else progress.epochs
        return self._value(min(ended, self._length), self._length)

    @abstractmethod
    def _value(self, ended: int, length: int) -> float:
        """The value after so many, of `length`."""


@dataclass(frozen=True, kw_only=True)
class _FromTo(Schedule):
    start: float
    end: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("start", self.start)
        check_number("end", self.end)


@dataclass(frozen=True, kw_only=True)
class Linear(_FromTo):
    """From `start`, of the first epoch, evenly to `end`, of the last.

    Example:
        >>> alpha = Linear(start=0.2, end=0.8, epochs=4)
        >>> [round(alpha(Progress(epochs)), 2) for epochs in range(5)]
        [0.2, 0.4, 0.6, 0.8, 0.8]
    """

    def _value(self, ended: int, length: int) -> float:
        return self.start + (self.end - self.start) * min(ended / max(length - 1, 1), 1.0)


@dataclass(frozen=True, kw_only=True)
class Cosine(_FromTo):
    """From `start`, of the first epoch, to `end`, of the last, along half a cosine.

    Example:
        >>> alpha = Cosine(start=1.0, end=0.0, epochs=5)
        >>> [round(alpha(Progress(epochs)), 3) for epochs in range(5)]
        [1.0, 0.854, 0.5, 0.146, 0.0]
    """

    def _value(self, ended: int, length: int) -> float:
        turn = (1.0 - math.cos(math.pi * min(ended / max(length - 1, 1), 1.0))) / 2.0
        return self.start + (self.end - self.start) * turn


@dataclass(frozen=True, kw_only=True)
class WarmUp(Schedule):
    """Up to `value` in equal parts: value · min((ended + 1) / length, 1).

    Source: as of Zhao et al., 2022, arXiv 2203.08679, whose epochs count from 1.

    Example:
        >>> weight = WarmUp(value=1.0, epochs=4)
        >>> [weight(Progress(epochs)) for epochs in range(5)]
        [0.25, 0.5, 0.75, 1.0, 1.0]
    """

    value: float

    def _value(self, ended: int, length: int) -> float:
        return self.value * min((ended + 1) / length, 1.0)


@dataclass(frozen=True, kw_only=True)
class RampUp(Schedule):
    """Up to `value` slowly: value · exp(−5·(1 − ended/length)²).

    Source: Tarvainen and Valpola, 2017, arXiv 1703.01780.

    Example:
        >>> weight = RampUp(value=1.0, epochs=4)
        >>> [round(weight(Progress(epochs)), 3) for epochs in range(5)]
        [0.007, 0.06, 0.287, 0.732, 1.0]
    """

    value: float

    def _value(self, ended: int, length: int) -> float:
        return self.value * math.exp(-5.0 * (1.0 - ended / length) ** 2)


@dataclass(frozen=True, kw_only=True)
class Until(Schedule):
    """`value` until so many have ended, then `after`.

    Example:
        >>> alpha = Until(value=0.5, epochs=2)
        >>> [alpha(Progress(epochs)) for epochs in range(4)]
        [0.5, 0.5, 0.0, 0.0]
    """

    value: float
    after: float = 0.0

    def _value(self, ended: int, length: int) -> float:
        return self.value if ended < length else self.after


@dataclass(frozen=True)
class Times:
    """A schedule times a number, or times another schedule."""

    schedule: Callable[[Progress], float]
    factor: float | Callable[[Progress], float]

    def __call__(self, progress: Progress) -> float:
        """Return the value."""
        factor = self.factor(progress) if callable(self.factor) else self.factor
        return self.schedule(progress) * factor


@dataclass(frozen=True)
class WeightOfAdded:
    """α of cross-entropy + λ · (teacher term), λ a schedule: λ / (1 + λ)."""

    added: Callable[[Progress], float]
    positive: bool = False

    def __call__(self, progress: Progress) -> float:
        """Return the value; `ValueError` where λ is negative, or 0 if it is to be positive."""
        check = check_positive if self.positive else check_at_least_0
        weight = check("added", self.added(progress))
        return weight / (1.0 + weight)


@dataclass(frozen=True)
class ScaleOfAdded:
    """s of cross-entropy + λ · (teacher term), λ a schedule: 1 + λ, times a scale."""

    added: Callable[[Progress], float]
    scale: float = 1.0

    def __call__(self, progress: Progress) -> float:
        """Return the value."""
        return self.scale * (1.0 + check_at_least_0("added", self.added(progress)))


def ends(schedule: Callable[[Progress], float]) -> tuple[Progress, ...]:
    """Return the progress at which a schedule of this module has its least and its largest value.

    All go from one to the other and never beyond; of any other function nothing is known.
    """
    if isinstance(schedule, WeightOfAdded | ScaleOfAdded):
        return ends(schedule.added)
    if not isinstance(schedule, Schedule):
        return ()
    length = schedule.epochs or schedule.steps or 0
    return Progress(), Progress(epochs=length, steps=length)


def counts_steps(schedule: Callable[[Progress], float]) -> bool:
    """Return whether a schedule follows steps, which it says or looks at before the first.

    Example:
        >>> counts_steps(lambda progress: 0.1 * progress.steps)
        True
    """
    return "steps" in looked_at(schedule, Progress())[1]


def looked_at(
    schedule: Callable[[Progress], float], progress: Progress
) -> tuple[float, frozenset[str]]:
    """Return a schedule's value, and which fields of progress it follows.

    Those are what it looks at now, and what its `counts_steps` says, if it has one.
    """
    watched = _Watched(*progress)
    value = schedule(watched)
    said = getattr(schedule, "counts_steps", None)
    declared = set() if said is None else {"steps" if said else "epochs"}
    return value, frozenset(watched.seen | declared)


class _Watched(Progress):
    """Progress that notes which of its fields are looked at, in whatever way."""

    seen: set[str]

    def __new__(cls, epochs: int = 0, steps: int = 0) -> Self:
        self = super().__new__(cls, epochs, steps)
        self.seen = set()
        return self

    def _see(self, *names: str) -> None:
        self.seen.update(names or self._fields)

    def __getattribute__(self, name: str) -> Any:
        if name in Progress._fields:
            self._see(name)
        return super().__getattribute__(name)

    def __iter__(self) -> Iterator[int]:
        self._see()
        return super().__iter__()

    def __getitem__(self, index: Any) -> Any:
        names = self._fields[index]
        self._see(*([names] if isinstance(names, str) else names))
        return super().__getitem__(index)

    def __eq__(self, other: object) -> bool:
        self._see()
        return super().__eq__(other)

    def __lt__(self, other: tuple[int, ...]) -> bool:
        self._see()
        return super().__lt__(other)

    def __ge__(self, other: tuple[int, ...]) -> bool:
        self._see()
        return super().__ge__(other)

    def __hash__(self) -> int:
        self._see()
        return super().__hash__()

    def _replace(self, **changes: Any) -> Progress:  # type: ignore[override]
        return Progress(*self)._replace(**changes)
