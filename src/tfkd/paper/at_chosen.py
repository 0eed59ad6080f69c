"""The arms of a study at settings that were chosen for each method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from tfkd.method_table import BASELINE
from tfkd.runs import MethodSettings
from tfkd.runs.chosen import Chosen
from tfkd.study.plan import Arm

TEACHER = "teacher"
"""The entry by whose learning rate and weight decay the larger network is trained."""

STANDS_FOR = {"de_kd": "normal_kd"}
"""A network taught by a snapshot is trained as one that the finished network teaches."""


def by_name(chosen: Sequence[Chosen], known: Iterable[str], study: str) -> dict[str, Chosen]:
    """Return the entries by their names.

    Args:
        chosen: of `tfkd.runs.chosen.read_chosen`; none: nothing was chosen.
        known: names that the study has a use for.
        study: its name.

    Raises:
        ValueError: if there are entries and the study has a use for none.
    """
    found, known = {own.name: own for own in chosen}, list(dict.fromkeys(known))
    if found and not known:
        raise ValueError(f"Expected no `chosen` for {study}, which asks about given numbers.")
    if found and not found.keys() & set(known):
        raise ValueError(
            f"Expected an entry of `chosen` called {', '.join(known)} for {study}, got "
            f"{', '.join(found)}."
        )
    return found


def at_chosen(arms: Sequence[Arm], chosen: Mapping[str, Chosen], *, teacher: str) -> list[Arm]:
    """Return arms with the numbers, learning rate and weight decay that were chosen.

    The entry of an arm is called by its method; cross-entropy on the larger network, which teaches,
    has the entry `teacher`. What has no entry stays as it is.

    Args:
        arms: without controls.
        chosen: the entries by their names.
        teacher: name of the larger network.
    """
    return [_changed(arm, chosen, teacher) for arm in arms]


def _changed(arm: Arm, chosen: Mapping[str, Chosen], teacher: str) -> Arm:
    method = arm.method.name
    name = TEACHER if (arm.recipe.student, method) == (teacher, BASELINE) else method
    entry = chosen.get(name) or chosen.get(STANDS_FOR.get(name, name))
    if entry is None:
        return arm
    own = arm.method
    if name != TEACHER:
        own = MethodSettings(method, entry.method.dialect, dict(entry.method.numbers))
    return replace(arm, method=own, recipe=entry.recipe(arm.recipe))


def chosen_remarks(arms: Sequence[Arm], chosen: Mapping[str, Chosen], teacher: str) -> list[str]:
    """Return what a reader must know of settings that were chosen; nothing where none were.

    Args:
        arms: without controls.
        chosen: the entries by their names.
        teacher: name of the larger network.
    """
    if not chosen:
        return []
    without = [arm for arm in arms if _changed(arm, chosen, teacher) is arm]
    remarks = [
        "Numbers, learning rate and weight decay are those that were chosen for each method before."
    ]
    if without:
        names = ", ".join(arm.name.replace("/", " ") for arm in without)
        remarks.append(f"Nothing was chosen for these, which have the defaults: {names}.")
    return remarks
