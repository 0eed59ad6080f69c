"""What a study says about each claim, in sentences with their numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tfkd.report.columns import DIGITS
from tfkd.report.number_text import interval_text, number_of, with_sign, without_plus
from tfkd.study.conclusions import (
    LEVEL,
    Claim,
    above,
    below,
    check_machinery,
    explaining_controls,
)
from tfkd.study.plan import of_folds
from tfkd.study.statistics.differences import PairedDifference
from tfkd.study.summary import Row

LARGEST = 100.0
"""Points that two accuracies can differ by."""


@dataclass(frozen=True)
class Verdict:
    """A claim in words.

    Attributes:
        claim: what may be said of it, and why.
        headline: the difference and how sure it is.
        beside: sentences on calibration, and on what the paper reports.
        details: sentences on each further control, and on what could have been found.
    """

    claim: Claim
    headline: str
    beside: tuple[str, ...]
    details: tuple[str, ...]


def verdicts(claims: list[Claim], rows: list[Row]) -> list[Verdict]:
    """Return every claim in words.

    Args:
        claims: of `tfkd.study.conclusions.conclude_claims`.
        rows: that it made them of.
    """
    by_arm = {row.arm.name: row for row in rows}
    return [_verdict(claim, by_arm, len(claims)) for claim in claims]


def machinery(rows: list[Row]) -> list[str]:
    """Return a sentence on each control that undoes the scale and must change nothing."""
    sentences = []
    for row in rows:
        difference = row.difference
        if row.method != "undone" or difference is None:
            continue
        folds = row.arm.recipe.data.folds
        ending = {
            "no interval": (
                f"with {of_folds('one seed', folds)} there is no interval, so this checks nothing "
                "yet."
            ),
            "holds": "as it must: under SGD the two are the same training but for rounding.",
            "may be chance": (
                "which should hold zero: under SGD the two are the same training but for "
                f"rounding. Chance alone can do this (p {difference.p_value:.2g}): so much may the "
                f"other intervals of {_seeds(row, difference)} be off, too."
            ),
            "off": (
                "but it must land on it, for under SGD the two are the same training but for "
                "rounding: something is wrong with the machinery, or chance was unkind."
            ),
        }[check_machinery(difference)]
        sentences.append(
            f"{_named(row)} lands {_amount(difference)} from plain cross-entropy"
            f"{_interval(difference)}, {ending}"
        )
    return sentences


def control_sentences(rows: list[Row]) -> list[str]:
    """Return a sentence on what each control does by itself."""
    return [
        f"{_named(row)}: {_to_cross_entropy(row.difference)}"
        f"{_interval(row.difference)}, {_seeds(row, row.difference)}{_corrected(row)}."
        for row in rows
        if row.is_control and row.method != "undone" and row.difference is not None
    ]


def _verdict(claim: Claim, by_arm: dict[str, Row], claims: int) -> Verdict:
    row, difference = claim.row, claim.difference
    taught = f", taught by {row.teacher}" if row.teacher else ""
    headline = (
        f"{_named(row)}{taught}: {_to_cross_entropy(difference)}"
        f"{_interval(difference)}, {_seeds(row, difference)}{_corrected(row)}"
    )
    controls = _controls(row, by_arm)
    if controls:
        headline += f"; {controls[0]}"
    details = (
        *(f"{text[0].upper()}{text[1:]}." for text in controls[1:]),
        of_folds(_findable(difference, claims), claim.folds),
    )
    beside = tuple(filter(None, (_calibration(row, by_arm), _published(row))))
    return Verdict(claim, f"{headline}.", beside, details)


_WITHOUT_TEACHER = {
    "scaled": "the same loss scale without a teacher",
    "balanced": "the same loss scale and balance with weight decay without a teacher",
    "smoothed": "an equivalent label smoothing",
    "label_smoothing": "an equivalent label smoothing",
    "double": "training twice as long without a teacher",
}
"""What an arm is as a control, in the order in which they are told."""


def _controls(row: Row, by_arm: dict[str, Row]) -> list[str]:
    """What each control gives, the loss scale first, and the method minus it."""
    order = list(_WITHOUT_TEACHER)
    found = explaining_controls(row, by_arm)
    found.sort(key=lambda each: order.index(each.method) if each.method in order else len(order))
    sentences = []
    for control in found:
        own, over = _gain_of(control, row), row.over_controls[control.arm.name]
        alone = _WITHOUT_TEACHER.get(control.method, "a control")
        gives = "" if own is None else f" gives {with_sign(own)}"
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
    for metric, name, unit in (("ece", "ECE", " %"), ("nll", "NLL", "")):
        difference = row.differences.get(metric)
        if difference is None:
            continue
        digits = DIGITS[metric]
        ours, theirs = row.metrics[metric].mean, baseline.metrics[metric].mean
        if difference.n == row.accuracy.n:  # of these seeds, if the baseline has more
            theirs = ours - difference.mean
        this, that = (f"{without_plus(value, digits)}{unit}" for value in (ours, theirs))
        parts.append(
            f"{name} {this} against {that} "
            f"({with_sign(difference.mean, digits)}{_interval(difference, digits)}"
            f"{_better_or_worse(difference)})"
        )
    return f"Calibration and likelihood: {'; '.join(parts)}." if parts else ""


def _findable(difference: PairedDifference, claims: int) -> str:
    """What so many seeds could have found."""
    if difference.n == 1:
        return "One seed tells nothing about chance."
    seeds = number_of(difference.n, "seed")
    text = f"The smallest p possible with {seeds} is {difference.smallest_p:.2g}"
    if difference.smallest_p * claims > LEVEL and claims > 1:
        text += (
            f", too large to survive the correction for {claims} comparisons: this needs more seeds"
        )
    if difference.detectable > LARGEST:
        return f"{text}. Before any correction they find no difference that an accuracy can have."
    if difference.detectable < 0.005:
        return f"{text}. The differences are the same with every seed: any other would be found."
    return (
        f"{text}. Before any correction they find a difference of {difference.detectable:.2f} "
        "points with 80 % power."
    )


def _published(row: Row) -> str:
    published = row.arm.published
    if published is None:
        return ""
    spread = "" if published.sd is None else f" ± {published.sd:.2f}"
    gain = "" if published.gain is None else f", {with_sign(published.gain)} over its baseline"
    text = (published.remark or "").rstrip(".")
    remark = f" {text[0].upper()}{text[1:]}." if text else ""
    return (
        f"The paper reports {published.accuracy:.2f}{spread} %{gain}, on its own data and networks."
        f"{remark}"
    )


def _better_or_worse(difference: PairedDifference) -> str:
    """Of a metric that is better where it is lower."""
    if below(difference):
        return ", better"
    return ", worse" if above(difference) else ""


def _named(row: Row) -> str:
    return f"{row.title}{',' if ',' in row.title else ''} on {row.student}"


def _to_cross_entropy(difference: PairedDifference) -> str:
    """The difference in words; what is printed as nothing is neither a gain nor a loss."""
    printed = float(f"{difference.mean:.2f}")
    if printed == 0.0:
        return "as accurate as cross-entropy, to 0.01 points"
    return f"{_amount(difference)} {'over' if printed > 0.0 else 'against'} cross-entropy"


def _amount(difference: PairedDifference) -> str:
    return f"{with_sign(difference.mean)} points"


def _interval(difference: PairedDifference, digits: int = 2) -> str:
    if math.isnan(difference.low):
        return ""
    found = interval_text(difference.low, difference.high, digits)
    if found != "no spread":
        return f", 95 % interval {found}"
    if with_sign(difference.sd, digits) == with_sign(0.0, digits):
        return ", the same with every seed"
    return f", 95 % interval shorter than {10.0**-digits:g}"


def _seeds(row: Row, difference: PairedDifference) -> str:
    return of_folds(number_of(difference.n, "seed"), row.arm.recipe.data.folds)


def _corrected(row: Row) -> str:
    return "" if row.adjusted_p is None else f", corrected p {row.adjusted_p:.2g}"
