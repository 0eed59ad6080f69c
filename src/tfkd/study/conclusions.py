"""What may be concluded of a study: of each claim beside its controls, and of all together.

The one rulebook, from which the terminal and the page of a report say the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from tfkd.study.plan import of_folds
from tfkd.study.statistics.differences import PairedDifference
from tfkd.study.statistics.power import seeds_needed
from tfkd.study.summary import Row

LEVEL = 0.05
"""The largest p-value by which a difference is told from chance."""

Conclusion = Literal[
    "gain beyond controls",
    "gain, explained by a control",
    "gain, not told from a control",
    "gain, no control was run",
    "no gain can be told",
    "too few seeds to tell",
    "worse",
    "no better than guessing",
]

MEANING: dict[Conclusion, str] = {
    "gain beyond controls": "better than cross-entropy, and better than every control",
    "gain, explained by a control": "better than cross-entropy, but a control gains too, and the "
    "method is not shown to gain more",
    "gain, not told from a control": "better than cross-entropy, but not shown to be better than "
    "a control whose own gain is unsure",
    "gain, no control was run": "better than cross-entropy; what else explains it is not known",
    "no gain can be told": "the difference may be chance",
    "too few seeds to tell": "corrected for the number of claims, no difference could be told from "
    "chance, however large",
    "worse": "less accurate than cross-entropy",
    "no better than guessing": "as accurate as always answering one class, give or take chance, or "
    "not much more, with an NLL far above that of equal probabilities",
}
"""The conclusions, in the order in which they are counted, and what each means."""


MachineryCheck = Literal["no interval", "holds", "may be chance", "off"]


@dataclass(frozen=True)
class Claim:
    """What may be said of one claim: that an arm is better than its baseline.

    Attributes:
        row: the arm.
        difference: to its baseline.
        corrected_p: p-value of it, corrected over all claims.
        told: whether the difference is told from chance.
        conclusion: one of `MEANING`.
        because: what the conclusion rests on; empty if on the difference alone.
    """

    row: Row
    difference: PairedDifference
    corrected_p: float
    told: bool
    conclusion: Conclusion
    because: str

    @property
    def folds(self) -> int | None:
        """Folds of the cross-validation that the runs are of; None if they are of seeds alone."""
        return self.row.arm.recipe.data.folds

    @property
    def name(self) -> str:
        """The conclusion, in words: of folds where the runs are of folds."""
        return of_folds(self.conclusion, self.folds)


def conclude_claims(rows: list[Row]) -> list[Claim]:
    """Return what may be said of every arm that is compared and is no control, in their order.

    A difference to the baseline counts where its p-value, corrected over all claims, is at most
    0.05. Beyond a control is what has an interval of the difference to it above 0, and a p-value
    of at most 0.05; this needs no correction, for it must hold for every control.

    Args:
        rows: of `tfkd.study.summary.summarise_study`.
    """
    by_arm = {row.arm.name: row for row in rows}
    compared = [
        (row, row.difference, row.adjusted_p)
        for row in rows
        if row.difference is not None and row.adjusted_p is not None and not row.is_control
    ]
    claims = []
    for row, difference, p in compared:
        told, controls = p <= LEVEL, explaining_controls(row, by_arm)
        conclusion, because = _conclude(row, difference, told, controls, len(compared))
        claims.append(Claim(row, difference, p, told, conclusion, because))
    return claims


def conclude(claims: list[Claim]) -> str:
    """Say in words what the claims together allow one to conclude."""
    if not claims:
        return "Nothing was compared: no method but cross-entropy was run."
    numbers = [claim.difference.n for claim in claims]
    count = " to ".join(str(n) for n in sorted({min(numbers), max(numbers)}))
    seeds = of_folds(f"{count} seed{'' if count == '1' else 's'}", claims[0].folds)
    told = [claim for claim in claims if claim.told]
    if told:
        sentences = [
            f"{claim.row.title} on {claim.row.student}: {claim.difference.mean:+.2f} points to "
            f"cross-entropy (corrected p {claim.corrected_p:.2g}"
            f"{', no better than guessing' if claim.row.only_guesses else ''})"
            for claim in told
        ]
        rest = len(claims) - len(told)
        ending = f"; {rest} of {len(claims)} methods cannot be told from it" if rest else ""
        return f"With {seeds}: {'; '.join(sentences)}{ending}."
    if all(claim.difference.smallest_p * len(claims) > LEVEL for claim in claims):
        smallest = min(claim.difference.smallest_p for claim in claims) * len(claims)
        verdict = (
            f"Nothing can be concluded yet: over {len(claims)} "
            f"comparison{'' if len(claims) == 1 else 's'} no corrected p below "
            f"{min(smallest, 1.0):.2g} is possible with {seeds}."
        )
    else:
        verdict = (
            f"No method can be told from cross-entropy by its accuracy with {seeds} "
            f"(Holm-corrected p above {LEVEL:g} for all)."
        )
    return f"{verdict} {_how_many_seeds(claims)}".strip()


def count_conclusions(claims: list[Claim]) -> list[tuple[Conclusion, int]]:
    """Return how many claims have each conclusion, without those that none has."""
    counts = [(name, sum(claim.conclusion == name for claim in claims)) for name in MEANING]
    return [(name, count) for name, count in counts if count]


def check_machinery(difference: PairedDifference) -> MachineryCheck:
    """Say whether a control that undoes the loss scale lands on its baseline, as it must."""
    if math.isnan(difference.low):
        return "no interval"
    if difference.low <= 0.0 <= difference.high:
        return "holds"
    return "may be chance" if difference.p_value > LEVEL else "off"


def explaining_controls(row: Row, by_arm: dict[str, Row]) -> list[Row]:
    """Return the controls that may explain an arm's gain.

    Not the arm itself, which may be another's control; nor what undoes the scale, which is
    cross-entropy again and checks the machinery.

    Args:
        row: the arm.
        by_arm: all rows by their arms' names.
    """
    found = [by_arm[name] for name in row.over_controls if name in by_arm]
    return [other for other in found if other.method != "undone" and other is not row]


def above(difference: PairedDifference | None) -> bool:
    """Return whether the interval lies above 0, and so many seeds can tell."""
    return difference is not None and difference.low > 0.0 and difference.p_value <= LEVEL


def below(difference: PairedDifference | None) -> bool:
    """Return whether the interval lies below 0, and so many seeds can tell."""
    return difference is not None and difference.high < 0.0 and difference.p_value <= LEVEL


def _conclude(
    row: Row, difference: PairedDifference, told: bool, controls: list[Row], claims: int
) -> tuple[Conclusion, str]:
    """Decide what may be said of an arm, and on what it rests."""
    if row.only_guesses:
        return "no better than guessing", ""

    def over(control: Row) -> PairedDifference:
        return row.over_controls[control.arm.name]

    if told and difference.mean < 0.0:
        as_bad = [each for each in controls if not above(over(each)) and not below(over(each))]
        bad = [each for each in as_bad if below(each.difference)]
        because = f"So is {_titles(bad)}, from which it cannot be told." if bad else ""
        return "worse", because
    if not told:
        too_few = difference.smallest_p * claims > LEVEL
        return ("too few seeds to tell" if too_few else "no gain can be told"), ""
    if not controls:
        return "gain, no control was run", ""
    not_beyond = [each for each in controls if not above(over(each))]
    if not not_beyond:
        return "gain beyond controls", "It is above each of its controls."
    gaining = [each for each in not_beyond if above(each.difference)]
    if gaining:
        return (
            "gain, explained by a control",
            f"It is not above {_titles(gaining)}, which has no teacher and gains as well.",
        )
    return (
        "gain, not told from a control",
        f"It is not above {_titles(not_beyond)}, though no gain of that is sure either.",
    )


def _titles(controls: list[Row]) -> str:
    titles = [control.title for control in controls]
    return titles[0] if len(titles) == 1 else f"{', '.join(titles[:-1])} or {titles[-1]}"


def _how_many_seeds(claims: list[Claim]) -> str:
    """How many seeds would show the largest of the observed differences that mean something."""
    known = [
        claim
        for claim in claims
        if claim.difference.n > 1 and claim.difference.sd > 0 and not claim.row.only_guesses
    ]
    if not known:
        return ""
    largest = max(known, key=lambda claim: abs(claim.difference.mean) / claim.difference.sd)
    row, difference = largest.row, largest.difference
    if abs(difference.mean) < 0.005:  # as printed it would be nothing
        return ""
    needed = seeds_needed(difference.mean, difference.sd, level=LEVEL / len(claims))
    seeds = "more than 1000" if needed is None else f"about {needed}"
    return (
        f"If {row.title}'s {difference.mean:+.2f} on {row.student} (sd {difference.sd:.2f}) is "
        f"real, {seeds} {of_folds('seeds', largest.folds)} would show it with 80 % power."
    )
