"""The plan of the main job: methods on one data set against plain cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence

from tfkd.method_table import BASELINE, METHODS, find_method
from tfkd.method_table.rows_of_tf_kd import ROWS
from tfkd.runs import MethodSettings, Recipe
from tfkd.study.plan import Arm, Study

DEFECTIVE_EPOCH = 1

COMPARED = tuple(method.name for method in ROWS if method.taught_by != "any")
"""The methods that are compared unless some are named: those of the Tf-KD paper."""


def comparison(
    base: Recipe,
    *,
    teacher: str,
    methods: Sequence[str] = COMPARED,
    seeds: int,
    teacher_cache: str = "none",
) -> Study:
    """Plan a comparison of methods with their defaults.

    Student and teacher see the same images, prepared as the student asks for them (as `base` says):
    a teacher that is shown others than its student would teach something else.

    Args:
        base: data, student and recipe of every run.
        teacher: name of the larger network.
        methods: names of `tfkd.method_table.METHODS`, or module:function of your own;
            cross-entropy is always among what is run.
        seeds: number of seeds.
        teacher_cache: how outputs of network teachers are stored.

    Raises:
        ValueError: for an unknown method, no seed, or one network as both student and teacher
            of a method that has two.
    """
    for name in methods:
        if find_method(name).taught_by == "any":
            raise ValueError(f"Expected `methods` with a teacher of their own, got {name!r}.")
    taught = [m for m in methods if "larger" in student_and_teacher(m, "smaller", "larger")]
    if taught and base.student == teacher:
        raise ValueError(
            f"Expected a `teacher` other than the student for {', '.join(taught)}, got {teacher} "
            "for both."
        )
    arms: dict[str, Arm] = {}

    def add(method: str, student: str, taught_by: str | None = None) -> None:
        baseline = f"{student}/{BASELINE}"
        for needed in (student, taught_by):
            if needed is not None and method != BASELINE:
                add(BASELINE, needed)
        name = f"{student}/{folder_of(method)}"
        arms.setdefault(
            name,
            Arm(
                name,
                MethodSettings(method),
                base.for_student(student),
                teacher=None if taught_by is None else f"{taught_by}/{BASELINE}",
                teacher_epoch=DEFECTIVE_EPOCH if method == "de_kd" else None,
                baseline=None if method == BASELINE else baseline,
            ),
        )

    add(BASELINE, base.student)
    for method in [*(name for name in METHODS if name in methods), *methods]:
        add(method, *student_and_teacher(method, base.student, teacher))
    return Study(
        "compare",
        "Which method is better than plain cross-entropy on these data?",
        tuple(arms.values()),
        seeds,
        teacher_cache=teacher_cache,
    )


def folder_of(method: str) -> str:
    """Return what a method's directory is called.

    Example:
        >>> folder_of("my_package.losses:my_method"), folder_of("tf_kd_reg")
        ('my_package.losses.my_method', 'tf_kd_reg')
    """
    return method.replace(":", ".")


def student_and_teacher(method: str, student: str, larger: str) -> tuple[str, str | None]:
    """Return which network a method trains and which teaches it, of a study with two networks.

    Args:
        method: its name.
        student: name of the smaller network.
        larger: name of the larger one.

    Example:
        >>> student_and_teacher("re_kd", "small_cnn", "wide_cnn")
        ('wide_cnn', 'small_cnn')
    """
    taught_by = find_method(method).taught_by
    if taught_by == "a smaller network":
        return larger, student
    if taught_by == "nobody":
        return student, None
    return student, student if taught_by == "itself" else larger
