"""A study in one row for each arm, and what may be concluded from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfkd.study.methods import CONTROLS, DIALECTS, METHODS
from tfkd.study.plan import Arm, Study
from tfkd.study.statistics.differences import (
    PairedDifference,
    Summary,
    holm,
    paired_difference,
    seeds_needed,
    summarise,
)

LEVEL = 0.05

PERCENT = ("accuracy", "ece", "aurc", "train_accuracy", "teacher_accuracy")
"""Metrics that rows hold in percent; NLL is in nats, Brier has no unit, time is in seconds."""

SUMMARISED = (*PERCENT, "nll", "brier", "seconds")


@dataclass(frozen=True)
class Row:
    """One arm over its finished seeds.

    Attributes:
        arm: what was trained.
        title: method and dialect, as tables print them.
        teacher: the network that taught, `name@epoch` for a snapshot; None if none did.
        metrics: mean and sd over seeds of every metric of `SUMMARISED` that the runs have, in
            percent for those of `PERCENT`.
        differences: the same metrics minus the baseline's, paired by seed, except
            `teacher_accuracy`; empty for an arm that is compared with none, or without common
            seeds.
        adjusted_p: p-value of the accuracy after Holm's correction over the arms that are
            compared and are no controls; for a control, over the controls. None where there is
            no difference.
        over_controls: by the control's arm name, the accuracy minus the control's, in points.
    """

    arm: Arm
    title: str
    teacher: str | None
    metrics: dict[str, Summary]
    differences: dict[str, PairedDifference]
    adjusted_p: float | None
    over_controls: dict[str, PairedDifference]

    @property
    def student(self) -> str:
        """The network that was trained; of a study on several data sets, with its data."""
        return self.arm.name.rpartition("/")[0]

    @property
    def is_control(self) -> bool:
        """Whether the arm is there to explain others only."""
        return self.arm.method in CONTROLS

    @property
    def accuracy(self) -> Summary:
        """Test accuracy in percent."""
        return self.metrics["accuracy"]

    @property
    def difference(self) -> PairedDifference | None:
        """Test accuracy minus the baseline's, in points."""
        return self.differences.get("accuracy")


def title_of(arm: Arm) -> str:
    """Return what tables call an arm.

    Example:
        >>> from tfkd.runs import MethodSettings, RunSettings
        >>> loss = MethodSettings("cross_entropy", scale=0.06)
        >>> title_of(Arm("a/scaled-0.06", "scaled", loss, RunSettings()))
        'cross-entropy × 0.06'
    """
    title = {**METHODS, **CONTROLS}.get(arm.method, arm.method)
    if arm.method == "smoothed":
        return f"label smoothing ε = {arm.loss.alpha:g}"
    if arm.method in CONTROLS:
        scale = f"{arm.loss.scale:g}"
        title = title.replace("× s", f"× {scale}").replace("÷ s", f"÷ {scale}")
    if arm.dialect != "tfkd":
        title += f", {DIALECTS[arm.dialect]}"
    return title


def summarise_study(study: Study, records: list[dict[str, Any]]) -> list[Row]:
    """Return a row for each arm that has a finished run, students and arms in the plan's order.

    Args:
        study: the plan.
        records: of `tfkd.study.records.collect`, or read back from its file.
    """
    groups: dict[str, dict[int, dict[str, Any]]] = {}
    for record in records:
        groups.setdefault(record["arm"], {})[record["seed"]] = record
    arms = [arm for arm in study.arms if arm.name in groups]
    students = list(dict.fromkeys(arm.name.rpartition("/")[0] for arm in arms))
    arms.sort(key=lambda arm: (students.index(arm.name.rpartition("/")[0]), arm.method in CONTROLS))
    differences = {
        arm.name: {
            metric: _difference(groups[arm.name], groups.get(arm.baseline or "", {}), metric)
            for metric in SUMMARISED
            if metric != "teacher_accuracy"
        }
        for arm in arms
    }
    adjusted: dict[str, float] = {}
    for are_controls in (False, True):
        family = {
            arm.name: difference.p_value
            for arm in arms
            if (arm.method in CONTROLS) is are_controls
            for difference in [differences[arm.name]["accuracy"]]
            if difference is not None
        }
        adjusted |= dict(zip(family, holm(list(family.values())), strict=True))
    rows = []
    for arm in arms:
        runs = list(groups[arm.name].values())
        over = {
            control.name: _difference(groups[arm.name], groups[control.name], "accuracy")
            for control in arms
            if arm.name in control.control_of
        }
        rows.append(
            Row(
                arm=arm,
                title=title_of(arm),
                teacher=runs[0]["teacher"],
                metrics={
                    metric: summarise([_value(run, metric) for run in runs])
                    for metric in SUMMARISED
                    if all(run[metric] is not None for run in runs)
                },
                differences=_known(differences[arm.name]),
                adjusted_p=adjusted.get(arm.name),
                over_controls=_known(over),
            )
        )
    return rows


