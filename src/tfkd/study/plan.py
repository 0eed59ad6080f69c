"""A study as a graph of runs: arms, each a way to train one network, times seeds."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from tfkd._checks import check_choice, check_inner_path, check_integer, check_positive
from tfkd.runs import MethodSettings, Recipe, RunSettings, RunTeacher
from tfkd.runs.settings import check_cache_form
from tfkd.runs.several_labels import check_one_label
from tfkd.runs.written import moved

MOST_SEEDS = 10_000
"""Runs of an arm; a larger number in a plan is a mistake."""

FOLDS_SHARE = (
    "Folds share most of their training images: differences over them scatter less than they "
    "should, and the intervals are too narrow (Bengio and Grandvalet, 2004, JMLR 5)."
)
"""What holds of every cross-validation."""

CONTROLS = {
    "scaled": "cross-entropy × s",
    "uninformed": "the same loss, taught by one who knows nothing",
    "smoothed": "label smoothing at the equivalent ε",
    "balanced": "cross-entropy × s, weight decay × s",
    "undone": "cross-entropy × s, learning rate ÷ s, weight decay × s",
    "double": "cross-entropy, twice the epochs",
}
"""Controls: what else may explain a method's gain."""


class Published(Struct, frozen=True, forbid_unknown_fields=True):
    """What a paper reports for an arm, on its own data and networks.

    Attributes:
        accuracy: in percent, as printed.
        sd: standard deviation over runs, in points, as printed; None where none is.
        gain: over the baseline, in points, as printed; None where none is.
        remark: where the paper contradicts itself about it.
    """

    accuracy: float
    sd: float | None = None
    gain: float | None = None
    remark: str | None = None


class Arm(Struct, frozen=True, forbid_unknown_fields=True):
    """The runs that differ in nothing but the seed: a cell of a table.

    Attributes:
        name: its directory within the study's, with `/` between the parts.
        method: what it is trained with.
        recipe: network, data and recipe.
        control: which control it is, of `CONTROLS`; None if it is none.
        teacher: name of the arm whose run of the same seed teaches; None if no network does.
        teacher_epoch: the snapshot of it that teaches; None: its final weights.
        baseline: name of the arm that it is compared with; None: it is compared with none.
        control_of: names of the arms whose gain it may explain.
        published: what the paper reports.
        save_epochs: epochs after which its runs keep their weights, beside those that teach.
        generation: of the students that its method has taught one another, from 1; the teacher of
            a later one is the arm of the generation before.
        title: what tables call it; None: by its method, dialect and generation.

    Raises:
        ValueError: for a name that leads out of the study's directory, an unknown control, a
            generation that none comes before, or images that may have several labels.
    """

    name: str
    method: MethodSettings
    recipe: Recipe
    control: str | None = None
    teacher: str | None = None
    teacher_epoch: int | None = None
    baseline: str | None = None
    control_of: tuple[str, ...] = ()
    published: Published | None = None
    save_epochs: tuple[int, ...] = ()
    generation: int = 1
    title: str | None = None

    def __post_init__(self) -> None:
        check_inner_path("name", self.name)
        check_one_label(self.recipe.data, "for a study or a comparison")
        if self.control is not None:
            check_choice("control", self.control, tuple(CONTROLS))
        check_integer("generation", self.generation, minimum=1)
        if self.generation > 1 and self.teacher is None:
            raise ValueError(
                f"Expected a `teacher` of {self.name}, the generation before it, got none."
            )

    @property
    def place(self) -> str:
        """The folder of the arms with the same network, and data where a study has several."""
        return self.name.rpartition("/")[0]


class Contrast(Struct, frozen=True, forbid_unknown_fields=True):
    """Two arms whose difference a study asks for, named before it runs.

    Attributes:
        arm: name of the one.
        against: name of the other, which is taken from it.
    """

    arm: str
    against: str


class Interaction(Struct, frozen=True, forbid_unknown_fields=True):
    """A difference between two contrasts that a study asks for: does one depend on the other?

    Attributes:
        question: that it answers, as `Does the teacher matter less at a small scale?`.
        of: the one contrast.
        minus: the other, which is taken from it seed by seed.
    """

    question: str
    of: Contrast
    minus: Contrast


