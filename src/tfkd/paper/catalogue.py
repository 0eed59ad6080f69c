"""The studies by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from msgspec.structs import replace

from tfkd._checks import check_choice
from tfkd.paper.all_methods import all_methods
from tfkd.paper.in_small import in_small
from tfkd.paper.published import TABLES
from tfkd.paper.tables import figure_2_of_paper, table
from tfkd.runs import Circumstances, defaults
from tfkd.runs.written import changed, make_recipe
from tfkd.study.plan import Study
from tfkd.study.speed import data_shape

ALL_METHODS = "all-methods"
FIGURE_2 = "figure-2"

PAPER: dict[str, Callable[..., Study]] = {
    **{f"table-{number}": partial(table, number) for number in TABLES},
    FIGURE_2: figure_2_of_paper,
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
    studies = [make_study(name)[0] for name in PAPER]
    entries = [
        Entry(study.name, study.arms[0].recipe.data.name, study.question) for study in studies
    ]
    own, _ = make_study(ALL_METHODS)
    return [*entries, Entry(own.name, own.arms[0].recipe.data.name, own.question)]


def make_study(
    name: str,
    *,
    data: str | None = None,
    dialect: str = "released",
    teacher: str | None = None,
    seeds: int = 3,
    controls: Sequence[str] = ("scaled", "smoothed"),
    recipe: Mapping[str, Any] | None = None,
    circumstances: Circumstances | None = None,
    teacher_cache: str = "none",
) -> tuple[Study, Circumstances]:
    """Plan a study by its name.

    Args:
        name: `table-1` to `table-11`, `figure-2` or `all-methods`.
        data: what a person calls a data set, for the study in small; None: the paper's own data and
            networks, for `all-methods` Fashion-MNIST.
        dialect: `released`, `paper`, or with `data` also `tfkd`, this package's defaults.
        teacher: the larger network of a study in small; None: as the data ask.
        seeds: number of seeds.
        controls: names of `tfkd.study.plan.CONTROLS`.
        recipe: the part `recipe` of what `tfkd.runs.written.nested` returns, which every run has
            instead of its own.
        circumstances: that may say where the data lie.
        teacher_cache: how outputs of network teachers are stored.

    Returns:
        The plan, and the circumstances with the place of its data.

    Raises:
        ValueError: for an unknown name, or options that do not fit together.
    """
    names = (*PAPER, ALL_METHODS)
    check_choice("name", name, names)
    written, circumstances = dict(recipe or {}), circumstances or Circumstances()
    if data is None and name == ALL_METHODS:
        data = "fashion-mnist"
    if data is None:
        own = [part for part in ("student", "weights", "model_option") if written.get(part)]
        if own or teacher is not None:
            which = own[0] if own else "teacher"
            raise ValueError(f"Expected `data` beside `{which}`: {name} has its own networks.")
        study = PAPER[name](dialect=dialect, seeds=seeds, controls=controls)
        study = study.with_recipes(lambda own: changed(own, written))
        return replace(study, teacher_cache=teacher_cache), circumstances
    written["data"] = {**written.get("data", {}), "name": data}
    base, circumstances = make_recipe(written, circumstances)
    teacher = teacher or defaults(base.data.name).teacher
    if teacher == base.student:
        raise ValueError(f"Expected a `teacher` other than the student, got {teacher} for both.")
    num_classes = data_shape(base.data, root=circumstances.places).classes
    if name == ALL_METHODS:
        study = all_methods(
            base, teacher=teacher, num_classes=num_classes, seeds=seeds, controls=controls
        )
    else:
        study = in_small(
            name,
            base,
            networks=(base.student, teacher),
            num_classes=num_classes,
            dialect=dialect,
            seeds=seeds,
            controls=controls,
        )
    return replace(study, teacher_cache=teacher_cache), circumstances
