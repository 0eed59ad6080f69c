"""What is searched, for which methods, with which budget."""

from __future__ import annotations

import math

from msgspec import Struct
from msgspec.structs import force_setattr

from tfkd._checks import check_choice, check_integer, check_positive
from tfkd.method_table import BASELINE, find_method, full_name
from tfkd.runs import Recipe
from tfkd.runs.settings import check_cache_form
from tfkd.study.comparison import NAMED_INSTEAD, has_two_networks
from tfkd.tune.objective import OBJECTIVES, Objective, ObjectiveName

FIRST_SEED = 1000
"""Of the runs by which settings are chosen; those of a comparison count from 0."""

MOST_SEEDS = 100
MOST_TRIALS = 10_000

Range = tuple[float, float]
"""Smallest and largest value that is tried."""

RATES = (1 / 10, 3.0)
"""Times the recipe's own learning rate: where it is searched unless a range is said."""

DECAYS = (1 / 10, 10.0)
"""Times the recipe's own weight decay, likewise."""


class Tuning(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A search for the settings of several methods, with the same budget for each.

    Attributes:
        recipe: data, student and recipe of every run but for learning rate and weight decay.
        teacher: name of the larger network, for methods that have one.
        methods: names; cross-entropy, with which they will be compared, is always the first.
        trials: settings tried for each method, at least 1.
        seeds: runs of each setting, from seed 1000; the seeds of a comparison are others.
        objective: what decides, of `OBJECTIVES`, averaged over the seeds.
        learning_rates: smallest and largest that is tried; None: from a tenth of the recipe's own
            to three times that.
        weight_decays: likewise; None: from a tenth of the recipe's own to ten times that.
        teacher_cache: how outputs of network teachers are stored.
        prune: whether a setting that is worse than half of the others with the first seed is given
            no more seeds.
        search_seed: of the search itself.

    Raises:
        ValueError: for unknown methods, numbers out of range, no validation split to choose on, or
            folds.
    """

    recipe: Recipe
    teacher: str
    methods: tuple[str, ...]
    trials: int = 20
    seeds: int = 2
    objective: ObjectiveName = "calibrated_nll"
    learning_rates: Range | None = None
    weight_decays: Range | None = None
    teacher_cache: str = "none"
    prune: bool = True
    search_seed: int = 0

    def __post_init__(self) -> None:
        names = dict.fromkeys([BASELINE, *(full_name(name) for name in self.methods)])
        force_setattr(self, "methods", tuple(names))
        check_integer("trials", self.trials, minimum=1)
        check_integer("seeds", self.seeds, minimum=1)
        check_integer("search_seed", self.search_seed, minimum=0)
        for name, value, most in (
            ("trials", self.trials, MOST_TRIALS),
            ("seeds", self.seeds, MOST_SEEDS),
        ):
            if value > most:
                raise ValueError(f"Expected `{name}` from 1 to {most}, got {value}.")
        check_choice("objective", self.objective, tuple(OBJECTIVES))
        check_cache_form(self.teacher_cache)
        self._check_data()
        self._check_methods()
        for name, own, factors in (
            ("learning_rate", self.recipe.optimizer.learning_rate, RATES),
            ("weight_decay", self.recipe.optimizer.weight_decay, DECAYS),
        ):
            force_setattr(self, f"{name}s", _range(f"{name}s", self, own, factors))

    def _check_data(self) -> None:
        data = self.recipe.data
        if data.folds is not None:
            raise ValueError(
                f"Expected no `folds` while settings are chosen, got {data.folds}: the images that "
                "one fold is tested on are validation images of another, so what is chosen on them "
                "would know them. Choose on a validation split, and take the settings found."
            )

    def _check_methods(self) -> None:
        for name in self.methods:
            if find_method(name).taught_by == "any":
                raise ValueError(
                    f"Expected `methods` with a teacher of their own, got {name!r}: "
                    f"{NAMED_INSTEAD}."
                )
        taught = [name for name in self.methods if has_two_networks(name)]
        if taught and self.recipe.student == self.teacher:
            raise ValueError(
                f"Expected a `teacher` other than the student for {', '.join(taught)}, got "
                f"{self.teacher} for both."
            )

    @property
    def run_seeds(self) -> tuple[int, ...]:
        """The seeds of the runs of each setting."""
        return tuple(range(FIRST_SEED, FIRST_SEED + self.seeds))

    @property
    def goal(self) -> Objective:
        """What decides."""
        return OBJECTIVES[self.objective]

    @property
    def ranges(self) -> dict[str, Range]:
        """Where learning rate and weight decay are searched."""
        assert self.learning_rates is not None
        assert self.weight_decays is not None
        return {"learning_rate": self.learning_rates, "weight_decay": self.weight_decays}


def _range(name: str, tuning: Tuning, own: float, factors: Range) -> Range:
    """The range as it was said, or around the recipe's own value."""
    said: Range | None = getattr(tuning, name)
    if said is None:
        if own == 0.0:
            raise ValueError(
                f"Expected `{name}`, as 1e-5:1e-2, for the recipe's own is 0, got none."
            )
        said = (_rounded(own * factors[0]), _rounded(own * factors[1]))
    low, high = (check_positive(name, value) for value in said)
    if not low <= high < math.inf:
        raise ValueError(f"Expected `{name}` from a smaller to a larger one, got {low:g}:{high:g}.")
    return low, high


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def parse_range(name: str, text: str) -> Range:
    """Return the range that was typed as LOW:HIGH; one number alone is no search.

    Example:
        >>> parse_range("learning_rates", "0.01:0.3"), parse_range("learning_rates", "0.1")
        ((0.01, 0.3), (0.1, 0.1))
    """
    parts = text.split(":")
    try:
        low, high = (float(part) for part in (parts if len(parts) == 2 else parts * 2))
    except ValueError:
        raise ValueError(
            f"Expected `{name}` as LOW:HIGH, as in 0.01:0.3, got {text[:80]!r}."
        ) from None
    return low, high