class PlannedRun(Struct, frozen=True):
    """One run of a study.

    Attributes:
        name: its directory within the study's, with `/` between the parts.
        arm: name of the arm that it is of.
        settings: all that changes its numbers.
        save_epochs: epochs after which it keeps its weights.
        after: name of the run whose network teaches this one; None if none does.
    """

    name: str
    arm: str
    settings: RunSettings
    save_epochs: tuple[int, ...] = ()
    after: str | None = None

    def is_of(self, settings: RunSettings) -> bool:
        """Return whether settings are its own, wherever files of others lie."""
        return _without_place(settings) == _without_place(self.settings)


class Study(Struct, frozen=True, forbid_unknown_fields=True):
    """What is trained, to answer what.

    Attributes:
        name: of the study.
        question: what it asks, in one sentence.
        arms: what is trained, in the order of the tables.
        seeds: runs of each arm, from seed 0.
        remarks: what a reader must know to read its results.
        teacher_cache: how outputs of network teachers are stored; `none`: they are asked at every
            step.
        contrasts: what is claimed, and tested as one family. Default: every arm that has a baseline
            and is no control, against that.
        worthwhile: the smallest difference in accuracy worth having, in points, above 0 and at most
            100.
        interactions: differences between contrasts that are asked for beside them.

    Raises:
        ValueError: for no seed, two arms of one name, a teacher or baseline that is no arm, a
            circle of teachers, a contrast of an arm with itself or of none of the study, or a name
            that is no name of a file.
    """

    name: str
    question: str
    arms: tuple[Arm, ...]
    seeds: int = 3
    remarks: tuple[str, ...] = ()
    teacher_cache: str = "none"
    contrasts: tuple[Contrast, ...] = ()
    worthwhile: float = 0.2
    interactions: tuple[Interaction, ...] = ()

    def __post_init__(self) -> None:
        check_cache_form(self.teacher_cache)
        if check_positive("worthwhile", self.worthwhile) > 100.0:
            raise ValueError(
                f"Expected `worthwhile` of at most 100 points, got {self.worthwhile:g}."
            )
        check_inner_path("name", self.name)
        if "/" in self.name:
            raise ValueError(f"Expected a study's `name` without `/`, got {self.name!r}.")
        if not 1 <= self.seeds <= MOST_SEEDS:
            raise ValueError(f"Expected `seeds` from 1 to {MOST_SEEDS}, got {self.seeds}.")
        by_name: dict[str, Arm] = {}
        for arm in self.arms:
            if arm.name in by_name:
                raise ValueError(f"Expected arms with names of their own, got {arm.name} twice.")
            by_name[arm.name] = arm
        for arm in self.arms:
            for other in (arm.teacher, arm.baseline, *arm.control_of):
                if other is not None and other not in by_name:
                    raise ValueError(f"Expected {other} of {arm.name} among the arms.")
        teachers_first(self.arms)
        asked = [*self.contrasts, *(each for it in self.interactions for each in (it.of, it.minus))]
        for contrast in asked:
            for other in (contrast.arm, contrast.against):
                if other not in by_name:
                    raise ValueError(f"Expected {other} of a contrast among the arms.")
            if contrast.arm == contrast.against:
                raise ValueError(f"Expected a contrast of two arms, got {contrast.arm} twice.")

    @property
    def claims(self) -> tuple[Contrast, ...]:
        """Its contrasts, or every arm that is no control against its baseline."""
        return self.contrasts or tuple(
            Contrast(arm.name, arm.baseline)
            for arm in self.arms
            if arm.baseline is not None and arm.control is None
        )

    def arm(self, name: str) -> Arm:
        """Return the arm of a name."""
        return next(arm for arm in self.arms if arm.name == name)

    def runs(self, root: Path) -> list[PlannedRun]:
        """Return the runs, seed by seed, each teacher before those it teaches.

        The arms of one seed share the split, the initial weights, the order of samples and their
        augmentation; a teacher is the run of the same seed, trained once for all it teaches.

        Args:
            root: the study's directory.
        """
        teaching: dict[str, set[int]] = {}
        for arm in self.arms:
            if arm.teacher is not None and arm.teacher_epoch is not None:
                teaching.setdefault(arm.teacher, set()).add(arm.teacher_epoch)
        kept = {
            arm.name: tuple(sorted(teaching.get(arm.name, set()) | set(arm.save_epochs)))
            for arm in self.arms
        }
        ordered = teachers_first(self.arms)
        return [
            self._run(arm, seed, root, kept[arm.name])
            for seed in range(self.seeds)
            for arm in ordered
        ]

    def _run(self, arm: Arm, seed: int, root: Path, kept: tuple[int, ...]) -> PlannedRun:
        after = teacher = None
        if arm.teacher is not None:
            after = f"{arm.teacher}/seed-{seed}"
            teacher = RunTeacher(
                run=str(root / after), epoch=arm.teacher_epoch, cache=self.teacher_cache
            )
        settings = RunSettings(arm.recipe, arm.method, teacher, seed)
        return PlannedRun(f"{arm.name}/seed-{seed}", arm.name, settings, kept, after)

    def with_recipes(self, change: Callable[[Recipe], Recipe]) -> Study:
        """Return the study with every recipe changed; snapshots move with the epochs.

        Args:
            change: from an arm's recipe to the one it is to have.
        """
        recipes = {arm.name: change(arm.recipe) for arm in self.arms}

        def changed(arm: Arm) -> Arm:
            epochs = arm.recipe.epochs, recipes[arm.name].epochs
            teacher_epoch = arm.teacher_epoch
            if arm.teacher is not None and teacher_epoch is not None:
                before = self.arm(arm.teacher).recipe.epochs
                (teacher_epoch,) = moved((teacher_epoch,), before, recipes[arm.teacher].epochs)
            return replace(
                arm,
                recipe=recipes[arm.name],
                teacher_epoch=teacher_epoch,
                save_epochs=moved(arm.save_epochs, *epochs),
            )

        return replace(self, arms=tuple(map(changed, self.arms)))


