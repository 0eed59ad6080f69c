"""What tuning tries to make small, or large: one number of a run, of its validation split."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from tfkd.runs import Result
from tfkd.runs.contents import Metrics

ObjectiveName = Literal["calibrated_nll", "nll", "accuracy", "brier", "ece", "aurc"]
"""What may be asked for."""


@dataclass(frozen=True)
class Objective:
    """One number of a run.

    Attributes:
        name: as it is typed.
        title: as tables print it.
        of: what it is of a finished run; None if the run has no validation split.
        maximise: whether more is better.
    """

    name: ObjectiveName
    title: str
    of: Callable[[Result], float | None]
    maximise: bool = False

    def is_better(self, value: float, other: float) -> bool:
        """Return whether a value is better than another."""
        return value > other if self.maximise else value < other

    @property
    def worst(self) -> float:
        """What is worse than every value."""
        return float("-inf") if self.maximise else float("inf")


def _validation(metric: Callable[[Metrics], float]) -> Callable[[Result], float | None]:
    return lambda result: None if result.validation is None else metric(result.validation)


def _calibrated_nll(result: Result) -> float | None:
    return None if result.calibrated is None else result.calibrated.validation.nll


OBJECTIVES: Mapping[str, Objective] = {
    objective.name: objective
    for objective in (
        Objective("calibrated_nll", "NLL after temperature scaling", _calibrated_nll),
        Objective("nll", "NLL", _validation(lambda metrics: metrics.nll)),
        Objective(
            "accuracy", "accuracy", _validation(lambda metrics: metrics.accuracy), maximise=True
        ),
        Objective("brier", "Brier score", _validation(lambda metrics: metrics.brier)),
        Objective("ece", "ECE", _validation(lambda metrics: metrics.ece)),
        Objective("aurc", "AURC", _validation(lambda metrics: metrics.aurc)),
    )
}
"""By name. All are of the validation split; the test split is not looked at."""

assert tuple(OBJECTIVES) == get_args(ObjectiveName)
