"""What is to be known of a study before its differences are read."""

from __future__ import annotations

from collections.abc import Sequence

from tfkd.report.columns import DIGITS, scale_text
from tfkd.report.number_text import without_plus
from tfkd.study.summary import Row


def remarks(rows: Sequence[Row]) -> list[str]:
    """Return sentences on networks that only guess, and on losses of another scale; few or none."""
    return [*_guessing(rows), *_scales(rows)]


def _guessing(rows: Sequence[Row]) -> list[str]:
    sentences = []
    for student in dict.fromkeys(row.student for row in rows):
        found = [row for row in rows if row.student == student and row.only_guesses]
        if found and (guessing := found[0].guessing) is not None:
            arms = ", ".join(
                f"{row.title} ({without_plus(row.accuracy.mean)} %, NLL "
                f"{without_plus(row.metrics['nll'].mean, DIGITS['nll'])})"
                for row in found
            )
            sentences.append(
                f"No better than guessing on {student}, which gets {guessing.accuracy:.2f} % by "
                f"always answering one class, and an NLL of {guessing.nll:.3f} by equal "
                f"probabilities: {arms}."
            )
    return sentences


def _scales(rows: Sequence[Row]) -> list[str]:
    by_scale: dict[str, list[str]] = {}
    optimizers = {row.arm.name: row.arm.recipe.optimizer for row in rows}
    for row in sorted(rows, key=lambda row: -(row.scale or 1.0)):
        if optimizers.get(row.arm.baseline or "") not in (None, row.arm.recipe.optimizer):
            continue  # it has a learning rate or weight decay of its own
        if not row.is_control and (text := scale_text(row)) not in ("", "1"):
            titles = by_scale.setdefault(text, [])
            titles += [row.title] if row.title not in titles else []
    if not by_scale:
        return []
    listed = "; ".join(f"loss × {text}: {', '.join(arms)}" for text, arms in by_scale.items())
    return [f"{listed[0].upper()}{listed[1:]}. No learning rate was tuned for that."]
