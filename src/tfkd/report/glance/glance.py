"""The first figure of the page: all that a study says of one network, one line a method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tfkd.report.columns import DIGITS
from tfkd.report.figures.beyond import BEYOND
from tfkd.report.figures.limits import MOST_ARMS, MOST_PANELS, within_limit
from tfkd.report.glance.axis import Axis, axis_over
from tfkd.report.glance.cost import Cost, cost_of
from tfkd.report.glance.strip import Mark, Strip, ends_of, in_words, mark
from tfkd.report.number_text import without_plus
from tfkd.report.seconds import seconds_of
from tfkd.report.study_data import StudyData
from tfkd.report.tables import Table, Value
from tfkd.study.conclusions import Claim
from tfkd.study.statistics.differences import PairedDifference
from tfkd.study.summary import Row

Differences = Mapping[str, PairedDifference]
"""By metric."""

RAW_STRETCHES = 3.0
"""Times the range of the calibrated differences, which those before it widen at most."""


@dataclass(frozen=True)
class Measure:
    """What is compared.

    Attributes:
        metric: of a row.
        name: in a word.
        heading: of its column.
        better: on which side.
        unit: of the baseline's own value.
    """

    metric: str
    name: str
    heading: str
    better: str
    unit: str = ""

    @property
    def calibrated(self) -> str:
        """The same after one temperature; the accuracy is then the same."""
        return self.metric if self.metric == "accuracy" else f"calibrated_{self.metric}"


MEASURES = (
    Measure("accuracy", "accuracy", "accuracy, points", "better →", " %"),
    Measure("nll", "NLL", "NLL, nats", "← better"),
    Measure("aurc", "AURC", "AURC, points", "← better", " %"),
)


@dataclass(frozen=True)
class Line:
    """One arm.

    Attributes:
        title: what it is called.
        taught_by: a network's name; empty if none taught.
        over: what it is held against, if that is not its baseline.
        verdict: in words; empty of baseline and controls.
        tone: "gain", "worse" or "open"; empty without a verdict.
        is_control: whether it is there to explain others only.
        strips: one for each of `MEASURES`.
        cost: None where it is not known.
        seconds: of the baseline; else empty.
    """

    title: str
    taught_by: str
    over: str
    verdict: str
    tone: str
    is_control: bool
    strips: tuple[Strip, ...]
    cost: Cost | None
    seconds: str = ""

    def strips_on(self, axes: Sequence[Axis]) -> list[tuple[Strip, Axis]]:
        """Return each strip with its axis."""
        return list(zip(self.strips, axes, strict=True))


@dataclass(frozen=True)
class Glance:
    """All of one network.

    Attributes:
        student: its name.
        axes: of each of `MEASURES`.
        band: where the differences too small to be worth having begin and end, in percent of the
            first axis.
        lines: the baseline, the methods from the best on, other contrasts, then the controls.
        longest: the largest cost, at which the bars of the column end.
        left_out: a sentence on what is not drawn; empty if all is.
    """

    student: str
    axes: tuple[Axis, ...]
    band: tuple[float, float]
    lines: tuple[Line, ...]
    longest: float
    left_out: str

    measures = MEASURES

    @property
    def has_controls(self) -> bool:
        """Whether some lines are shaded."""
        return any(line.is_control for line in self.lines)

    @property
    def has_contrasts(self) -> bool:
        """Whether some are held against something else than their baseline."""
        return any(line.over for line in self.lines)

    @property
    def has_calibrated(self) -> bool:
        """Whether some strips are told twice."""
        return any(strip.before for line in self.lines for strip in line.strips)

    def width(self, times: float) -> float:
        """Return how long the bar of a cost is, in percent."""
        return round(100.0 * times / self.longest, 1)

    def table(self) -> Table:
        """Return the same as text, for those who see no colours."""
        rows = []
        for line in self.lines:
            cells = [strip.words for strip in line.strips]
            cost = line.seconds
            if line.cost is not None and not line.seconds:
                cost = ", ".join(filter(None, (line.cost.text, line.cost.with_teacher)))
            verdict = "control" if line.is_control else line.verdict
            title = line.title
            if line.taught_by and line.taught_by not in title:
                title += f", by {line.taught_by}"
            title += f", over {line.over}" if line.over else ""
            rows.append((title, verdict, *cells, cost))
        headings = (measure.heading for measure in MEASURES)
        return Table(
            f"At a glance: student {self.student}",
            (self.student, "verdict", *headings, "time"),
            tuple(rows),
        )


def glances(data: StudyData, claims: Sequence[Claim]) -> list[Glance]:
    """Return one for each network with something to compare.

    Args:
        data: the study.
        claims: of `tfkd.study.conclusions.conclude_claims`.
    """
    compared = [row for row in data.rows if row.difference is not None]
    students = list(dict.fromkeys(row.student for row in compared))
    shown, left_out = within_limit(students, MOST_PANELS, "students", str)
    found = []
    for place, student in enumerate(shown):
        rows = [row for row in compared if row.student == student]
        last = left_out if place == len(shown) - 1 else ""
        found.append(_glance(data, student, rows, claims, last))
    return found


def numbers(data: StudyData, claims: Sequence[Claim]) -> Table:
    """Return the numbers behind the strips of every arm, in full."""
    verdicts = {claim.row.arm.name: claim.name for claim in claims if claim.to_baseline}
    metrics = [
        metric
        for measure in MEASURES
        for metric in dict.fromkeys((measure.metric, measure.calibrated))
    ]
    columns = [
        column
        for metric in metrics
        for column in (f"{metric} difference", f"{metric} low", f"{metric} high")
    ]
    compared = [
        (row, "", "control" if row.is_control else verdicts.get(row.arm.name, ""), row.differences)
        for row in data.rows
        if row.difference is not None
    ]
    compared += [
        (claim.row, data.name_in_figure(claim.against), claim.name, dict(_differences(claim)))
        for claim in claims
        if not claim.to_baseline
    ]
    values: list[tuple[Value, ...]] = []
    for row, over, verdict, differences in compared:
        cells: list[Value] = []
        for metric in metrics:
            found = differences.get(metric)
            cells += [None] * 3 if found is None else [found.mean, found.low, found.high]
        cost = cost_of(data, row, data.by_arm.get(row.arm.baseline or ""))
        values.append(
            (
                row.student,
                data.name_in_figure(row),
                over,
                verdict,
                differences["accuracy"].n,
                *cells,
                None if cost is None else cost.own,
                None if cost is None else cost.total,
            )
        )
    return Table(
        "Differences to the baseline, or to what stands under over; times over the baseline's",
        ("student", "arm", "over", "verdict", "n", *columns, "time", "time with the teacher's"),
        tuple(values),
    )


def tone_of(claim: Claim) -> str:
    """Return "gain", "worse" or "open": how a verdict is coloured."""
    if claim.conclusion in ("worse", "no better than guessing"):
        return "worse"
    return "gain" if claim.conclusion.startswith("better") else "open"


def _glance(
    data: StudyData, student: str, rows: list[Row], claims: Sequence[Claim], left_out: str
) -> Glance:
    first, too_many = within_limit(rows, MOST_ARMS, f"arms of {student}", data.name_in_figure)
    contrasts = [
        claim for claim in claims if claim.row.student == student and not claim.to_baseline
    ][:MOST_ARMS]
    learned: list[Differences] = [row.differences for row in first if not row.only_guesses]
    learned += [_differences(claim) for claim in contrasts if not claim.row.only_guesses]
    worthwhile = data.study.worthwhile
    axes = tuple(
        _axis(measure, learned or [row.differences for row in first], worthwhile)
        for measure in MEASURES
    )
    baseline = data.by_arm.get(first[0].arm.baseline or "")
    of_arm = {claim.row.arm.name: claim for claim in claims if claim.to_baseline}

    def line(row: Row, claim: Claim | None, differences: Differences, over: str = "") -> Line:
        return Line(
            data.name_in_figure(row),
            row.teacher or "",
            over,
            "" if claim is None else _verdict(claim),
            "" if claim is None else tone_of(claim),
            row.is_control and not over,
            tuple(
                _strip(measure, differences, axis, claim)
                for measure, axis in zip(MEASURES, axes, strict=True)
            ),
            cost_of(data, row, baseline),
        )

    def gain(row: Row) -> tuple[bool, float]:
        return row.only_guesses, -row.differences["accuracy"].mean

    lines = [] if baseline is None else [_of_baseline(data, baseline)]
    ordered = sorted(first, key=gain)
    own = [line(row, of_arm.get(row.arm.name), row.differences) for row in ordered]
    lines += [each for each in own if not each.is_control]
    lines += [
        line(claim.row, claim, _differences(claim), data.name_in_figure(claim.against))
        for claim in contrasts
    ]
    lines += [each for each in own if each.is_control]
    is_beyond = any(mark.beyond for line in lines for strip in line.strips for mark in strip.marks)
    costs = [line.cost.total for line in lines if line.cost is not None]
    return Glance(
        student,
        axes,
        (axes[0].place(-worthwhile), axes[0].place(worthwhile)),
        tuple(lines),
        max(costs, default=1.0),
        " ".join(filter(None, (too_many, BEYOND if is_beyond else "", left_out))),
    )


def _differences(claim: Claim) -> Differences:
    return {metric: found.difference for metric, found in claim.metrics.items()}


def _axis(measure: Measure, found: Sequence[Differences], worthwhile: float) -> Axis:
    raw = [end for each in found for end in ends_of(each.get(measure.metric))]
    if measure.metric == "accuracy":
        return axis_over(raw, also=(-worthwhile, worthwhile))
    after = [end for each in found for end in ends_of(each.get(measure.calibrated))]
    if not after:
        return axis_over(raw)
    narrow, wide = axis_over(after), axis_over(raw + after)
    most = RAW_STRETCHES * (narrow.high - narrow.low)
    return wide if wide.high - wide.low <= most else narrow


def _strip(measure: Measure, found: Differences, axis: Axis, claim: Claim | None) -> Strip:
    raw, after = found.get(measure.metric), found.get(measure.calibrated)
    digits = DIGITS[measure.metric]
    if raw is None:
        return Strip(measure.name, (), "")
    told = "" if claim is None else _told(claim, measure)
    is_accuracy = measure.metric == "accuracy"
    if is_accuracy or after is None:
        marks: tuple[Mark, ...] = (mark(raw, axis, calibrated=is_accuracy),)
        return Strip(measure.name, marks, *in_words(raw, digits), told=told)
    return Strip(
        measure.name,
        (mark(raw, axis, calibrated=False), mark(after, axis, calibrated=True)),
        *in_words(after, digits),
        *in_words(raw, digits),
        told=told,
    )


def _verdict(claim: Claim) -> str:
    """The verdict; where an interval leaves out 0 and it is not told apart, the p that says why."""
    found = claim.metrics["accuracy"]
    leaves_out_0 = found.difference.low > 0.0 or found.difference.high < 0.0
    if claim.conclusion == "not told apart" and found.difference.has_interval and leaves_out_0:
        return f"{claim.name}, corrected p {found.adjusted_p:.2g}"
    return claim.name


def _told(claim: Claim, measure: Measure) -> str:
    """Better or worse, of what the verdict's badge does not tell."""
    found = claim.metrics.get(measure.calibrated) or claim.metrics.get(measure.metric)
    if measure.metric == "accuracy" or found is None:
        return ""
    return found.verdict if found.verdict in ("better", "worse") else ""


def _of_baseline(data: StudyData, row: Row) -> Line:
    """The baseline's own values, from which the differences are taken."""
    strips = []
    for measure in MEASURES:
        digits = DIGITS[measure.metric]
        raw, after = row.metrics.get(measure.metric), row.metrics.get(measure.calibrated)
        values = [
            "" if each is None else f"{without_plus(each.mean, digits)}{measure.unit}"
            for each in (raw, after)
        ]
        if measure.metric == "accuracy" or after is None:
            strips.append(Strip(measure.name, (), values[0]))
        else:
            strips.append(Strip(measure.name, (), values[1], before=values[0]))
    seconds = seconds_of(data, row)
    return Line(
        data.name_in_figure(row),
        "",
        "",
        "",
        "",
        False,
        tuple(strips),
        Cost(1.0, 1.0) if seconds > 0.0 else None,
        f"{seconds:.0f} s" if seconds >= 9.95 else f"{seconds:.1f} s",
    )
