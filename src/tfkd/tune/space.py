"""Where the settings of a method are searched, and a setting as a run takes it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tfkd.method_table import NUMBERS
from tfkd.runs import MethodSettings, Recipe
from tfkd.tune.plan import Entry, Tuning

if TYPE_CHECKING:
    from optuna.distributions import FloatDistribution, IntDistribution

DIGITS = 4
"""Significant digits of a setting that is tried: it will be typed, and no more of them matter."""

NEAR_AN_END = 0.05
"""Share of a range, within which a value is at its end."""

OF_EVERY_METHOD = ("learning_rate", "weight_decay")
"""Searched in the recipe for every method, for a loss changes the size of the gradient."""


@dataclass(frozen=True)
class Axis:
    """One number that is searched.

    Attributes:
        name: of the number.
        low: smallest value tried.
        high: largest value tried.
        log: whether steps are equal in the logarithm.
        whole: whether it counts something.
    """

    name: str
    low: float
    high: float
    log: bool = False
    whole: bool = False

    def rounded(self, value: float) -> float:
        """Return the nearest value of so many digits that may be tried.

        Example:
            >>> axis = Axis("decay", 0.9, 0.9999)
            >>> axis.rounded(0.5), axis.rounded(0.98765432)
            (0.9, 0.9877)
            >>> Axis("warm_up", 1, 9, whole=True).rounded(3.6)
            4.0
        """
        short = round(value) if self.whole else float(f"{value:.{DIGITS}g}")
        return float(min(max(short, self.low), self.high))

    def is_at_an_end(self, value: float) -> bool:
        """Return whether a value lies within 5 % of an end of the range.

        Example:
            >>> Axis("learning_rate", 0.01, 1.0, log=True).is_at_an_end(0.85), Axis(
            ...     "alpha", 0.0, 1.0
            ... ).is_at_an_end(0.85)
            (True, False)
        """
        low, high, place = self.low, self.high, value
        if self.log:
            low, high, place = math.log(low), math.log(high), math.log(value)
        return min(place - low, high - place) <= NEAR_AN_END * (high - low)

    def distribution(self) -> FloatDistribution | IntDistribution:
        """Return it as Optuna calls it."""
        from optuna.distributions import FloatDistribution, IntDistribution

        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log)
        return FloatDistribution(self.low, self.high, log=self.log)


class Setting(Struct, frozen=True, forbid_unknown_fields=True):
    """What is tried: all that tuning changes of a run.

    Attributes:
        method: with all its numbers.
        learning_rate: of the recipe.
        weight_decay: of the recipe.
    """

    method: MethodSettings
    learning_rate: float
    weight_decay: float

    def recipe(self, base: Recipe) -> Recipe:
        """Return a recipe with its learning rate and weight decay."""
        optimizer = replace(
            base.optimizer, learning_rate=self.learning_rate, weight_decay=self.weight_decay
        )
        return replace(base, optimizer=optimizer)

    def value(self, axis: Axis) -> float:
        """Return one of its numbers."""
        if axis.name in OF_EVERY_METHOD:
            return float(getattr(self, axis.name))
        return self.method.numbers[axis.name]


def axes(tuning: Tuning, entry: Entry) -> tuple[Axis, ...]:
    """Return what is searched: the recipe's two, and the method's numbers that have a space.

    The former first, so that they are drawn alike for every entry.

    Raises:
        ValueError: for a method of one's own whose number is called as one of the recipe's.
    """
    found = [Axis(name, *ends, log=True) for name, ends in tuning.ranges.items()]
    for name, space in {} if entry.keeps_numbers else entry.method.row.spaces.items():
        if name in OF_EVERY_METHOD:
            raise ValueError(
                f"Expected no number {name} of {entry.method.name}, for the recipe has one."
            )
        known, high = NUMBERS.get(name), space.high
        if known is not None and known.below and high >= known.high:
            high = math.nextafter(known.high, -math.inf)
        whole = known is not None and known.whole
        found.append(Axis(name, space.low, high, space.log, whole))
    return tuple(found)


def first_setting(tuning: Tuning, entry: Entry) -> Setting:
    """Return what the first trial has: the method's defaults, and the recipe's own settings.

    Of an entry that was chosen before it has that. What lies outside of where is searched becomes
    the nearest that does not.
    """
    start = tuning.recipe.optimizer if entry.start is None else entry.start
    own = Setting(entry.method, start.learning_rate, start.weight_decay)
    values = {}
    for axis in axes(tuning, entry):
        value = own.value(axis)
        values[axis.name] = value if axis.low <= value <= axis.high else axis.rounded(value)
    return setting_of(entry, values)


def setting_of(entry: Entry, values: Mapping[str, float]) -> Setting:
    """Return a setting of the numbers that are searched; the others stay as the entry has them."""
    searched = {name: value for name, value in values.items() if name not in OF_EVERY_METHOD}
    numbers = {**entry.method.numbers, **searched}
    rate, decay = (float(values[name]) for name in OF_EVERY_METHOD)
    method = MethodSettings(entry.method.name, entry.method.dialect, numbers)
    return Setting(method, rate, decay)


def searched_values(setting: Setting, searched: Sequence[Axis]) -> dict[str, float | int]:
    """Return the numbers of a setting that are searched, as Optuna has them."""
    return {
        axis.name: int(setting.value(axis)) if axis.whole else setting.value(axis)
        for axis in searched
    }
