"""What may be concluded of each claim of a study: of accuracy, and of every other metric.

The one rulebook, from which the terminal and the page of a report say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from tfkd.study.claims import Claim as Claim
from tfkd.study.claims import Conclusion as Conclusion
from tfkd.study.claims import Measured as Measured
from tfkd.study.claims import Verdict as Verdict
from tfkd.study.compared import Compared
from tfkd.study.plan import Contrast, Study
from tfkd.study.statistics.differences import PairedDifference
from tfkd.study.statistics.images import SeedsAndImages
from tfkd.study.statistics.power import LEVEL
from tfkd.study.summary import Row

MEANING: dict[Conclusion, str] = {
    "better, beyond its controls": "more accurate, and more than every control",
    "better, explained by a control": "more accurate, but not by as much more than a control as "
    "is worth having",
    "better, not told from a control": "more accurate, but whether more than a control is not told",
    "better": "more accurate; no control was run that could explain it",
    "no difference worth having": "the 95 % interval lies within the smallest difference worth "
    "having, of either sign",
    "not told apart": "better, worse or the same: these seeds do not tell",
    "too few seeds to tell": "with so few seeds no difference could be told from chance, however "
    "large",
    "worse": "less accurate",
    "no better than guessing": "as accurate as always answering one class, give or take chance, or "
    "not much more, with an NLL far above that of equal probabilities",
}
"""The conclusions, in the order in which they are counted, and what each means."""

MachineryCheck = Literal["no interval", "holds", "may be chance", "off"]


def conclude_claims(
    study: Study,
    rows: list[Row],
    images: Mapping[Contrast, Mapping[str, SeedsAndImages]] | None = None,
) -> list[Claim]:
    """Return what may be said of every claim of a study that has runs, in the plan's order.

    A difference counts where its p-value, corrected by step-down max-T over all claims, is at most
    0.05 and its 95 % interval leaves out 0. Where the interval lies within the smallest difference
    worth having there is none that is worth having, be it told from 0 or not. A gain is explained
    by a control where the upper end of the interval of method minus control is at most the smallest
    difference worth having; else it is beyond the control where that interval lies above 0 and its
    p-value is at most 0.05, uncorrected, for it must hold for every control.

    Args:
        study: the plan.
        rows: of `tfkd.study.summary.summarise_study`.
        images: of `tfkd.study.per_image.PerImage.compared`, what each claim is worth for new test
            images; None: nothing is said of it.
    """
    by_arm = {row.arm.name: row for row in rows}
    found = [
        (contrast, by_arm[contrast.arm], compared)
        for contrast in dict.fromkeys(study.claims)
        if contrast.arm in by_arm
        and "accuracy" in (compared := by_arm[contrast.arm].claims.get(contrast.against, {}))
    ]
    claims = []
    for contrast, row, compared in found:
        metrics = {metric: _measured(metric, each) for metric, each in compared.items()}
        controls = explaining_controls(row, by_arm) if row.arm.baseline == contrast.against else []
        conclusion, because = _conclude(row, metrics["accuracy"], controls, study.worthwhile)
        claims.append(
            Claim(
                row,
                by_arm[contrast.against],
                metrics,
                len(study.claims),
                study.worthwhile,
                conclusion,
                because,
                (images or {}).get(contrast, {}),
            )
        )
    return claims


def count_conclusions(claims: list[Claim]) -> list[tuple[Conclusion, int]]:
    """Return how many claims have each conclusion, without those that none has."""
    counts = [(name, sum(claim.conclusion == name for claim in claims)) for name in MEANING]
    return [(name, count) for name, count in counts if count]


def check_machinery(difference: PairedDifference) -> MachineryCheck:
    """Say whether a control that undoes the loss scale lands on its baseline, as it must."""
    if not difference.has_interval:
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


def equivalent(difference: PairedDifference, worthwhile: float) -> bool:
    """Return whether the interval lies within the smallest difference worth having.

    If the true difference is as large as that, this happens in at most 2.5 of 100 studies of normal
    differences: two one-sided tests (Schuirmann, 1987, Journal of Pharmacokinetics and
    Biopharmaceutics 15), each at 2.5 %.

    Args:
        difference: in points.
        worthwhile: in points.
    """
    return -worthwhile <= difference.low and difference.high <= worthwhile


def _measured(metric: str, compared: Compared) -> Measured:
    """The verdict on a metric; of all but accuracy lower is better."""
    difference = compared.difference
    verdict: Verdict = "not told apart"
    if difference.smallest_p > LEVEL:
        verdict = "too few seeds to tell"
    elif compared.adjusted_p <= LEVEL and (difference.low > 0.0 or difference.high < 0.0):
        verdict = "better" if (difference.mean > 0.0) is (metric == "accuracy") else "worse"
    return Measured(difference, compared.adjusted_p, verdict)


def _conclude(
    row: Row, accuracy: Measured, controls: list[Row], worthwhile: float
) -> tuple[Conclusion, str]:
    """Decide what may be said of a difference in accuracy, and on what it rests."""
    difference, verdict = accuracy.difference, accuracy.verdict
    if row.only_guesses:
        return "no better than guessing", ""

    def over(control: Row) -> PairedDifference:
        return row.over_controls[control.arm.name]

    if equivalent(difference, worthwhile):
        which = {"better": "It is better, but by less.", "worse": "It is worse, but by less."}
        return "no difference worth having", which.get(verdict, "")
    if verdict == "worse":
        as_bad = [each for each in controls if not above(over(each)) and not below(over(each))]
        bad = [each for each in as_bad if below(each.difference)]
        because = f"So is {_titles(bad)}, from which it is not told." if bad else ""
        return "worse", because
    if verdict != "better":
        return ("too few seeds to tell" if verdict == "too few seeds to tell" else verdict), ""
    if not controls:
        return "better", ""
    explaining = [each for each in controls if over(each).high <= worthwhile]
    not_beyond = [each for each in controls if not above(over(each))]
    if not explaining and not not_beyond:
        return "better, beyond its controls", "It is above each of its controls."
    if explaining:
        return (
            "better, explained by a control",
            f"It is less than {worthwhile:g} points above {_titles(explaining)}.",
        )
    return (
        "better, not told from a control",
        f"It is not told from {_titles(not_beyond)}.",
    )


def _titles(controls: list[Row]) -> str:
    titles = [control.title for control in controls]
    return titles[0] if len(titles) == 1 else f"{', '.join(titles[:-1])} or {titles[-1]}"
