"""The slope of the student's accuracy on its teacher's: the one statistic of Figure 2.

A network that teaches with the weights of several stages of its training gives, within each seed, a
point for each stage. The slope of the least-squares line through them is one number for each seed;
what is said of the teacher's accuracy is said of these.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfkd.study.over_seeds import against_zero
from tfkd.study.plan import Arm, Study
from tfkd.study.records import Record
from tfkd.study.statistics.differences import PairedDifference
from tfkd.study.summary import student_of

FEWEST = 3
"""Stages of a teacher, from which a slope is one."""


@dataclass(frozen=True)
class Slope:
    """How a student's accuracy rises with that of the network that taught it.

    Attributes:
        student: network that is trained.
        teacher: network that teaches.
        arms: names of the arms, from the earliest stage of the teacher to the last.
        by_seed: the slope of each seed that has a run of every arm, in points for a point.
        difference: the slopes beside zero: their mean, interval and p-value.
        worst: accuracy of the worst stage in percent, the mean over seeds.
        best: that of the best.
        worthwhile: slope at which worst and best are as far apart as is worth having.
    """

    student: str
    teacher: str
    arms: tuple[str, ...]
    by_seed: dict[int, float]
    difference: PairedDifference
    worst: float
    best: float
    worthwhile: float

    @property
    def room(self) -> tuple[float, float]:
        """Points between students of the worst and the best stage, at both ends of the interval."""
        spread = self.best - self.worst
        return self.difference.low * spread, self.difference.high * spread


def slopes(study: Study, records: Sequence[Record]) -> list[Slope]:
    """Return the slope of each student and teacher, where three stages of it or more teach.

    Args:
        study: the plan.
        records: of its finished runs.
    """
    found = (_slope(study, line, records) for line in lines(study.arms))
    return [slope for slope in found if slope is not None]


def lines(arms: Sequence[Arm]) -> list[list[Arm]]:
    """Return the arms that differ in the stage of their teacher alone, if there are three or more.

    Args:
        arms: of a study.
    """
    by_teacher: dict[tuple[object, ...], list[Arm]] = {}
    for arm in arms:
        if arm.teacher is not None and arm.control is None:
            loss = (arm.method.dialect, tuple(sorted(arm.method.numbers.items())))
            key = (student_of(arm), arm.recipe, arm.teacher, loss)
            by_teacher.setdefault(key, []).append(arm)
    return [
        sorted(line, key=lambda arm: arm.teacher_epoch or math.inf)
        for line in by_teacher.values()
        if len({arm.teacher_epoch for arm in line}) >= FEWEST
    ]


def _slope(study: Study, line: list[Arm], records: Sequence[Record]) -> Slope | None:
    """The slope of one line over the seeds that have all of it; None if none has."""
    names = tuple(arm.name for arm in line)
    points: dict[int, dict[str, tuple[float, float]]] = {}
    for record in records:
        if record.arm in names and record.teacher_accuracy is not None:
            both = (100.0 * record.teacher_accuracy, 100.0 * record.accuracy)
            points.setdefault(record.seed, {})[record.arm] = both
    whole = {
        seed: np.array([of_seed[name] for name in names])
        for seed, of_seed in sorted(points.items())
        if len(of_seed) == len(names)
    }
    by_seed = {seed: _of_line(each) for seed, each in whole.items() if np.ptp(each[:, 0]) > 0.0}
    if not by_seed:
        return None
    teacher_means = np.mean([whole[seed][:, 0] for seed in by_seed], axis=0)
    worst, best = float(teacher_means.min()), float(teacher_means.max())
    return Slope(
        student=student_of(line[0]),
        teacher=study.arm(str(line[0].teacher)).recipe.student,
        arms=names,
        by_seed=by_seed,
        difference=against_zero(list(by_seed.values())),
        worst=worst,
        best=best,
        worthwhile=study.worthwhile / (best - worst),
    )


def _of_line(points: np.ndarray) -> float:
    """The slope of the least-squares line through `(n, 2)` points of x and y."""
    centred = points - points.mean(axis=0)
    return float(centred[:, 0] @ centred[:, 1] / (centred[:, 0] @ centred[:, 0]))
