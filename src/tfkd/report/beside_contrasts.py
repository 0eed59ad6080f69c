"""What a study says beside its contrasts: slopes, and differences between differences."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tfkd.report.number_text import interval_text, number_of, true_minus, with_sign
from tfkd.study.interaction import difference_of
from tfkd.study.over_seeds import told
from tfkd.study.plan import Study, of_folds
from tfkd.study.records import Record
from tfkd.study.slope import Slope, slopes
from tfkd.study.statistics.differences import PairedDifference


def beside_contrasts(study: Study, records: Sequence[Record]) -> list[str]:
    """Return a sentence or two on each slope, and on each interaction that the study asks for.

    Args:
        study: the plan.
        records: of its finished runs.
    """
    folds = study.arms[0].recipe.data.folds
    said = [*map(_of_slope, slopes(study, records)), *_of_interactions(study, records)]
    return [of_folds(sentence, folds) for sentence in said]


def difference_words(
    difference: PairedDifference, *, digits: int = 2, unit: str = "points", with_p: bool = True
) -> str:
    """Return mean, interval, seeds and p-value.

    Args:
        difference: between two arms, or to zero.
        digits: behind the point.
        unit: of the mean.
        with_p: whether the p-value is said.
    """
    parts = [f"{with_sign(difference.mean, digits)} {unit}"]
    if not math.isnan(difference.low):
        ends = interval_text(difference.low, difference.high, digits)
        same = ends == "no spread"
        parts.append("the same with every seed" if same else f"95 % interval {ends}")
    parts.append(number_of(difference.n, "seed"))
    if with_p and difference.n > 1:
        parts.append(f"p {difference.p_value:.2g}")
    return ", ".join(parts)


def _of_slope(slope: Slope) -> str:
    stages = f"{slope.worst:.1f} to {slope.best:.1f} %"
    text = (
        f"{slope.student} taught by {len(slope.arms)} stages of {slope.teacher}, {stages}: "
        f"{difference_words(slope.difference, digits=3)}, for each point of the teacher's accuracy"
    )
    if math.isnan(slope.difference.low):
        return f"{text}. There is no interval yet."
    low, high = slope.room
    verdict = {
        "above": "A better teacher makes a better student",
        "below": "A better teacher makes a worse student",
        "no difference worth having": "The teacher's accuracy makes no difference worth having",
        "not told apart": "Whether the teacher's accuracy matters is not told",
        "too few seeds": f"{number_of(slope.difference.n, 'seed')} cannot tell it from chance, "
        "however large",
    }[told(slope.difference, worthwhile=slope.worthwhile)]
    return (
        f"{text}. The interval leaves room for {true_minus(f'{low:.2f}')} to "
        f"{true_minus(f'{high:.2f}')} points between the worst and the best teacher. {verdict}."
    )


def _of_interactions(study: Study, records: Sequence[Record]) -> list[str]:
    sentences = []
    for interaction in study.interactions:
        difference = difference_of(interaction, records)
        if difference is not None:
            answer = {
                "above": "more",
                "below": "less",
                "no difference worth having": "no difference worth having",
                "not told apart": "not told apart",
                "too few seeds": "too few seeds to tell",
            }[told(difference, worthwhile=study.worthwhile)]
            sentences.append(f"{interaction.question} {difference_words(difference)}: {answer}.")
    return sentences
