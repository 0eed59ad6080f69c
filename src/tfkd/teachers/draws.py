"""Where draws from a teacher's softmax may stand for it."""

from __future__ import annotations

from torch import nn

from tfkd.teachers.cached import CachedTeacher


def check_no_draws(teacher: nn.Module, where: str) -> None:
    """Raise `ValueError` for a cache of draws, also one within a teacher that wraps others.

    Draws have the teacher's probabilities as their average. So has a loss, or another teacher, that
    is linear in them, as the divergence is but for a constant; of others the average is another.

    Args:
        teacher: who is asked.
        where: draws are not right on average, as "`decoupled`".
    """
    for found in teacher.modules():
        if isinstance(found, CachedTeacher) and found.form.startswith("sampled-"):
            raise ValueError(
                f"Expected no teacher cache of draws with {where}, got {found.form} in "
                f"{found.path}: draws are right on average only where the loss is the divergence "
                "from the teacher's own probabilities. Take float32, float16 or top-K."
            )
