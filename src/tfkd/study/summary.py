"""A study in one row for each arm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tfkd.data.settings import DataSettings
from tfkd.method_table import DIALECTS
from tfkd.study.guessing import Guessing
from tfkd.study.plan import CONTROLS, Arm, Study
from tfkd.study.records import Record
from tfkd.study.statistics.differences import (
    PairedDifference,
    Summary,
    holm,
    paired_difference,
    summarise,
)

PERCENT = (
    "accuracy",
    "ece",
    "smooth_ece",
    "aurc",
    "augrc",
    "calibrated_ece",
    "calibrated_smooth_ece",
    "calibrated_aurc",
    "calibrated_augrc",
    "train_accuracy",
    "teacher_accuracy",
)
"""Metrics that rows hold in percent; NLL is in nats, Brier has no unit, time is in seconds."""

SUMMARISED = (
    *PERCENT,
    "nll",
    "brier",
    "calibrated_nll",
    "calibrated_brier",
    "temperature",
    "seconds",
)


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
        guessing: what it gets that has learned nothing; None if that is not known.
        scale: of the loss, `tfkd.study.controls.loss_scale`; None if it is not known.
    """

    arm: Arm
    title: str
    teacher: str | None = None
    metrics: dict[str, Summary] = field(default_factory=dict)
    differences: dict[str, PairedDifference] = field(default_factory=dict)
    adjusted_p: float | None = None
    over_controls: dict[str, PairedDifference] = field(default_factory=dict)
    guessing: Guessing | None = None
    scale: float | None = None

    @property
    def student(self) -> str:
        """The network that was trained; of a study on several data sets, with its data."""
        return student_of(self.arm)

    @property
    def method(self) -> str:
        """What was trained: a name of `METHODS`, of one's own, or of `CONTROLS`."""
        return self.arm.control or self.arm.method.name

    @property
    def dialect(self) -> str:
        """Whose formulas and numbers it has: a name of `DIALECTS`."""
        return self.arm.method.dialect

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
    def only_guesses(self) -> bool:
        """Whether it is known to be no better than guessing, in the mean over seeds."""
        if self.guessing is None or not self.metrics:
            return False
        return self.guessing.is_no_worse(self.accuracy.mean, self.metrics["nll"].mean)

    @property
    def difference(self) -> PairedDifference | None:
        """Test accuracy minus the baseline's, in points."""
        return self.differences.get("accuracy")


def is_control(arm: Arm) -> bool:
    """Return whether an arm is there to explain others only."""
    return arm.control is not None


def student_of(arm: Arm) -> str:
    """Return the network that is trained; of a study on several data sets, with its data."""
    return arm.place


def title_of(arm: Arm) -> str:
    """Return what tables call an arm.

    Example:
        >>> from tfkd.runs import MethodSettings, Recipe
        >>> method = MethodSettings("cross_entropy", numbers={"scale": 0.06})
        >>> title_of(Arm("a/scaled-0.06", method, Recipe(), control="scaled"))
        'cross-entropy × 0.06'
    """
    method = arm.method
    if arm.control == "smoothed":
        return f"label smoothing ε = {method.numbers['alpha']:g}"
    if arm.control is not None:
        scale = f"{method.numbers['scale']:g}"
        return CONTROLS[arm.control].replace("× s", f"× {scale}").replace("÷ s", f"÷ {scale}")
    dialect = "" if method.dialect == "tfkd" else f", {DIALECTS[method.dialect]}"
    generation = "" if arm.generation == 1 else f", generation {arm.generation}"
    return f"{method.row.title}{dialect}{generation}"


def summarise_study(
    study: Study,
    records: list[Record],
    guessing: Mapping[DataSettings, Guessing] | None = None,
) -> list[Row]:
    """Return a row for each arm that has a finished run, students and arms in the plan's order.

    Args:
        study: the plan.
        records: of `tfkd.study.records.collect`, or read back from its file.
        guessing: of `tfkd.study.guessing.guessing_of`, by data; None: nothing is said of it.
    """
    groups: dict[str, dict[int, Record]] = {}
    for record in records:
        groups.setdefault(record.arm, {})[record.seed] = record
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
        guess = (guessing or {}).get(arm.recipe.data)
        rows.append(
            Row(
                arm=arm,
                title=title_of(arm),
                teacher=runs[0].teacher,
                metrics={
                    metric: summarise([_value(run, metric) for run in runs])
                    for metric in SUMMARISED
                    if all(getattr(run, metric) is not None for run in runs)
                },
                differences=_known(differences[arm.name]),
                adjusted_p=adjusted.get(arm.name),
                over_controls=_known(over),
                guessing=guess,
                scale=None if guess is None else _scale(arm, guess.classes),
            )
        )
    return rows


def _scale(arm: Arm, classes: int) -> float | None:
    """The scale of an arm's loss; None of a method of one's own that does not tell."""
    from tfkd.study.controls import loss_scale

    try:
        return loss_scale(arm.method, classes, epochs=arm.recipe.epochs)
    except Exception:  # it may ask more of its teacher than a stand-in has
        return None


def _difference(
    runs: dict[int, Record], others: dict[int, Record], metric: str
) -> PairedDifference | None:
    """A metric of the runs minus the same seed's of others, over the seeds that both have."""
    seeds = sorted(set(runs) & set(others))
    compared = [*(runs[seed] for seed in seeds), *(others[seed] for seed in seeds)]
    if not seeds or any(getattr(run, metric) is None for run in compared):
        return None
    return paired_difference(
        [_value(runs[seed], metric) for seed in seeds],
        [_value(others[seed], metric) for seed in seeds],
    )


def _known(found: dict[str, PairedDifference | None]) -> dict[str, PairedDifference]:
    return {name: difference for name, difference in found.items() if difference is not None}


def _value(record: Record, metric: str) -> float:
    value: float = getattr(record, metric)
    return 100.0 * value if metric in PERCENT else value
