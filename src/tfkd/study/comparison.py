"""The plan of the main job: methods on one data set against plain cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from tfkd._checks import check_integer
from tfkd.method_table import BASELINE, METHODS, find_method
from tfkd.method_table.rows_of_tf_kd import ROWS
from tfkd.runs import Recipe
from tfkd.runs.chosen import Chosen
from tfkd.study.asked import Asked, Plain, asked_for, folder_of
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
    methods: Sequence[str] | None = None,
    seeds: int,
    teacher_cache: str = "none",
    generations: int = 1,
    chosen: Sequence[Chosen] = (),
) -> Study:
    """Plan a comparison of methods: each at its defaults, or at what was chosen for it.

    Student and teacher see the same images, prepared as the student asks for them (as `base` says):
    a teacher that is shown others than its student would teach something else.

    What was chosen makes an arm of each entry, under the entry's name. The first of cross-entropy
    is what the others are compared with; one called `teacher`, of cross-entropy too, is how the
    larger network is trained. What has no entry runs at its defaults, with the learning rate and
    weight decay of cross-entropy on the same network, and the plan's remarks say so.

    Args:
        base: data, student and recipe of every run.
        teacher: name of the larger network.
        methods: names of `tfkd.method_table.METHODS`, short or not, module:function of your own, or
            names of entries of `chosen`; cross-entropy is always among what is run. None: all
            entries, or without any `COMPARED`.
        seeds: number of seeds.
        teacher_cache: how outputs of network teachers are stored.
        generations: how often a network that a method has taught teaches the next one, by the same
            method: of those methods whose first teacher is the student's own network.
        chosen: numbers, learning rate and weight decay by entry.

    Raises:
        ValueError: for an unknown method, no seed, one network as both student and teacher of a
            method that has two, generations of none, or entries that do not fit together.
    """
    plain = Plain(base, chosen)
    asked = asked_for(methods, chosen, usual=COMPARED)
    names = list(dict.fromkeys(own.method.name for own in asked))
    for name in names:
        if find_method(name).taught_by == "any":
            raise ValueError(
                f"Expected `methods` with a teacher of their own, got {name!r}: {NAMED_INSTEAD}."
            )
    taught = [method for method in names if has_two_networks(method)]
    if taught and base.student == teacher:
        raise ValueError(
            f"Expected a `teacher` other than the student for {', '.join(taught)}, got {teacher} "
            "for both."
        )
    check_integer("generations", generations, minimum=1)
    if generations > 1 and not any(find_method(m).taught_by == "itself" for m in names):
        born = ", ".join(name for name, method in METHODS.items() if method.taught_by == "itself")
        raise ValueError(
            f"Expected one generation of {', '.join(names)}, got {generations} `generations`: "
            f"those of {born} teach one another."
        )
    arms: dict[str, Arm] = {}

    def add(arm: Arm) -> None:
        if arms.setdefault(arm.name, arm) != arm:
            raise ValueError(f"Expected one arm called {arm.name}, got two: rename its entry.")

    add(plain.arm(base.student))
    for own in asked:
        student, taught_by = student_and_teacher(own.method.name, base.student, teacher)
        baseline = plain.arm(student)
        add(baseline)
        if taught_by is not None:
            add(plain.arm(taught_by))
        name = f"{student}/{own.name}"
        if name == baseline.name and own.method.name == BASELINE:
            continue
        arm = Arm(
            name,
            own.method,
            baseline.recipe if own.chosen is None else own.chosen.recipe(base.for_student(student)),
            teacher=None if taught_by is None else plain.arm(taught_by).name,
            teacher_epoch=DEFECTIVE_EPOCH if own.method.name == "de_kd" else None,
            baseline=baseline.name,
            title=_title(own, asked),
        )
        for generation in [arm, *_later_generations(arm, generations)]:
            add(generation)
    return Study(
        "compare",
        "Which method is better than plain cross-entropy on these data?",
        tuple(arms.values()),
        seeds,
        teacher_cache=teacher_cache,
        remarks=(
            *(plain.remarks(asked, arms.values()) if chosen else ()),
            *(GENERATIONS_START_ALIKE if generations > 1 else ()),
        ),
    )


def _title(own: Asked, asked: Sequence[Asked]) -> str | None:
    """What of the entry's name is its own, where several entries are of one method.

    Of `tf_kd_reg` and `tf_kd_reg-strong` the first is Tf-KD_reg, the other Tf-KD_reg, strong.
    """
    alone = sum(other.method.name == own.method.name for other in asked) == 1
    if alone or own.name == folder_of(own.method.name):
        return None
    name = own.name.removeprefix(f"{folder_of(own.method.name)}-")
    return f"{find_method(own.method.name).title}, {name}"


def _later_generations(first: Arm, generations: int) -> list[Arm]:
    """The later generations of an arm, each taught by the one before; of most methods none."""
    arms = [first]
    if find_method(first.method.name).taught_by != "itself":
        return []
    for number in range(2, generations + 1):
        name = f"{first.name}-{number}"
        title = None if first.title is None else f"{first.title}, generation {number}"
        arms.append(
            replace(first, name=name, teacher=arms[-1].name, generation=number, title=title)
        )
    return arms[1:]


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
