"""A plan beside the one that its directory had: what was finished before stays in the tables."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from tfkd.runs import files
from tfkd.study.directory import SUFFIX, run_directory
from tfkd.study.estimate import is_finished
from tfkd.study.plan import Arm, Study


def joined(study: Study, root: Path) -> tuple[Study, list[str]]:
    """Return a plan with those arms of the one before it that are finished, and what to say of it.

    So the same command with other methods adds them to the comparison. Of an arm that was begun
    and is not asked for now, nothing is trained.

    Args:
        study: that is asked for.
        root: its directory, which may have a plan of this name.
    """
    file = root / f"{study.name}{SUFFIX}"
    if not file.is_file():
        return study, []
    try:
        before = files.read_json(file, Study)
    except ValueError:  # of no use, and written over
        return study, []
    asked = {arm.name for arm in study.arms}
    others = [arm for arm in before.arms if arm.name not in asked]
    if not others:
        return study, []
    planned = replace(before, seeds=study.seeds, teacher_cache=study.teacher_cache)
    unfinished, begun = set(), set()
    for run in planned.runs(root):
        if not is_finished(run, root):
            unfinished.add(run.arm)
        if run_directory(root, run.name).is_begun:
            begun.add(run.arm)
    kept = _whole(others, asked, unfinished)
    names = asked | {arm.name for arm in kept}
    known = {arm.name: arm for arm in before.arms}
    serving = [_serving(arm, known.get(arm.name), kept) for arm in study.arms]
    arms = (*serving, *(_without(arm, names) for arm in kept))
    dropped = [arm for arm in others if arm.name not in names and arm.name in begun]
    remarks = []
    if kept:
        remarks.append(f"Finished before, and compared as well: {_listed(kept)}.")
    if dropped:
        remarks.append(
            f"Begun before, and neither trained nor compared now: {_listed(dropped)}. To go on "
            "with them, name them again."
        )
    contrasts = study.contrasts
    if contrasts or before.contrasts:
        own = {arm.name for arm in kept}
        still = [it for it in before.claims if own & {it.arm, it.against}]
        there = [it for it in still if {it.arm, it.against} <= names]
        contrasts = tuple(dict.fromkeys((*study.claims, *there)))
    return replace(study, arms=arms, contrasts=contrasts), remarks


def _whole(others: list[Arm], asked: set[str], unfinished: set[str]) -> list[Arm]:
    """The finished arms whose teacher and baseline are there too."""
    kept = [arm for arm in others if arm.name not in unfinished]
    while True:
        there = asked | {arm.name for arm in kept}
        whole = [arm for arm in kept if {arm.teacher, arm.baseline} <= {*there, None}]
        if len(whole) == len(kept):
            return kept
        kept = whole


def _serving(arm: Arm, before: Arm | None, kept: list[Arm]) -> Arm:
    """An arm that is a control also of those kept arms whose control it was."""
    if before is None:
        return arm
    served = [own.name for own in kept if own.name in before.control_of]
    return replace(arm, control_of=(*arm.control_of, *served))


def _without(arm: Arm, names: set[str]) -> Arm:
    return replace(arm, control_of=tuple(name for name in arm.control_of if name in names))


def _listed(arms: list[Arm]) -> str:
    return ", ".join(arm.name.replace("/", " ") for arm in arms)
