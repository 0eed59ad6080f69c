"""The plan of the main job: methods on one data set against plain cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from tfkd._checks import check_integer
from tfkd.method_table import BASELINE, METHODS, find_method, full_name
from tfkd.method_table.rows_of_tf_kd import ROWS
from tfkd.runs import MethodSettings, Recipe
from tfkd.study.plan import Arm, Study

DEFECTIVE_EPOCH = 1

COMPARED = tuple(method.name for method in ROWS if method.taught_by != "any")
"""The methods that are compared unless some are named: those of the Tf-KD paper."""

NAMED_INSTEAD = "with the larger network as teacher it is normal_kd, with others re_kd and de_kd"
"""What there is of a method that any network teaches."""

GENERATIONS_START_ALIKE = (
    "The generations of a seed start from the same weights, as all its arms do, and see the same "
    "split; in the source each starts from weights of its own (Furlanello et al., 2018, arXiv "
    "1805.04770), which differ more and may gain more together.",
)
"""What a reader must know of generations."""


def comparison(
    base: Recipe,
    *,
    teacher: str,
    methods: Sequence[str] = COMPARED,
    seeds: int,
    teacher_cache: str = "none",
    generations: int = 1,
) -> Study:
    """Plan a comparison of methods with their defaults.

    Student and teacher see the same images, prepared as the student asks for them (as `base` says):
    a teacher that is shown others than its student would teach something else.

    Args:
        base: data, student and recipe of every run.
        teacher: name of the larger network.
        methods: names of `tfkd.method_table.METHODS`, short or not, or module:function of your own;
            cross-entropy is always among what is run.
        seeds: number of seeds.
        teacher_cache: how outputs of network teachers are stored.
        generations: how often a network that a method has taught teaches the next one, by the same
            method: of those methods whose first teacher is the student's own network.

    Raises:
        ValueError: for an unknown method, no seed, one network as both student and teacher of a
            method that has two, or generations of none.
    """
    methods = [full_name(name) for name in methods]
    for name in methods:
        if find_method(name).taught_by == "any":
            raise ValueError(
                f"Expected `methods` with a teacher of their own, got {name!r}: {NAMED_INSTEAD}."
            )
    taught = [method for method in methods if has_two_networks(method)]
    if taught and base.student == teacher:
        raise ValueError(
            f"Expected a `teacher` other than the student for {', '.join(taught)}, got {teacher} "
            "for both."
        )
    check_integer("generations", generations, minimum=1)
    if generations > 1 and not any(find_method(m).taught_by == "itself" for m in methods):
        born = ", ".join(name for name, method in METHODS.items() if method.taught_by == "itself")
        raise ValueError(
            f"Expected one generation of {', '.join(methods)}, got {generations} `generations`: "
            f"those of {born} teach one another."
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
        if find_method(method).taught_by == "itself":
            for arm in _born_of(arms[f"{base.student}/{folder_of(method)}"], generations):
                arms.setdefault(arm.name, arm)
    return Study(
        "compare",
        "Which method is better than plain cross-entropy on these data?",
        tuple(arms.values()),
        seeds,
        teacher_cache=teacher_cache,
        remarks=GENERATIONS_START_ALIKE if generations > 1 else (),
    )


def _born_of(first: Arm, generations: int) -> list[Arm]:
    """The later generations of an arm: each taught by the one before."""
    arms = [first]
    for number in range(2, generations + 1):
        name = f"{first.name}-{number}"
        arms.append(replace(first, name=name, teacher=arms[-1].name, generation=number))
    return arms[1:]


def folder_of(method: str) -> str:
    """Return what a method's directory is called.

    Example:
        >>> folder_of("my_package.losses:my_method"), folder_of("tf_kd_reg")
        ('my_package.losses.my_method', 'tf_kd_reg')
    """
    return method.replace(":", ".")


def has_two_networks(method: str) -> bool:
    """Return whether a method trains one network and another teaches it."""
    return "larger" in student_and_teacher(method, "smaller", "larger")


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
    row = find_method(method)
    if row.taught_by == "a smaller network":
        return larger, student
    if not row.has_teacher:
        return student, None
    return student, student if row.taught_by == "itself" else larger
