"""Sentences on whether the networks that teach are better than their students."""

from __future__ import annotations

from collections.abc import Sequence

from tfkd.report.beside_contrasts import difference_words
from tfkd.study.plan import Study, of_folds
from tfkd.study.records import Record
from tfkd.study.teacher_check import TeacherCheck, teacher_checks

_SAYS_LITTLE = " What a better teacher would give is not known from these runs."


def teacher_remarks(study: Study, records: Sequence[Record]) -> list[str]:
    """Say which networks that teach are better than their student, and which are not.

    Args:
        study: the plan.
        records: of its finished runs.
    """
    checks = teacher_checks(study, records)
    as_meant = [check for check in checks if check.meant_to_be_worse and check.is_worse]
    rest = [check for check in checks if check not in as_meant]
    groups = [
        ("Better than the student it teaches", [each for each in rest if each.is_better], ""),
        (
            "Worse than the student it teaches",
            [each for each in rest if each.is_worse],
            _SAYS_LITTLE,
        ),
        (
            "Not shown to be better than the student it teaches",
            [each for each in rest if not each.is_better and not each.is_worse],
            _SAYS_LITTLE,
        ),
        ("Worse than the student it teaches, as Re-KD and De-KD mean it", as_meant, ""),
    ]
    folds = study.arms[0].recipe.data.folds
    return [
        of_folds(f"{words}: {'; '.join(map(_named, found))}.{ending}", folds)
        for words, found, ending in groups
        if found
    ]


def _named(check: TeacherCheck) -> str:
    difference = difference_words(check.difference, with_p=False)
    return f"{check.teacher} beside {check.student} ({difference})"
