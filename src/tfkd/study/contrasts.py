"""Contrasts as people type them: two names with a colon between them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from tfkd._checks import did_you_mean
from tfkd.method_table import full_name
from tfkd.study.plan import Arm, Contrast, Study


def with_contrasts(study: Study, texts: Sequence[str], worthwhile: float | None = None) -> Study:
    """Return a study that claims these contrasts, with the smallest difference worth having.

    Args:
        study: the plan.
        texts: each two names with a colon between them, of arms or, where one arm alone is meant,
            of methods; none: what the study claims of itself.
        worthwhile: the smallest difference worth having, in points; None: the study's own.

    Raises:
        ValueError: for a name that is no arm's, or of several, or a difference of 0 or less.
    """
    contrasts = tuple(_contrast(text, study) for text in texts)
    return replace(
        study,
        contrasts=contrasts or study.contrasts,
        worthwhile=study.worthwhile if worthwhile is None else worthwhile,
    )


def _contrast(text: str, study: Study) -> Contrast:
    parts = text.split(":")
    if len(parts) < 2:
        raise ValueError(
            f"Expected `contrasts` as ARM:OTHER, two names with a colon between them, got {text!r}."
        )
    problem: ValueError | None = None
    for cut in range(1, len(parts)):  # the name of a method of one's own has a colon itself
        try:
            arm = _arm(":".join(parts[:cut]), study, near=study.arms[0])
            against = _arm(":".join(parts[cut:]), study, near=arm)
        except ValueError as error:
            problem = problem or error
            continue
        if arm is against:
            raise ValueError(f"Expected two arms in {text!r} of `contrasts`, got one twice.")
        return Contrast(arm.name, against.name)
    raise problem or AssertionError(text)


def _arm(name: str, study: Study, *, near: Arm) -> Arm:
    """The arm that is meant; of several on different networks that on the network of another."""
    folder = full_name(name).replace(":", ".")
    for found in (
        [arm for arm in study.arms if arm.name == name],
        [arm for arm in study.arms if _last(arm) == name],
        [arm for arm in study.arms if _last(arm) == folder],
        [arm for arm in study.arms if arm.control is None and arm.method.name == full_name(name)],
        [arm for arm in study.arms if arm.control == name],
    ):
        beside = [arm for arm in found if arm.place == near.place] or found
        if len(beside) == 1:
            return beside[0]
        if beside:
            raise ValueError(
                f"Expected one arm for {name!r} in `contrasts`, got {_listed(beside)}."
            )
    known = {_last(arm): arm for arm in study.arms}
    raise ValueError(
        f"Expected an arm of the study in `contrasts`, one of {_listed(study.arms)}, got {name!r}."
        f"{did_you_mean(folder, [*known, *(arm.name for arm in study.arms)])}"
    )


def _last(arm: Arm) -> str:
    return arm.name.rpartition("/")[2]


def _listed(arms: Sequence[Arm]) -> str:
    return ", ".join(arm.name for arm in arms)
