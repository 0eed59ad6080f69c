"""What a study says about each claim, in sentences with their numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tfkd.report.conclusions import MEANING, Conclusion, above, below, conclude_claim, explains
from tfkd.report.tables import number, signed
from tfkd.study.statistics.differences import PairedDifference
from tfkd.study.summary import LEVEL, Row


@dataclass(frozen=True)
class Verdict:
    """What may be said of one claim: that an arm is better than its baseline.

    Attributes:
        row: the arm.
        conclusion: one of `MEANING`.
        headline: the difference and how sure it is.
        because: what the conclusion rests on.
        beside: sentences on calibration, and on what the paper reports.
        details: sentences on each further control, and on what could have been found.
    """

    row: Row
    conclusion: Conclusion
    headline: str
    because: str
    beside: tuple[str, ...]
    details: tuple[str, ...]


def verdicts(rows: list[Row]) -> list[Verdict]:
    """Return a verdict on every arm that is compared and is no control, in their order.

    Args:
        rows: of `tfkd.study.summary.summarise_study`.
    """
    by_arm = {row.arm.name: row for row in rows}
    claims = [row for row in rows if row.difference is not None and not row.is_control]
    return [_verdict(row, by_arm, len(claims)) for row in claims]


def machinery(rows: list[Row]) -> list[str]:
    """Return a sentence on each control that undoes the scale and must change nothing."""
    sentences = []
    for row in rows:
        difference = row.difference
        if row.arm.method != "undone" or difference is None:
            continue
        if math.isnan(difference.low):
            ending = "with one seed there is no interval, so this checks nothing yet."
        elif difference.low <= 0.0 <= difference.high:
            ending = "as it must: under SGD the two are the same training but for rounding."
        elif difference.p_value > LEVEL:
            ending = (
                "which should hold zero: under SGD the two are the same training but for "
                f"rounding. Chance alone can do this (p {difference.p_value:.2g}): so much may the "
                f"other intervals of {difference.n} seeds be off, too."
            )
        else:
            ending = (
                "but it must land on it, for under SGD the two are the same training but for "
                "rounding: something is wrong with the machinery, or chance was unkind."
            )
        sentences.append(
            f"{_named(row)} lands {_amount(difference)} from plain cross-entropy"
            f"{_interval(difference)}, {ending}"
        )
    return sentences


def control_sentences(rows: list[Row]) -> list[str]:
    """Return a sentence on what each control does by itself."""
    return [
        f"{_named(row)}: {_amount(row.difference)} {_over(row.difference)} cross-entropy"
        f"{_interval(row.difference)}, {_seeds(row.difference)}{_corrected(row)}."
        for row in rows
        if row.is_control and row.arm.method != "undone" and row.difference is not None
    ]


def count_conclusions(found: list[Verdict]) -> list[tuple[Conclusion, int]]:
    """Return how many claims have each conclusion, without those that none has."""
    counts = [(name, sum(verdict.conclusion == name for verdict in found)) for name in MEANING]
    return [(name, count) for name, count in counts if count]


def _verdict(row: Row, by_arm: dict[str, Row], claims: int) -> Verdict:
    difference = row.difference
    assert difference is not None
    conclusion, because = conclude_claim(row, by_arm, claims)
    taught = f", taught by {row.teacher}" if row.teacher else ""
    headline = (
        f"{_named(row)}{taught}: {_amount(difference)} {_over(difference)} cross-entropy"
        f"{_interval(difference)}, {_seeds(difference)}{_corrected(row)}"
    )
    controls = _controls(row, by_arm)
    if controls:
        headline += f"; {controls[0]}"
    details = [
        *(f"{text[0].upper()}{text[1:]}." for text in controls[1:]),
        _power(difference, claims),
    ]
    beside = tuple(filter(None, (_calibration(row, by_arm), _published(row))))
    return Verdict(row, conclusion, f"{headline}.", because, beside, tuple(details))


def _controls(row: Row, by_arm: dict[str, Row]) -> list[str]:
    """What each control gives, the loss scale first, and the method minus it."""
    order = ("scaled", "balanced", "smoothed", "label_smoothing", "double")
    found = [by_arm[name] for name in row.over_controls if name in by_arm]
    found = [control for control in found if explains(control, row)]
    found.sort(key=lambda c: order.index(c.arm.method) if c.arm.method in order else len(order))
    sentences = []
    for control in found:
        own, over = _gain_of(control, row), row.over_controls[control.arm.name]
        alone = {
            "scaled": "the same loss scale without a teacher",
            "balanced": "the same loss scale and balance with weight decay without a teacher",
            "smoothed": "an equivalent label smoothing",
            "label_smoothing": "an equivalent label smoothing",
            "double": "training twice as long without a teacher",
        }.get(control.arm.method, "a control")
        gives = "" if own is None else f" gives {signed(own)}"
        sentences.append(
            f"{alone}{gives} ({control.title}), method minus control {_amount(over)}"
            f"{_interval(over)}"
        )
    return sentences


def _gain_of(control: Row, row: Row) -> float | None:
    """The control minus the baseline, where it can be over the seeds that the method has."""
    over = row.over_controls[control.arm.name]
    if row.difference is not None and over.n == row.difference.n == row.accuracy.n:
        return row.difference.mean - over.mean
    return None if control.difference is None else control.difference.mean


def _calibration(row: Row, by_arm: dict[str, Row]) -> str:
    """The other metrics beside the baseline's."""
    baseline = by_arm.get(row.arm.baseline or "")
    if baseline is None:
        return ""
    parts = []
    for metric, name, unit, digits in (("ece", "ECE", " %", 1), ("nll", "NLL", "", 3)):
        difference = row.differences.get(metric)
        if difference is None:
            continue
        ours, theirs = row.metrics[metric].mean, baseline.metrics[metric].mean
        if difference.n == row.accuracy.n:  # of these seeds, if the baseline has more
            theirs = ours - difference.mean
        parts.append(
            f"{name} {number(ours, digits)}{unit} against {number(theirs, digits)}{unit} "
            f"({signed(difference.mean, digits)}{_interval(difference, digits)}"
            f"{_better(difference)})"
        )
    return f"Calibration and likelihood: {'; '.join(parts)}." if parts else ""


