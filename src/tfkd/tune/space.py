"""Where the settings of a method are searched, and a setting as a run takes it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from tfkd.method_table import NUMBERS, find_method
from tfkd.runs import MethodSettings, Recipe
from tfkd.tune.plan import Tuning

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

DIGITS = 4
"""Significant digits of a setting that is tried: it will be typed, and no more of them matter."""

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

    def clamped(self, value: float) -> float:
        """Return the nearest value that may be tried, of so many digits.

        Example:
            >>> axis = Axis("decay", 0.9, 0.9999)
            >>> axis.clamped(0.5), axis.clamped(0.98765432), Axis("warm_up", 1, 9, whole=True).clamped(3.6)
            (0.9, 0.9877, 4.0)
        """
        short = float(round(value)) if self.whole else float(f"{value:.{DIGITS}g}")
        return min(max(short, self.low), self.high)

    def distribution(self) -> BaseDistribution:
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

    def values(self, axes: tuple[Axis, ...]) -> dict[str, float]:
        """Return the numbers that are searched."""
        own = {name: getattr(self, name) for name in OF_EVERY_METHOD}
        return {axis.name: own.get(axis.name, self.method.numbers.get(axis.name)) for axis in axes}


def axes(tuning: Tuning, method: str) -> tuple[Axis, ...]:
    """Return what is searched for a method: its numbers that have a space, and the recipe's two.

    Raises:
        ValueError: for a method of one's own whose number is called as one of the recipe's.
    """
    found = []
    for name, space in find_method(method).spaces.items():
        if name in OF_EVERY_METHOD:
            raise ValueError(f"Expected no number called {name} of {method}: the recipe has one.")
        known, high = NUMBERS.get(name), space.high
        if known is not None and known.below and high >= known.high:
            high = math.nextafter(known.high, -math.inf)
        whole = known is not None and known.whole
        found.append(Axis(name, space.low, high, space.log, whole))
    rates = [Axis(name, *ends, log=True) for name, ends in tuning.ranges.items()]
    return (*found, *rates)


def default_setting(tuning: Tuning, method: str) -> Setting:
    """Return the method's defaults at the recipe's own learning rate and weight decay.

    Those that lie outside of where is searched become the nearest that does not.
    """
    optimizer = tuning.recipe.optimizer
    own = {name: getattr(optimizer, name) for name in OF_EVERY_METHOD}
    start: Mapping[str, Any] = {**MethodSettings(method).numbers, **own}
    inside = {
        axis.name: start[axis.name]
        if axis.low <= start[axis.name] <= axis.high
        else axis.clamped(start[axis.name])
        for axis in axes(tuning, method)
    }
    return setting_of(method, inside)


def setting_of(method: str, values: Mapping[str, float]) -> Setting:
    """Return a setting of the numbers that are searched; the others stay at their defaults."""
    numbers = {name: value for name, value in values.items() if name not in OF_EVERY_METHOD}
    rate, decay = (float(values[name]) for name in OF_EVERY_METHOD)
    return Setting(MethodSettings(method, numbers=numbers), rate, decay)
