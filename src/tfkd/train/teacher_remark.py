"""Whether who teaches is who the method is named after; with another it is another method."""

from __future__ import annotations

from tfkd.method_table import METHODS
from tfkd.runs import RunDirectory, RunSettings, RunTeacher


def remark_on_teacher(settings: RunSettings) -> str | None:
    """Return a sentence where a method of the table is taught by another than it means, or None.

    Args:
        settings: of the run that is taught.

    Raises:
        FileNotFoundError: if the run that teaches is not there.
        ValueError: if it is damaged.
    """
    method, teacher = METHODS.get(settings.method.name), settings.teacher
    if method is None or teacher is None:
        return None
    name = method.name
    if not isinstance(teacher, RunTeacher):
        if method.taught_by == "itself" and teacher.model != settings.recipe.student:
            return _another_network(name, teacher.model, settings.recipe.student)
        return None
    run = RunDirectory(teacher.run)
    recipe = run.settings().recipe
    if method.taught_by == "itself" and recipe.student != settings.recipe.student:
        return _another_network(name, recipe.student, settings.recipe.student)
    if method.taught_by == "a barely trained network" and teacher.epoch in (None, recipe.epochs):
        kept = [epoch for epoch in run.snapshots() if epoch < recipe.epochs]
        instead = (
            f"--teacher-epoch takes the weights that it kept after {_listed(kept)}"
            if kept
            else "it kept none of before, which --save-epochs is for"
        )
        return (
            f"{name} is meant to be taught by a barely trained network, but {run.path} is fully "
            f"trained, {recipe.epochs} epochs; {instead}."
        )
    return None


def _another_network(name: str, teacher: str, student: str) -> str:
    return (
        f"{name} is meant to be taught by the same network, but {teacher} teaches {student}: that "
        "is knowledge_distillation."
    )


def _listed(epochs: list[int]) -> str:
    shown = ", ".join(map(str, epochs[:5]))
    more = f" and {len(epochs) - 5} others" if len(epochs) > 5 else ""
    return f"epoch{'s' if len(epochs) > 1 else ''} {shown}{more}"
