"""A study as a graph of runs: arms, each a way to train one network, times seeds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tfkd._checks import check_choice, check_inner_path
from tfkd._typed import ADDED_LATER, from_dict
from tfkd.runs import MethodSettings, RunSettings, TeacherSettings
from tfkd.runs.settings import check_teacher_cache
from tfkd.study.methods import DIALECTS

MOST_SEEDS = 10_000
"""Runs of an arm; a larger number in a plan is a mistake."""


@dataclass(frozen=True)
class Published:
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


@dataclass(frozen=True)
class Arm:
    """One way to train one network: a cell of a table. With a seed it is a run.

    Attributes:
        name: its directory within the study's, with `/` between the parts.
        method: a name of `tfkd.study.methods.METHODS`.
        dialect: whose formulas and numbers it has: `tfkd`, `paper` or `released`.
        loss: what it is trained with.
        recipe: network, data and recipe; seeds, loss and teacher are set for each run.
        teacher: name of the arm whose run of the same seed teaches; None if no network does.
        teacher_epoch: the snapshot of it that teaches; None: its final weights.
        baseline: name of the arm that it is compared with; None: it is compared with none.
        control_of: names of the arms whose gain it may explain.
        published: what the paper reports.

    Raises:
        ValueError: for a name that leads out of the study's directory, or an unknown dialect.
    """

    name: str
    method: str
    loss: MethodSettings
    recipe: RunSettings
    dialect: str = "tfkd"
    teacher: str | None = None
    teacher_epoch: int | None = None
    baseline: str | None = None
    control_of: tuple[str, ...] = ()
    published: Published | None = None

    def __post_init__(self) -> None:
        check_inner_path("name", self.name)
        check_choice("dialect", self.dialect, tuple(DIALECTS))


@dataclass(frozen=True)
class PlannedRun:
    """One run of a study.

    Attributes:
        name: its directory within the study's, with `/` between the parts.
        method: the method's name in the study.
        settings: all that determines the run.
        after: name of the run whose network teaches this one; None if none does.
    """

    name: str
    method: str
    settings: RunSettings
    after: str | None = None


@dataclass(frozen=True)
class Study:
    """What is trained, to answer what.

    Attributes:
        name: of the study.
        question: what it asks, in one sentence.
        arms: what is trained, in the order of the tables.
        seeds: runs of each arm, from seed 0.
        remarks: what a reader must know to read its results.
        teacher_cache: how outputs of network teachers are stored; `none`: they are asked at every
            step.

    Raises:
        ValueError: for no seed, two arms of one name, a teacher or baseline that is no arm, or a
            name that is no name of a file.
    """

    name: str
    question: str
    arms: tuple[Arm, ...]
    seeds: int = 3
    remarks: tuple[str, ...] = field(default=())
    teacher_cache: str = field(default="none", metadata=ADDED_LATER)

    def __post_init__(self) -> None:
        check_teacher_cache(self.teacher_cache)
        check_inner_path("name", self.name)
        if "/" in self.name:
            raise ValueError(f"Expected a study's `name` without `/`, got {self.name!r}.")
        if not 1 <= self.seeds <= MOST_SEEDS:
            raise ValueError(f"Expected `seeds` from 1 to {MOST_SEEDS}, got {self.seeds}.")
        names = [arm.name for arm in self.arms]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"Expected arms with names of their own, got {', '.join(twice)} twice."
            )
        for arm in self.arms:
            for other in (arm.teacher, arm.baseline, *arm.control_of):
                if other is not None and other not in names:
                    raise ValueError(f"Expected {other} of {arm.name} among the arms.")

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
        snapshots: dict[str, set[int]] = {}
        for arm in self.arms:
            if arm.teacher is not None and arm.teacher_epoch is not None:
                snapshots.setdefault(arm.teacher, set()).add(arm.teacher_epoch)
        runs = []
        for seed in range(self.seeds):
            for arm in self.arms:
                after = None if arm.teacher is None else f"{arm.teacher}/seed-{seed}"
                teacher = None
                if after is not None:
                    teacher = TeacherSettings(
                        str(root / after), epoch=arm.teacher_epoch, cache=self.teacher_cache
                    )
                kept = snapshots.get(arm.name, set()) | set(arm.recipe.save_epochs)
                settings = dataclasses.replace(
                    arm.recipe,
                    data=dataclasses.replace(arm.recipe.data, split_seed=seed),
                    method=arm.loss,
                    teacher=teacher,
                    save_epochs=tuple(sorted(kept)),
                    seed=seed,
                )
                runs.append(PlannedRun(f"{arm.name}/seed-{seed}", arm.method, settings, after))
        return in_order(runs)

    def with_recipes(self, change: Callable[[RunSettings], RunSettings]) -> Study:
        """Return the study with every recipe changed; snapshots that teach move with the epochs.

        Args:
            change: from an arm's recipe to the one it is to have.
        """
        recipes = {arm.name: change(arm.recipe) for arm in self.arms}

        def moved(arm: Arm) -> int | None:
            if arm.teacher is None or arm.teacher_epoch is None:
                return None
            before, after = self.arm(arm.teacher).recipe.epochs, recipes[arm.teacher].epochs
            return max(round(arm.teacher_epoch * after / before), 1)

        arms = tuple(
            dataclasses.replace(arm, recipe=recipes[arm.name], teacher_epoch=moved(arm))
            for arm in self.arms
        )
        return dataclasses.replace(self, arms=arms)

    def to_dict(self) -> dict[str, Any]:
        """Return the study as nested dictionaries of plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Study:
        """Return the study that `to_dict` wrote; `ValueError` if it is none."""
        try:
            study = from_dict(cls, values)
            study.runs(Path())
        except ValueError as error:
            raise ValueError(f"Expected a study: {error}") from error
        return study


def in_order(runs: list[PlannedRun]) -> list[PlannedRun]:
    """Return the runs with every teacher before those it teaches, otherwise in their order.

    Raises:
        ValueError: for two runs of one name, a teacher that is not planned, or a circle.
    """
    waiting = {run.name: run for run in runs}
    if len(waiting) != len(runs):
        raise ValueError("Expected every planned run to have a name of its own.")
    ordered: dict[str, PlannedRun] = {}

    def place(run: PlannedRun) -> None:
        """Place a run behind its line of teachers, of any length."""
        line = [run]
        while line[-1].after is not None and line[-1].after not in ordered:
            teacher = waiting.get(line[-1].after)
            if teacher is None or teacher in line:
                raise ValueError(f"Expected every teacher to be planned: {line[-1].name} waits.")
            line.append(teacher)
        for ready in reversed(line):
            ordered[ready.name] = ready

    for run in runs:
        if run.name not in ordered:
            place(run)
    return list(ordered.values())
