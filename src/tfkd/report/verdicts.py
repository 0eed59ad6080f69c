"""What a study says about each claim, in sentences with their numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tfkd.report.columns import DIGITS
from tfkd.report.number_text import interval_text, number_of, with_sign, without_plus
from tfkd.study.conclusions import Claim, Measured, check_machinery, explaining_controls
from tfkd.study.plan import of_folds
from tfkd.study.statistics.differences import PairedDifference
from tfkd.study.statistics.power import LEVEL, least_seeds
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
    return [_verdict(claim, by_arm) for claim in claims]


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
                "so this checks nothing yet."
                if difference.n > 1
                else f"with {of_folds('one seed', folds)} there is no interval, so this checks "
                "nothing yet."
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
            f"{_or_none(row, difference)}, {ending}"
        )
    return sentences


def control_sentences(rows: list[Row]) -> list[str]:
    """Return a sentence on what each control does by itself."""
    return [
        f"{_named(row)}: {_to('cross-entropy', row.difference)}"
        f"{_or_none(row, row.difference)}, {_seeds(row, row.difference)}{_corrected(row)}."
        for row in rows
        if row.is_control and row.method != "undone" and row.difference is not None
    ]


def _verdict(claim: Claim, by_arm: dict[str, Row]) -> Verdict:
    row, difference = claim.row, claim.difference
    taught = f", taught by {row.teacher}" if row.teacher else ""
    headline = (
        f"{_named(row)}{taught}: {_to(claim.against.title, difference)}"
        f"{_or_none(row, difference)}, {_seeds(row, difference)}, corrected p "
        f"{claim.corrected_p:.2g}"
    )
    controls = _controls(row, by_arm) if claim.to_baseline else []
    if controls:
        headline += f"; {controls[0]}"
    details = (
        *(f"{text[0].upper()}{text[1:]}." for text in controls[1:]),
        *_calibration(claim, ("brier", "augrc")),
        of_folds(_findable(claim), claim.folds),
    )
    beside = (
        *_calibration(claim, ("nll", "ece", "aurc")),
        *filter(None, (_for_new_images(claim), _published(row))),
    )
    return Verdict(claim, f"{headline}.", beside, details)


_WITHOUT_TEACHER = {
    "scaled": "the same loss scale without a teacher",
    "uninformed": "the same loss with a teacher that knows nothing",
    "balanced": "the same loss scale, with weight decay times it as the method has not,",
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


_METRICS = {
    "nll": ("NLL", ""),
    "ece": ("ECE", " %"),
    "brier": ("Brier", ""),
    "aurc": ("AURC", " %"),
    "augrc": ("AUGRC", " %"),
}


def _calibration(claim: Claim, metrics: tuple[str, ...]) -> tuple[str, ...]:
    """Each metric beside the other arm's, as it comes and after one temperature."""
    sentences = []
    for metric in metrics:
        if metric not in claim.metrics:
            continue
        name, unit = _METRICS[metric]
        text = f"{name} {_beside(claim, metric, unit)}"
        calibrated = f"calibrated_{metric}"
        if calibrated in claim.metrics:
            text += f"; after one temperature {_beside(claim, calibrated, unit)}"
            if metric in claim.undone:
                text += ": undone by one temperature"
            elif metric in claim.mended:
                text += ": mended by one temperature"
            elif metric in claim.left_open:
                text += ": left open by one temperature"
        sentences.append(f"{text}.")
    return tuple(sentences)


def _beside(claim: Claim, metric: str, unit: str) -> str:
    """Both means, and their difference with its interval and verdict."""
    found: Measured = claim.metrics[metric]
    difference, digits = found.difference, DIGITS[metric]
    ours, theirs = claim.row.metrics[metric].mean, claim.against.metrics[metric].mean
    if difference.n == claim.row.n:  # of these seeds, if the other has more
        theirs = ours - difference.mean
    this, that = (f"{without_plus(value, digits)}{unit}" for value in (ours, theirs))
    told = f", {found.verdict}" if found.verdict in ("better", "worse") else ""
    return (
        f"{this} against {that} ({with_sign(difference.mean, digits)}"
        f"{_interval(difference, digits)}{told})"
    )


def _for_new_images(claim: Claim) -> str:
    """The interval of the accuracy for other test images too, and whether it undoes the verdict."""
    found = claim.for_new_images.get("accuracy")
    if found is None or math.isnan(found.low):
        return ""
    text = (
        f"For other test images as well as other seeds the 95 % interval is "
        f"{interval_text(found.low, found.high)}: of the standard error {found.by_seeds:.2f} "
        f"points are the seeds', {found.by_images:.2f} these {found.images:,} images'"
    )
    if claim.told and not claim.holds_for_new_images:
        text += ". It holds 0: the verdict is of these test images, and may not hold for others"
    return of_folds(f"{text}.", claim.folds)


def _findable(claim: Claim) -> str:
    """What so many seeds could have found, by the tests of the verdicts."""
    difference = claim.difference
    if difference.n == 1:
        return "One seed tells nothing about chance."
    seeds = number_of(difference.n, "seed")
    text = f"The smallest p possible with {seeds} is {difference.smallest_p:.2g}"
    if difference.smallest_p > LEVEL:
        return f"{text}: no difference can be told, however large. It takes {least_seeds()} seeds."
    over = f" over {number_of(claim.family, 'claim')}" if claim.family > 1 else ""
    if claim.detectable > LARGEST:
        return f"{text}. Corrected{over} they find no difference that an accuracy can have."
    if claim.detectable < 0.005:
        return f"{text}. The differences are the same with every seed: any other would be found."
    return (
        f"{text}. Corrected{over} they find a difference of {claim.detectable:.2f} points with "
        "80 % power."
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


def _named(row: Row) -> str:
    return f"{row.title}{',' if ',' in row.title else ''} on {row.student}"


def _to(other: str, difference: PairedDifference) -> str:
    """The difference in words; what is printed as nothing is neither a gain nor a loss."""
    printed = float(f"{difference.mean:.2f}")
    if printed == 0.0:
        return f"as accurate as {other}, to 0.01 points"
    return f"{_amount(difference)} {'over' if printed > 0.0 else 'against'} {other}"


def _amount(difference: PairedDifference) -> str:
    return f"{with_sign(difference.mean)} points"


def _interval(difference: PairedDifference, digits: int = 2) -> str:
    if not difference.has_interval:
        return ""
    found = interval_text(difference.low, difference.high, digits)
    if found != "no spread":
        return f", 95 % interval {found}"
    if with_sign(difference.sd, digits) == with_sign(0.0, digits):
        return ", the same with every seed"
    return f", 95 % interval shorter than {10.0**-digits:g}"


def _or_none(row: Row, difference: PairedDifference) -> str:
    """The interval, or that two seeds have none."""
    if difference.has_interval or difference.n == 1:
        return _interval(difference)
    return of_folds(", no interval with two seeds", row.arm.recipe.data.folds)


def _seeds(row: Row, difference: PairedDifference) -> str:
    return of_folds(number_of(difference.n, "seed"), row.arm.recipe.data.folds)


def _corrected(row: Row) -> str:
    return "" if row.adjusted_p is None else f", corrected p {row.adjusted_p:.2g}"
