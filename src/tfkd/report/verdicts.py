"""What a study says about each claim, in sentences with their numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from tfkd.report.tables import number, signed
from tfkd.study.statistics import PairedDifference
from tfkd.study.summary import LEVEL, Row

Conclusion = Literal[
    "gain beyond controls",
    "gain, explained by a control",
    "gain, not told from a control",
    "gain, no control was run",
    "no gain can be told",
    "worse",
]

MEANING: dict[Conclusion, str] = {
    "gain beyond controls": "better than cross-entropy, and better than every control",
    "gain, explained by a control": "better than cross-entropy, but a control gains too, and the "
    "method is not shown to gain more",
    "gain, not told from a control": "better than cross-entropy, but not shown to be better than "
    "a control whose own gain is unsure",
    "gain, no control was run": "better than cross-entropy; what else explains it is not known",
    "no gain can be told": "the difference may be chance",
    "worse": "less accurate than cross-entropy",
}
"""The conclusions, in the order in which they are counted, and what each means."""


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
        elif difference.low <= 0.0 <= difference.high or difference.p_value > LEVEL:
            ending = "as it must: under SGD the two are the same training but for rounding."
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


def conclude_claim(row: Row, controls: dict[str, Row]) -> tuple[Conclusion, str]:
    """Decide what may be said of an arm, and on what it rests.

    A difference to the baseline counts where its p-value, corrected over all claims, is at most
    0.05. Beyond a control is what has an interval of the difference to it above 0; this needs no
    correction, for it must hold for every control.

    Args:
        row: an arm with a difference to its baseline.
        controls: rows of its controls, by their arms' names.
    """
    assert row.difference is not None and row.adjusted_p is not None
    told = row.adjusted_p <= LEVEL
    names = [
        name for name in row.over_controls if name in controls and _explains(controls[name], row)
    ]
    if told and row.difference.mean < 0.0:
        as_bad = [name for name in names if not _apart(row.over_controls[name])]
        bad = [name for name in as_bad if _below(controls[name].difference)]
        if bad:
            return "worse", f"So is {_join(controls, bad)}, from which it cannot be told."
        return "worse", ""
    if not told:
        return "no gain can be told", ""
    if not names:
        return "gain, no control was run", ""
    not_beyond = [name for name in names if not _above(row.over_controls[name])]
    if not not_beyond:
        return "gain beyond controls", "It is above each of its controls."
    gaining = [name for name in not_beyond if _above(controls[name].difference)]
    if gaining:
        return (
            "gain, explained by a control",
            f"It is not above {_join(controls, gaining)}, which has no teacher and gains as well.",
        )
    return (
        "gain, not told from a control",
        f"It is not above {_join(controls, not_beyond)}, though no gain of that is sure either.",
    )


def _verdict(row: Row, by_arm: dict[str, Row], claims: int) -> Verdict:
    difference = row.difference
    assert difference is not None
    conclusion, because = conclude_claim(row, by_arm)
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
    found = [control for control in found if _explains(control, row)]
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
    remark = "" if not published.remark else f" {published.remark.rstrip('.')}."
    return (
        f"The paper reports {published.accuracy:.2f}{spread} %{gain}, on its own data and networks."
        f"{remark}"
    )


def _explains(control: Row, row: Row) -> bool:
    """Whether a control may explain a gain: that which undoes the scale checks the machinery."""
    return control.arm.method != "undone" and control.arm.name != row.arm.name


def _above(difference: PairedDifference | None) -> bool:
    return difference is not None and difference.low > 0.0


def _below(difference: PairedDifference | None) -> bool:
    return difference is not None and difference.high < 0.0


def _apart(difference: PairedDifference) -> bool:
    return _above(difference) or _below(difference)


def _better(difference: PairedDifference) -> str:
    """Of a metric that is better where it is lower."""
    if _below(difference):
        return ", better"
    return ", worse" if _above(difference) else ""


def _join(controls: dict[str, Row], names: list[str]) -> str:
    titles = [controls[name].title for name in names]
    return titles[0] if len(titles) == 1 else f"{', '.join(titles[:-1])} or {titles[-1]}"


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
