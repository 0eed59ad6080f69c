"""A study in one row for each arm."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tfkd.runs import MethodSettings
from tfkd.study.methods import CONTROLS, DIALECTS, METHODS
from tfkd.study.plan import Arm, Study
from tfkd.study.statistics.differences import (
    PairedDifference,
    Summary,
    holm,
    paired_difference,
    summarise,
)

PERCENT = ("accuracy", "ece", "aurc", "train_accuracy", "teacher_accuracy")
"""Metrics that rows hold in percent; NLL is in nats, Brier has no unit, time is in seconds."""

SUMMARISED = (*PERCENT, "nll", "brier", "seconds")


@dataclass(frozen=True)
class Row:
    """One arm over its finished seeds; with nothing but arm and title where it has none.

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
    teacher: str | None = None
    metrics: dict[str, Summary] = field(default_factory=dict)
    differences: dict[str, PairedDifference] = field(default_factory=dict)
    adjusted_p: float | None = None
    over_controls: dict[str, PairedDifference] = field(default_factory=dict)

    @property
    def student(self) -> str:
        """The network that was trained; of a study on several data sets, with its data."""
        return student_of(self.arm)

    @property
    def method(self) -> str:
        """What was trained: a name of `METHODS` or `CONTROLS`."""
        return self.arm.method

    @property
    def dialect(self) -> str:
        """Whose formulas and numbers it has: a name of `DIALECTS`."""
        return self.arm.dialect

    @property
    def loss(self) -> MethodSettings:
        """What it was trained with."""
        return self.arm.loss

    @property
    def is_control(self) -> bool:
        """Whether the arm is there to explain others only."""
        return is_control(self.arm)

    @property
    def n(self) -> int:
        """Number of finished seeds."""
        return self.metrics["accuracy"].n if self.metrics else 0

    @property
    def accuracy(self) -> Summary:
        """Test accuracy in percent."""
        return self.metrics["accuracy"]

    @property
    def difference(self) -> PairedDifference | None:
        """Test accuracy minus the baseline's, in points."""
        return self.differences.get("accuracy")


def is_control(arm: Arm) -> bool:
    """Return whether an arm is there to explain others only."""
    return arm.method in CONTROLS


def student_of(arm: Arm) -> str:
    """Return the network that is trained; of a study on several data sets, with its data."""
    return arm.name.rpartition("/")[0]


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
    if is_control(arm):
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
    students = list(dict.fromkeys(student_of(arm) for arm in arms))
    arms.sort(key=lambda arm: (students.index(student_of(arm)), is_control(arm)))
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
            if is_control(arm) is are_controls
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
