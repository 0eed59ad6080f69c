"""What can be found out in so much time: which methods, with how many trials and seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec import Struct

from tfkd._checks import check_integer

USED = 0.85
"""Share of a budget that is planned; the rest is for being wrong about how long things take."""

STARTING = 30.0
"""Seconds of a budget for reading the data, and for starting processes now and then."""

METHODS = ("tf_kd_reg", "label_smoothing", "normal_kd")
"""Compared with cross-entropy, the most worthwhile first: two that cost nothing beside it, and one
that needs a larger network."""


class Size(Struct, frozen=True, forbid_unknown_fields=True):
    """How thoroughly each method is looked at.

    Attributes:
        seeds: of the comparison.
        trials: settings tried for each method.
        tune_seeds: runs of each of them.
    """

    seeds: int
    trials: int
    tune_seeds: int

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            check_integer(name, getattr(self, name), minimum=1)


SIZES = (
    Size(20, 30, 2),
    Size(10, 20, 2),
    Size(10, 12, 2),
    Size(10, 8, 1),
    Size(8, 6, 1),
    Size(6, 4, 1),
    Size(6, 2, 1),
)
"""From thorough to the least that can tell anything: with five seeds no p is below .05."""

ENOUGH = SIZES[3]
"""Of this size one more method is worth more than more trials."""


@dataclass(frozen=True)
class Costs:
    """Seconds of one run, as many side by side as there are.

    Attributes:
        trained: by method, of the network that it trains.
        teacher: of the larger network, which methods with two networks need; None: there is none.
    """

    trained: Mapping[str, float]
    teacher: float | None = None

    def seconds(self, methods: Sequence[str], size: Size) -> float:
        """Return what tuning and comparing so many methods takes, cross-entropy among them."""
        return self.tuning(methods, size.trials, size.tune_seeds) + size.seeds * self.seed(methods)

    def tuning(self, methods: Sequence[str], trials: int, seeds: int) -> float:
        """Return what so many trials of each method take."""
        # The larger network is tuned too, and trained once more for each seed to teach.
        teaching = (trials + 1) * self._teaching(methods)
        return seeds * (trials * self._once(methods) + teaching)

    def seed(self, methods: Sequence[str]) -> float:
        """Return what one seed of the comparison takes."""
        return self._once(methods) + self._teaching(methods)

    def _once(self, methods: Sequence[str]) -> float:
        return sum(self.trained[name] for name in methods)

    def _teaching(self, methods: Sequence[str]) -> float:
        return (self.teacher or 0.0) if TAUGHT in methods else 0.0


BASELINE, TAUGHT = "cross_entropy", "normal_kd"


@dataclass(frozen=True)
class Fitting:
    """What fits into a budget.

    Attributes:
        methods: cross-entropy first; that alone where nothing can be told.
        size: of tuning and comparison; None where nothing can be told.
        left_out: sentences on what does not fit.
        least: seconds in which something could be told.
    """

    methods: tuple[str, ...]
    size: Size | None
    left_out: tuple[str, ...]
    least: float


def fitting(costs: Costs, seconds: float) -> Fitting:
    """Return what fits into so many seconds.

    As many methods as can be looked at well enough, then as thoroughly as there is time for; where
    none can, fewer, down to one method with the least number of seeds that can tell anything.

    Args:
        costs: of the methods that may be compared.
        seconds: the whole budget.

    Example:
        >>> costs = Costs({"cross_entropy": 1.0, "tf_kd_reg": 1.0, "label_smoothing": 1.0})
        >>> found = fitting(costs, 160.0)
        >>> found.methods, found.size.seeds, found.size.trials
        (('cross_entropy', 'tf_kd_reg', 'label_smoothing'), 10, 12)
        >>> fitting(costs, 30.0).size is None
        True
    """
    known = [name for name in METHODS if name in costs.trained]
    sets = [(BASELINE, *known[:count]) for count in range(len(known), 0, -1)]
    usable = USED * seconds - STARTING
    least = (costs.seconds(sets[-1], SIZES[-1]) + STARTING) / USED if sets else float("inf")
    enough = [*SIZES[: SIZES.index(ENOUGH) + 1]]
    for sizes in (enough, SIZES):
        for methods in sets:
            for size in sizes:
                if costs.seconds(methods, size) <= usable:
                    return Fitting(methods, size, _left_out(known, methods), least)
    return Fitting((BASELINE,), None, _left_out(known, (BASELINE,)), least)


def _left_out(known: Sequence[str], methods: Sequence[str]) -> tuple[str, ...]:
    missing = [name for name in known if name not in methods]
    if not missing:
        return ()
    return (f"For want of time not looked at: {', '.join(missing)}.",)
