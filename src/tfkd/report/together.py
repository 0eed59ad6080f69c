"""What is said of generations of networks, taken together."""

from __future__ import annotations

from tfkd.report.columns import DIGITS
from tfkd.report.number_text import mean_and_sd, number_of, with_sign
from tfkd.study.generations import Together
from tfkd.study.plan import of_folds
from tfkd.study.summary import student_of

METRICS = {"accuracy": "accuracy", "nll": "NLL", "ece": "ECE", "brier": "Brier", "aurc": "AURC"}
NO_UNIT = ("nll", "brier")


def sentences(found: list[Together]) -> list[str]:
    """Return a sentence on each chain of generations."""
    return [_sentence(together) for together in found]


def _sentence(together: Together) -> str:
    last, difference = together.last, together.over_last
    numbers = []
    for metric, name in METRICS.items():
        text = mean_and_sd(together.metrics[metric], DIGITS[metric])
        numbers.append(f"{name} {text}{'' if metric in NO_UNIT else ' %'}")
    seeds = of_folds(number_of(difference.n, "seed"), last.recipe.data.folds)
    return (
        f"{last.method.row.title} on {student_of(last)}, the mean of the probabilities of "
        f"generations 1 to {last.generation}: {', '.join(numbers)}; "
        f"{with_sign(difference.mean)} points against the last generation alone ({seeds})."
    )
