"""The rule by which a method is recommended: only what a comparison tells, else cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tfkd.study.conclusions import Claim

Purpose = Literal["accuracy", "calibration", "selection"]
"""What a method shall be good for."""


@dataclass(frozen=True)
class Measure:
    """What decides, for a purpose.

    Attributes:
        metric: of `tfkd.study.summary.CLAIMED`.
        title: in words.
        unit: behind its differences.
        digits: of its differences.
    """

    metric: str
    title: str
    unit: str = ""
    digits: int = 2

    def text(self, value: float) -> str:
        """Return a difference as it is printed."""
        return f"{value:+.{self.digits}f}"


MEASURES: dict[Purpose, Measure] = {
    "accuracy": Measure("accuracy", "accuracy", " points"),
    "calibration": Measure("calibrated_nll", "NLL after temperature scaling", digits=3),
    "selection": Measure("calibrated_aurc", "AURC after temperature scaling", " points"),
}
"""By purpose. All networks have one temperature that is fitted on validation data: what such a
number alone can mend is no reason for another method."""


@dataclass(frozen=True)
class Choice:
    """What is recommended.

    Attributes:
        claim: the method's, against cross-entropy; None: cross-entropy itself.
        others: told to be better as well, by less.
        not_told: of which it is not told whether they are better.
        no_better: told to be no better: worse, or by less than is worth having.
    """

    claim: Claim | None
    others: tuple[Claim, ...] = ()
    not_told: tuple[Claim, ...] = ()
    no_better: tuple[Claim, ...] = ()

    @property
    def compared(self) -> bool:
        """Whether any method was compared with cross-entropy."""
        return bool(self.claim or self.others or self.not_told or self.no_better)


def choose(claims: Sequence[Claim], purpose: Purpose) -> Choice:
    """Return the method that a comparison tells to be better than cross-entropy, if it tells one.

    Better is what the test over all claims of the comparison tells on the metric of the purpose
    (p at most .05, an interval that leaves out 0), in accuracy by an amount that may be worth
    having. Of several that with the largest difference is taken. Otherwise it is cross-entropy: a
    difference that is not told is no reason.

    Args:
        claims: of `tfkd.study.conclusions.conclude_claims`; those against the baseline count.
        purpose: what the method shall be good for.
    """
    measure = MEASURES[purpose]
    better, not_told, no_better = [], [], []
    for claim in claims:
        found = claim.metrics.get(measure.metric)
        if not claim.to_baseline or found is None:
            continue
        small = purpose == "accuracy" and claim.conclusion == "no difference worth having"
        if claim.row.only_guesses or found.verdict == "worse" or small:
            no_better.append(claim)
        elif found.verdict == "better":
            better.append(claim)
        else:
            not_told.append(claim)
    better.sort(key=lambda claim: -abs(claim.metrics[measure.metric].difference.mean))
    first = better[0] if better else None
    return Choice(first, tuple(better[1:]), tuple(not_told), tuple(no_better))


def sentence(choice: Choice, purpose: Purpose, data: str) -> str:
    """Return the recommendation in one sentence.

    Args:
        choice: of `choose`.
        purpose: likewise.
        data: what people call the data.
    """
    if choice.claim is None and not choice.compared:
        return (
            f"Nothing was compared on {data}, so that this is where one starts and no finding: "
            "train with plain cross-entropy and divide its logits by the temperature that is "
            "fitted on validation data."
        )
    if choice.claim is None:
        return (
            f"On {data} train with plain cross-entropy and divide its logits by the temperature "
            f"that is fitted on validation data: no other method was told to be better in "
            f"{MEASURES[purpose].title}."
        )
    return (
        f"On {data} train with {choice.claim.row.title}: {told(choice.claim, purpose)} to "
        "cross-entropy at its best."
    )


def told(claim: Claim, purpose: Purpose) -> str:
    """Return a difference with its interval, p-value and number of seeds, in words."""
    measure = MEASURES[purpose]
    found = claim.metrics[measure.metric]
    difference = found.difference
    interval = ""
    if difference.has_interval:
        low, high = measure.text(difference.low), measure.text(difference.high)
        interval = f"95 % interval {low} to {high}, "
    return (
        f"{measure.title} {measure.text(difference.mean)}{measure.unit} "
        f"({interval}corrected p {found.adjusted_p:.2g}, {difference.n} seeds)"
    )


def what_was_not_told(choice: Choice, purpose: Purpose) -> list[str]:
    """Return sentences on the other methods."""
    lines = [f"{claim.row.title} is better too: {told(claim, purpose)}." for claim in choice.others]
    lines += [
        f"Not told apart from cross-entropy: {claim.row.title}, {told(claim, purpose)}."
        for claim in choice.not_told
    ]
    lines += [
        f"No better than guessing: {claim.row.title}."
        if claim.row.only_guesses
        else f"No better than cross-entropy: {claim.row.title}, {told(claim, purpose)}."
        for claim in choice.no_better
    ]
    return lines
