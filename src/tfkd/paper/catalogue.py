"""The studies by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from msgspec.structs import replace

from tfkd._checks import check_choice
from tfkd.method_table import BASELINE
from tfkd.paper.all_methods import QUESTION as ALL_METHODS_QUESTION
from tfkd.paper.all_methods import all_methods
from tfkd.paper.at_chosen import TEACHER, by_name
from tfkd.paper.designed_teacher import (
    CONFIDENCE,
    QUESTIONS,
    REG,
    SMOOTHING,
    STRENGTH,
    confidence,
    strength,
)
from tfkd.paper.in_small import FIGURE, METHODS, in_small
from tfkd.paper.published import TABLES
from tfkd.paper.tables import CONTROLS, figure_2_of_paper, table
from tfkd.paper.teacher_or_scale import NAME as SCALE
from tfkd.paper.teacher_or_scale import QUESTION as SCALE_QUESTION
from tfkd.paper.teacher_or_scale import SCALES, entry_name, teacher_or_scale
from tfkd.runs import Circumstances, defaults
from tfkd.runs.chosen import Chosen
from tfkd.runs.written import changed, make_recipe
from tfkd.study.plan import Study
from tfkd.study.speed import data_shape

ALL_METHODS = "all-methods"
FIGURE_2 = FIGURE

PAPER: dict[str, Callable[..., Study]] = {
    **{f"table-{number}": partial(table, number) for number in TABLES},
    FIGURE_2: figure_2_of_paper,
}
"""By name, the functions that plan the paper's own experiments."""

OWN = {
    ALL_METHODS: ALL_METHODS_QUESTION,
    SCALE: SCALE_QUESTION,
    STRENGTH: QUESTIONS[STRENGTH],
    CONFIDENCE: QUESTIONS[CONFIDENCE],
}
"""By name, what this project's own studies ask: of one student, and one teacher perhaps."""

OWN_DATA = "fashion-mnist"
"""On which they are, unless others are named."""


@dataclass(frozen=True)
class Entry:
    """A study of the catalogue: its name, its data by default, and what it asks."""

    name: str
    data: str
    question: str


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """Numbers that some studies take; None: their own.

    Attributes:
        alpha: of `scale`, weight of the teacher term.
        temperature: of `scale`.
        scales: of `scale`, of the loss.
        alphas: of `strength`.
        confidence: of `confidence`, which has none of its own.
    """

    alpha: float | None = None
    temperature: float | None = None
    scales: Sequence[float] | None = None
    alphas: Sequence[float] | None = None
    confidence: float | None = None

    def of(self, name: str) -> dict[str, Any]:
        """Return those that were said, of the study of a name.

        Raises:
            ValueError: for one that the study does not take.
        """
        said = {key: value for key, value in vars(self).items() if value not in (None, ())}
        for key in said:
            if key not in _TAKES.get(name, ()):
                takers = ", ".join(study for study, keys in _TAKES.items() if key in keys)
                raise ValueError(f"Expected no `{key}` for {name}, which is of {takers}.")
        return said


_TAKES = {
    SCALE: ("alpha", "temperature", "scales"),
    STRENGTH: ("alphas",),
    CONFIDENCE: ("confidence",),
}


NO_NUMBERS = Numbers()


def catalogue() -> list[Entry]:
    """Return every study: those of the paper in its order, then this project's own."""
    studies = [PAPER[name]() for name in PAPER]
    return [
        *(Entry(own.name, own.arms[0].recipe.data.name, own.question) for own in studies),
        *(Entry(name, OWN_DATA, question) for name, question in OWN.items()),
    ]


def default_controls(name: str) -> tuple[str, ...]:
    """Return the controls that a study has unless some are named; `OWN` ones have theirs inside."""
    return CONTROLS if name in PAPER or name == ALL_METHODS else ()


