"""Labels that look wrong to networks that were not trained on them: each image's own fold's."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tfkd.method_table import BASELINE
from tfkd.report.number_text import number_of
from tfkd.report.pictures.answers import Answers
from tfkd.report.pictures.data_at_hand import data_at_hand
from tfkd.report.pictures.suspects import how_many, suspects_gallery, where_they_are
from tfkd.report.pictures.thumbnails import Thumbnails
from tfkd.report.pictures.wrong_labels import (
    CANDIDATES,
    RULE,
    why_no_candidates,
    wrong_labels,
)
from tfkd.report.section import Section
from tfkd.runs import RunDirectory
from tfkd.study.directory import run_directory
from tfkd.study.plan import Arm, Study


class _Judged(NamedTuple):
    """A fold, and what a network that was not trained on it says of it."""

    answers: Answers
    classes: tuple[str, ...]
    why_no_images: str


def labels_out_of_fold(study: Study, root: Path, *, data_root: str | None = None) -> Section | None:
    """Return the section on labels that look wrong, if the study has folds and finished runs.

    Args:
        study: the plan.
        root: the study's directory.
        data_root: where the images lie now; None: where the runs found them.
    """
    arm = next((arm for arm in study.arms if folds_of(arm) and arm.method.name == BASELINE), None)
    if arm is None:
        return None
    folds = folds_of(arm)
    runs = [run_directory(root, f"{arm.name}/seed-{s}") for s in range(min(study.seeds, folds))]
    judged = [found for run in runs if (found := _judged(run, data_root)) is not None]
    if not judged:
        return None
    classes = judged[0].classes
    parts = [each.answers for each in judged if each.classes == classes]
    why = next((each.why_no_images for each in judged if each.why_no_images), "")
    return labels_section(parts, classes, folds, why_no_pictures=why)


def folds_of(arm: Arm) -> int:
    """Return in how many folds the images of an arm are divided; 0 if they are not."""
    return arm.recipe.data.folds or 0


def labels_section(
    parts: list[Answers],
    classes: tuple[str, ...],
    folds: int,
    *,
    why_no_pictures: str = "",
    thumbnails: Thumbnails | None = None,
) -> Section:
    """Return the section on labels that look wrong.

    Args:
        parts: what the networks of different folds say, each of the images that it was tested on.
        classes: names.
        folds: so many there are in all.
        why_no_pictures: a sentence; empty if there are.
        thumbnails: makes the pictures; None: within the usual budget.
    """
    silent = why_no_candidates(parts)
    suspects = [] if silent else wrong_labels(parts)
    images = sum(map(len, parts))
    missing = "" if len(parts) == folds else f" Only {len(parts)} of {folds} folds are at hand."
    notes = (RULE, *where_they_are(parts[0], why_no_pictures))
    return Section(
        "labels",
        "Which labels look wrong?",
        f"{number_of(images, 'image')} {'was' if images == 1 else 'were'} looked at, each by a "
        "network trained with plain cross-entropy on the other folds alone. "
        + (silent or f"By these, {how_many(suspects)}. {CANDIDATES}")
        + missing,
        notes,
        galleries=(suspects_gallery(suspects, classes, thumbnails or Thumbnails(), "Out of fold"),)
        if suspects
        else (),
    )


def _judged(run: RunDirectory, data_root: str | None) -> _Judged | None:
    """A finished run on its fold; None of a damaged one, which the report names elsewhere."""
    try:
        if run.result() is None or (found := run.test_logits()) is None:
            return None
        identity = run.data()
        data, why = data_at_hand(run.stored(), identity, data_root)
    except (OSError, ValueError):
        return None
    if data is None:
        return _Judged(Answers("test", *found), identity.classes, why)
    answers = Answers("test", *found, data.test.official, data.test.indices)
    return _Judged(answers, identity.classes, "")