def conclude(rows: list[Row]) -> str:
    """Say in words what the accuracies allow one to conclude, at level 0.05 after Holm."""
    compared = [
        (row, row.difference, row.adjusted_p)
        for row in rows
        if row.difference is not None and row.adjusted_p is not None and not row.is_control
    ]
    if not compared:
        return "Nothing was compared: no method but cross-entropy was run."
    seeds = min(difference.n for _, difference, _ in compared)
    smallest = max(difference.smallest_p for _, difference, _ in compared)
    hint = _how_many_seeds([(row, difference) for row, difference, _ in compared])
    if smallest * len(compared) > LEVEL:
        verdict = (
            f"Nothing can be concluded yet: over {len(compared)} comparisons no corrected p below "
            f"{min(smallest * len(compared), 1.0):.2g} is possible with {seeds} "
            f"seed{'s' if seeds > 1 else ''}."
        )
        return f"{verdict} {hint}".strip()
    told_apart = [entry for entry in compared if entry[2] <= LEVEL]
    if not told_apart:
        return (
            f"No method can be told from cross-entropy by its accuracy with {seeds} seeds "
            f"(Holm-corrected p above {LEVEL:g} for all). {hint}"
        ).strip()
    sentences = [
        f"{row.title} on {row.student}: {difference.mean:+.2f} points to cross-entropy "
        f"(corrected p {p:.2g})"
        for row, difference, p in told_apart
    ]
    rest = len(compared) - len(told_apart)
    ending = f"; {rest} of {len(compared)} methods cannot be told from it" if rest else ""
    return f"With {seeds} seeds: {'; '.join(sentences)}{ending}."


def _how_many_seeds(compared: list[tuple[Row, PairedDifference]]) -> str:
    """How many seeds would show the largest of the observed differences."""
    known = [
        (row, difference) for row, difference in compared if difference.n > 1 and difference.sd > 0
    ]
    if not known:
        return ""
    row, difference = max(known, key=lambda pair: abs(pair[1].mean) / pair[1].sd)
    needed = seeds_needed(difference.mean, difference.sd, level=LEVEL / len(compared))
    seeds = "more than 1000" if needed is None else f"about {needed}"
    return (
        f"If {row.title}'s {difference.mean:+.2f} on {row.student} (sd {difference.sd:.2f}) is "
        f"real, {seeds} seeds would show it with 80 % power."
    )


def _difference(
    runs: dict[int, dict[str, Any]], others: dict[int, dict[str, Any]], metric: str
) -> PairedDifference | None:
    """A metric of the runs minus the same seed's of others, over the seeds that both have."""
    seeds = sorted(set(runs) & set(others))
    if not seeds:
        return None
    return paired_difference(
        [_value(runs[seed], metric) for seed in seeds],
        [_value(others[seed], metric) for seed in seeds],
    )


def _known(found: dict[str, PairedDifference | None]) -> dict[str, PairedDifference]:
    return {name: difference for name, difference in found.items() if difference is not None}


def _value(record: dict[str, Any], metric: str) -> float:
    value: float = record[metric]
    return 100.0 * value if metric in PERCENT else value