def make_study(
    name: str,
    *,
    data: str | None = None,
    dialect: str | None = None,
    teacher: str | None = None,
    seeds: int = 3,
    controls: Sequence[str] | None = None,
    recipe: Mapping[str, Any] | None = None,
    circumstances: Circumstances | None = None,
    teacher_cache: str = "none",
    chosen: Sequence[Chosen] = (),
    numbers: Numbers = NO_NUMBERS,
) -> tuple[Study, Circumstances]:
    """Plan a study by its name.

    Args:
        name: of `PAPER` or `OWN`.
        data: what a person calls a data set, for the study in small; None: the paper's own data and
            networks, for a study of `OWN` Fashion-MNIST.
        dialect: `released`, `paper`, or with `data` also `tfkd`, this package's defaults. None:
            `released`, with `chosen` `tfkd`.
        teacher: the larger network of a study in small; None: as the data ask.
        seeds: number of seeds.
        controls: names of `tfkd.study.plan.CONTROLS`; None: those of `default_controls`.
        recipe: the part `recipe` of what `tfkd.runs.written.nested` returns, which every run has
            instead of its own.
        circumstances: that may say where the data lie.
        teacher_cache: how outputs of network teachers are stored.
        chosen: settings that were chosen for each method, or scale, of a study in small.
        numbers: that some studies take.

    Returns:
        The plan, and the circumstances with the place of its data.

    Raises:
        ValueError: for an unknown name, or options that do not fit together.
    """
    check_choice("name", name, (*PAPER, *OWN))
    said = numbers.of(name)
    written, circumstances = dict(recipe or {}), circumstances or Circumstances()
    controls = default_controls(name) if controls is None else controls
    if data is None and name in OWN:
        data = OWN_DATA
    if data is None:
        if chosen:
            raise ValueError(f"Expected `data` beside `chosen`: {name} has its own settings.")
        study = _of_paper(name, dialect or "released", teacher, seeds, controls, written)
        return replace(study, teacher_cache=teacher_cache), circumstances
    if chosen and dialect not in (None, "tfkd"):
        raise ValueError(f"Expected `dialect` tfkd beside `chosen`, got {dialect}.")
    written["data"] = {**written.get("data", {}), "name": data}
    base, circumstances = make_recipe(written, circumstances)
    teacher = teacher or defaults(base.data.name).teacher
    if teacher == base.student and name not in (STRENGTH, CONFIDENCE):
        raise ValueError(f"Expected a `teacher` other than the student, got {teacher} for both.")
    common: dict[str, Any] = {
        "num_classes": data_shape(base.data, root=circumstances.places).classes,
        "seeds": seeds,
        "controls": controls,
    }
    entries = by_name(chosen, _entries(name, said.get("scales", SCALES)), name)
    if name == ALL_METHODS:
        study = all_methods(base, teacher=teacher, **common)
    elif name == SCALE:
        study = teacher_or_scale(base, teacher=teacher, chosen=entries, **common, **said)
    elif name == STRENGTH:
        study = strength(base, chosen=entries, **common, **said)
    elif name == CONFIDENCE:
        study = confidence(base, chosen=entries, **{"confidence": None, **common, **said})
    else:
        study = in_small(
            name,
            base,
            networks=(base.student, teacher),
            dialect=dialect or ("tfkd" if chosen else "released"),
            chosen=entries,
            **common,
        )
    return replace(study, teacher_cache=teacher_cache), circumstances


def _of_paper(
    name: str,
    dialect: str,
    teacher: str | None,
    seeds: int,
    controls: Sequence[str],
    written: Mapping[str, Any],
) -> Study:
    """A study of the paper on its own data and networks."""
    own = [part for part in ("student", "weights", "model_option") if written.get(part)]
    if own or teacher is not None:
        which = own[0] if own else "teacher"
        raise ValueError(f"Expected `data` beside `{which}`: {name} has its own networks.")
    study = PAPER[name](dialect=dialect, seeds=seeds, controls=controls)
    return study.with_recipes(lambda own: changed(own, written))


def _entries(name: str, scales: Sequence[float]) -> tuple[str, ...]:
    """What the chosen settings are called that a study has a use for."""
    if name == ALL_METHODS:
        return ()
    if name == SCALE:
        return (TEACHER, *(entry_name(scale) for scale in (1.0, *scales)))
    if name in (STRENGTH, CONFIDENCE):
        return (BASELINE, REG, SMOOTHING)
    methods = ("normal_kd",) if name == FIGURE_2 else METHODS[int(name.removeprefix("table-"))]
    return (BASELINE, *methods, TEACHER)
