"""Which methods of the table some settings allow, and why not the others."""

from __future__ import annotations

from tfkd.method_table import METHODS
from tfkd.runs import MethodSettings, Recipe, RunSettings, RunTeacher
from tfkd.runs.several_labels import check_one_label
from tfkd.study.comparison import NAMED_INSTEAD, has_two_networks, student_and_teacher

ALL = "all"
"""In place of names of methods: every one that applies."""


def applicable(
    base: Recipe, *, teacher: str, teacher_cache: str = "none"
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the methods that a comparison of all of them has.

    Args:
        base: data, student and recipe of every run.
        teacher: name of the larger network.
        teacher_cache: how outputs of network teachers are stored.

    Returns:
        Their names, in the order of the table; and a sentence on each that is left out.

    Raises:
        ValueError: for images that may have several labels.
    """
    check_one_label(base.data, "for a study or a comparison")
    found, left_out = [], []
    for name, method in METHODS.items():
        if method.taught_by == "any":
            left_out.append(f"{name} is left out: {NAMED_INSTEAD}.")
            continue
        try:
            _check(name, base, teacher, teacher_cache)
        except ValueError as error:
            left_out.append(f"{name} is left out. {error}")
        else:
            found.append(name)
    return tuple(found), tuple(left_out)


def _check(name: str, base: Recipe, larger: str, cache: str) -> None:
    student, taught_by = student_and_teacher(name, base.student, larger)
    if base.student == larger and has_two_networks(name):
        raise ValueError(f"Expected a `teacher` other than the student, got {larger} for both.")
    teacher = None if taught_by is None else RunTeacher(run=taught_by, cache=cache)
    RunSettings(base.for_student(student), MethodSettings(name), teacher)
