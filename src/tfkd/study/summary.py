"""A comparison in one row for each student and method, and what may be concluded from it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tfkd.study.comparison_plan import BASELINE, METHODS
from tfkd.study.statistics import (
    PairedDifference,
    Summary,
    holm,
    paired_difference,
    seeds_needed,
    summarise,
)

LEVEL = 0.05


@dataclass(frozen=True)
class ComparisonRow:
    """One method on one student.

    Attributes:
        student: the network that was trained.
        title: the method, as the paper calls it.
        teacher: the network that taught it, `name@epoch` for a snapshot; None if none did.
        teacher_accuracy: mean accuracy of the teacher, in percent.
        accuracy: test accuracy over seeds, in percent.
        difference: of the accuracy to cross-entropy, in points, paired by seed; None for the
            baseline itself.
        adjusted_p: its p-value after Holm's correction over all rows.
        nll: mean negative log-likelihood, in nats.
        ece: mean expected calibration error, in percent.
        aurc: mean area under the risk-coverage curve, in percent.
        seconds: mean training time of one run, its teacher's not included.
    """

    student: str
    title: str
    teacher: str | None
    teacher_accuracy: float | None
    accuracy: Summary
    difference: PairedDifference | None
    adjusted_p: float | None
    nll: float
    ece: float
    aurc: float
    seconds: float


def summarise_comparison(records: list[dict[str, Any]]) -> list[ComparisonRow]:
    """Return the rows of a comparison, students and methods in the order of the records.

    Args:
        records: one for each run, as `run_comparison` returns them.
    """
    groups: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
    for record in sorted(records, key=lambda r: list(METHODS).index(r["method"])):
        groups.setdefault((record["student"], record["method"]), {})[record["seed"]] = record
    students = list(dict.fromkeys(record["student"] for record in records))
    differences = {}
    for (student, method), by_seed in groups.items():
        baseline = groups.get((student, BASELINE), {})
        seeds = sorted(set(by_seed) & set(baseline))
        if method != BASELINE and seeds:
            differences[student, method] = paired_difference(
                [100 * by_seed[seed]["accuracy"] for seed in seeds],
                [100 * baseline[seed]["accuracy"] for seed in seeds],
            )
    adjusted = dict(zip(differences, holm([d.p_value for d in differences.values()]), strict=True))
    rows = []
    for student in students:
        for (this, method), by_seed in groups.items():
            if this != student:
                continue
            runs = list(by_seed.values())
            taught = runs[0]["teacher"] is not None
            rows.append(
                ComparisonRow(
                    student=student,
                    title=METHODS[method].title,
                    teacher=runs[0]["teacher"],
                    teacher_accuracy=100 * _mean(runs, "teacher_accuracy") if taught else None,
                    accuracy=summarise([100 * run["accuracy"] for run in runs]),
                    difference=differences.get((student, method)),
                    adjusted_p=adjusted.get((student, method)),
                    nll=_mean(runs, "nll"),
                    ece=100 * _mean(runs, "ece"),
                    aurc=100 * _mean(runs, "aurc"),
                    seconds=_mean(runs, "seconds"),
                )
            )
    return rows


def conclude(rows: list[ComparisonRow]) -> str:
    """Say in words what the accuracies allow one to conclude, at level 0.05 after Holm."""
    compared = [row for row in rows if row.difference is not None]
    if not compared:
        return "Nothing was compared: no method but cross-entropy was run."
    seeds = min(row.difference.n for row in compared if row.difference)
    smallest = max(row.difference.smallest_p for row in compared if row.difference)
    if smallest * len(compared) > LEVEL:
        verdict = (
            f"Nothing can be concluded yet: over {len(compared)} comparisons no corrected p below "
            f"{min(smallest * len(compared), 1.0):.2g} is possible with {seeds} "
            f"seed{'s' if seeds > 1 else ''}."
        )
        return f"{verdict} {_how_many_seeds(compared)}".strip()
    told_apart = [row for row in compared if row.adjusted_p is not None and row.adjusted_p <= LEVEL]
    if not told_apart:
        return (
            f"No method can be told from cross-entropy by its accuracy with {seeds} seeds "
            f"(Holm-corrected p above {LEVEL:g} for all). {_how_many_seeds(compared)}"
        ).strip()
    sentences = [
        f"{row.title} on {row.student}: {_signed(row)} points to cross-entropy "
        f"(corrected p {row.adjusted_p:.2g})"
        for row in told_apart
    ]
    rest = len(compared) - len(told_apart)
    ending = f"; {rest} of {len(compared)} methods cannot be told from it" if rest else ""
    return f"With {seeds} seeds: {'; '.join(sentences)}{ending}."


def _how_many_seeds(compared: list[ComparisonRow]) -> str:
    """How many seeds would show the largest of the observed differences."""
    known = [
        (row, row.difference)
        for row in compared
        if row.difference is not None and row.difference.n > 1 and row.difference.sd > 0
    ]
    if not known:
        return ""
    row, difference = max(known, key=lambda pair: abs(pair[1].mean) / pair[1].sd)
    needed = seeds_needed(difference.mean, difference.sd, level=LEVEL / len(compared))
    seeds = "more than 1000" if needed is None else f"about {needed}"
    return (
        f"If {row.title}'s {_signed(row)} on {row.student} (sd {difference.sd:.2f}) is real, "
        f"{seeds} seeds would show it with 80 % power."
    )


def _signed(row: ComparisonRow) -> str:
    return "" if row.difference is None else f"{row.difference.mean:+.2f}"


def _mean(runs: list[dict[str, Any]], name: str) -> float:
    return math.fsum(run[name] for run in runs) / len(runs)