def _without_place(settings: RunSettings) -> RunSettings:
    recipe, teacher = settings.recipe, settings.teacher
    if recipe.weights is not None:
        recipe = replace(recipe, weights="")
    if teacher is not None:
        teacher = teacher.moved(lambda _: "")
    return replace(settings, recipe=recipe, teacher=teacher)


def repeats(count: int, folds: int | None) -> str:
    """Return how often an arm is trained, in words.

    Example:
        >>> repeats(1, None), repeats(3, None), repeats(5, 5), repeats(3, 5), repeats(10, 5)
        ('1 seed', '3 seeds', '5 folds', '3 of 5 folds', '2 times 5 folds')
    """
    if folds is None:
        return f"{count} seed{'' if count == 1 else 's'}"
    if count < folds:
        return f"{count} of {folds} folds"
    if count % folds:
        return f"{count} folds"
    return f"{count // folds} times {folds} folds" if count > folds else f"{count} folds"


def of_folds(text: str, folds: int | None) -> str:
    """Return what is said of seeds as it is said of folds, where these are what is repeated.

    Args:
        text: in words of ours alone; names in it may have a seed.
        folds: of a cross-validation; None: there is none.

    Example:
        >>> of_folds("One seed of 5 seeds", None), of_folds("One seed of 5 seeds", 5)
        ('One seed of 5 seeds', 'One fold of 5 folds')
    """
    return text if folds is None else re.sub(r"\bseed(s?)\b", r"fold\1", text)


def teachers_first(arms: tuple[Arm, ...]) -> list[Arm]:
    """Return the arms with every teacher before those it teaches, otherwise in their order.

    Raises:
        ValueError: for a circle of teachers.
    """
    by_name = {arm.name: arm for arm in arms}
    ordered: dict[str, Arm] = {}
    for arm in arms:
        line = [arm]  # of teachers, of any length
        while line[-1].teacher is not None and line[-1].teacher not in ordered:
            teacher = by_name[line[-1].teacher]
            if teacher in line:
                raise ValueError(f"Expected no circle of teachers, got one with {arm.name}.")
            line.append(teacher)
        for ready in reversed(line):
            ordered.setdefault(ready.name, ready)
    return list(ordered.values())
