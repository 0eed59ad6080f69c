"""A study in one row for each arm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tfkd.data.settings import DataSettings
from tfkd.method_table import DIALECTS
from tfkd.study.compared import (
    PERCENT,
    Compared,
    claims_of,
    compare_family,
    difference_of,
    value_of,
)
from tfkd.study.guessing import Guessing
from tfkd.study.plan import CONTROLS, Arm, Contrast, Study
from tfkd.study.records import Record
from tfkd.study.statistics.differences import PairedDifference, Summary, summarise

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
        adjusted_p: p-value of the accuracy's difference to the baseline, corrected over the study's
            claims if it is one of them; for a control, over the controls. None for others.
        claims: by the name of the other arm, what the study claims of this one against it: by
            metric of `CLAIMED`, for those that the runs have.
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
    claims: dict[str, dict[str, Compared]] = field(default_factory=dict)
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
    if arm.title is not None:
        return arm.title
    method = arm.method
    if arm.control == "smoothed":
        return f"label smoothing ε = {method.numbers['alpha']:g}"
    if arm.control == "uninformed":
        return _uninformed(method.numbers)
    if arm.control is not None:
        scale = f"{method.numbers['scale']:g}"
        return CONTROLS[arm.control].replace("× s", f"× {scale}").replace("÷ s", f"÷ {scale}")
    dialect = "" if method.dialect == "tfkd" else f", {DIALECTS[method.dialect]}"
    generation = "" if arm.generation == 1 else f", generation {arm.generation}"
    return f"{method.row.title}{dialect}{generation}"


def _uninformed(numbers: Mapping[str, float]) -> str:
    scale = f", × {numbers['scale']:g}" if numbers["scale"] != 1.0 else ""
    temperature = numbers.get("temperature", 1.0)  # at 1 it is label smoothing
    return f"uninformed α = {numbers['alpha']:g}, τ = {temperature:g}{scale}"


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
            metric: difference_of(groups[arm.name], groups.get(arm.baseline or ""), metric)
            for metric in SUMMARISED
            if metric != "teacher_accuracy"
        }
        for arm in arms
    }
    claims = claims_of(study, groups)
    controls = [
        Contrast(arm.name, arm.baseline)
        for arm in arms
        if is_control(arm) and arm.baseline is not None
    ]
    of_controls = compare_family(controls, groups, "accuracy")
    rows = []
    for arm in arms:
        runs = list(groups[arm.name].values())
        over = {
            control.name: difference_of(groups[arm.name], groups[control.name], "accuracy")
            for control in arms
            if arm.name in control.control_of
        }
        guess = (guessing or {}).get(arm.recipe.data)
        claimed = claims.get(arm.name, {})
        to_baseline = claimed.get(arm.baseline or "", {}).get("accuracy")
        if is_control(arm):
            to_baseline = of_controls.get(Contrast(arm.name, arm.baseline or ""))
        rows.append(
            Row(
                arm=arm,
                title=title_of(arm),
                teacher=runs[0].teacher,
                metrics={
                    metric: summarise([value_of(run, metric) for run in runs])
                    for metric in SUMMARISED
                    if all(getattr(run, metric) is not None for run in runs)
                },
                differences=_known(differences[arm.name]),
                adjusted_p=None if to_baseline is None else to_baseline.adjusted_p,
                over_controls=_known(over),
                claims=claimed,
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


def _known(found: dict[str, PairedDifference | None]) -> dict[str, PairedDifference]:
    return {name: difference for name, difference in found.items() if difference is not None}