def _power(difference: PairedDifference, claims: int) -> str:
    """What so many seeds could have found."""
    if difference.n == 1:
        return "One seed tells nothing about chance."
    text = f"The smallest p possible with {difference.n} seeds is {difference.smallest_p:.2g}"
    if difference.smallest_p * claims > LEVEL and claims > 1:
        text += (
            f", too large to survive the correction for {claims} comparisons: this needs more seeds"
        )
    return (
        f"{text}. Before any correction they find a difference of {difference.detectable:.2f} "
        "points with 80 % power."
    )


def _published(row: Row) -> str:
    published = row.arm.published
    if published is None:
        return ""
    spread = "" if published.sd is None else f" ± {published.sd:.2f}"
    gain = "" if published.gain is None else f", {signed(published.gain)} over its baseline"
    text = (published.remark or "").rstrip(".")
    remark = f" {text[0].upper()}{text[1:]}." if text else ""
    return (
        f"The paper reports {published.accuracy:.2f}{spread} %{gain}, on its own data and networks."
        f"{remark}"
    )


def _better(difference: PairedDifference) -> str:
    """Of a metric that is better where it is lower."""
    if below(difference):
        return ", better"
    return ", worse" if above(difference) else ""


def _named(row: Row) -> str:
    return f"{row.title}{',' if ',' in row.title else ''} on {row.student}"


def _over(difference: PairedDifference) -> str:
    return "over" if float(f"{difference.mean:.2f}") >= 0.0 else "against"


def _amount(difference: PairedDifference) -> str:
    return f"{signed(difference.mean)} points"


def _interval(difference: PairedDifference, digits: int = 2) -> str:
    if math.isnan(difference.low):
        return ""
    low, high = number(difference.low, digits), number(difference.high, digits)
    return f", 95 % interval {low} to {high}"


def _seeds(difference: PairedDifference) -> str:
    return f"{difference.n} seed{'s' if difference.n > 1 else ''}"


def _corrected(row: Row) -> str:
    return "" if row.adjusted_p is None else f", corrected p {row.adjusted_p:.2g}"
