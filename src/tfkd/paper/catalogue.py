"""The studies by their names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tfkd.paper import tables
from tfkd.paper.all_methods import all_methods
from tfkd.runs.recipes import changed, check_model, default_models, run_settings
from tfkd.study.estimate import data_shape
from tfkd.study.plan import Study

ALL_METHODS = "all-methods"
FIGURE_2 = "figure-2"

PAPER: dict[str, Callable[..., Study]] = {
    **{f"table-{number}": getattr(tables, f"table_{number}") for number in range(1, 12)},
    FIGURE_2: tables.figure_2_of_paper,
}
"""By name, the functions that plan the paper's own experiments."""


@dataclass(frozen=True)
class Entry:
    """A study of the catalogue: its name, its data by default, and what it asks."""

    name: str
    data: str
    question: str


def catalogue() -> list[Entry]:
    """Return every study, in the order of the paper."""
    studies = [make_study(name) for name in PAPER]
    entries = [
        Entry(study.name, study.arms[0].recipe.data.name, study.question) for study in studies
    ]
    own = make_study(ALL_METHODS)
    return [*entries, Entry(own.name, own.arms[0].recipe.data.name, own.question)]


def make_study(
    name: str,
    *,
    data: str | None = None,
    dialect: str = "released",
    student: str | None = None,
    teacher: str | None = None,
    seeds: int = 3,
    controls: Sequence[str] = ("scaled", "smoothed"),
    recipe: dict[str, Any] | None = None,
) -> Study:
    """Plan a study by its name.

    Args:
        name: `table-1` to `table-11`, `figure-2` or `all-methods`.
        data: name of a data set, for the study in small; None: the paper's own data and networks,
            for `all-methods` Fashion-MNIST.
        dialect: `released`, `paper`, or with `data` also `tfkd`, this package's defaults.
        student: of a study in small; None: as the data ask.
        teacher: the larger network of a study in small; None: as the data ask.
        seeds: number of seeds.
        controls: names of `tfkd.study.methods.CONTROLS`.
        recipe: options of `tfkd.runs.recipes.run_settings` that every run has instead of its own.

    Raises:
        ValueError: for an unknown name, or options that do not fit together.
    """
    names = (*PAPER, ALL_METHODS)
    if name not in names:
        raise ValueError(f"Expected `name` among {', '.join(names)}, got {name!r}.")
    if data is None and name == ALL_METHODS:
        data = "fashion-mnist"
    if data is None:
        if student is not None or teacher is not None:
            raise ValueError(f"Expected `data` beside `student` or `teacher`: {name} has its own.")
        study = PAPER[name](dialect=dialect, seeds=seeds, controls=controls)
        return study.with_recipes(lambda own: changed(own, **(recipe or {})))
    base = run_settings(data=data, student=student, **(recipe or {}))
    teacher = teacher or default_models(data)[1]
    check_model(teacher)
    if teacher == base.student:
        raise ValueError(f"Expected a `teacher` other than the student, got {teacher} for both.")
    num_classes = data_shape(base.data).classes
    if name == ALL_METHODS:
        return all_methods(
            base, teacher=teacher, num_classes=num_classes, seeds=seeds, controls=controls
        )
    return tables.in_small(
        name,
        base,
        networks=(base.student, teacher),
        num_classes=num_classes,
        dialect=dialect,
        seeds=seeds,
        controls=controls,
    )
