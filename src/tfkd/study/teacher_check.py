"""Whether the networks that teach are better than those that they teach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tfkd.study.over_seeds import against_zero
from tfkd.study.plan import Arm, Study
from tfkd.study.records import Record
from tfkd.study.slope import lines
from tfkd.study.statistics.differences import PairedDifference
from tfkd.study.summary import student_of

MEANT_TO_BE_WORSE = ("a smaller network", "a barely trained network")
"""Teachers of Re-KD and De-KD."""


@dataclass(frozen=True)
class TeacherCheck:
    """A network that teaches, beside its student without a teacher.

    Attributes:
        teacher: its name, `name@epoch` for a snapshot.
        student: that it teaches.
        difference: its accuracy minus that of cross-entropy on the student, in points.
        meant_to_be_worse: whether it teaches Re-KD or De-KD alone.
    """

    teacher: str
    student: str
    difference: PairedDifference
    meant_to_be_worse: bool

    @property
    def is_better(self) -> bool:
        """Whether the interval lies above 0; of one seed there is none."""
        return self.difference.low > 0.0

    @property
    def is_worse(self) -> bool:
        """Whether the interval lies below 0."""
        return self.difference.high < 0.0


def teacher_checks(study: Study, records: Sequence[Record]) -> list[TeacherCheck]:
    """Return each network that teaches another, beside it.

    Left out are a network that teaches its like, which is the student without a teacher, and of
    one whose many stages teach (Figure 2) all but the last.

    Args:
        study: the plan.
        records: of its finished runs.
    """
    stages = {arm.name for line in lines(study.arms) for arm in line[:-1]}
    accuracy = {(record.arm, record.seed): record.accuracy for record in records}
    by_pair: dict[tuple[str, str], list[tuple[Arm, dict[int, float]]]] = {}
    for arm in study.arms:
        is_itself = arm.teacher == arm.baseline and arm.teacher_epoch is None
        if arm.teacher is None or arm.baseline is None or is_itself or arm.name in stages:
            continue
        own = [record for record in records if record.arm == arm.name and record.teacher]
        over = {
            record.seed: 100.0 * (record.teacher_accuracy - accuracy[arm.baseline, record.seed])
            for record in own
            if record.teacher_accuracy is not None and (arm.baseline, record.seed) in accuracy
        }
        if over:
            pair = (str(own[0].teacher), student_of(arm))
            by_pair.setdefault(pair, []).append((arm, over))
    return [_check(*pair, found) for pair, found in by_pair.items()]


def _check(
    teacher: str, student: str, found: Sequence[tuple[Arm, dict[int, float]]]
) -> TeacherCheck:
    over = {seed: value for _, of_arm in found for seed, value in of_arm.items()}
    return TeacherCheck(
        teacher,
        student,
        against_zero([over[seed] for seed in sorted(over)]),
        all(arm.method.row.taught_by in MEANT_TO_BE_WORSE for arm, _ in found),
    )
