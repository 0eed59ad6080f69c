"""What a study's claims together allow one to conclude, in a few sentences: accuracy first."""

from __future__ import annotations

import math
from collections.abc import Callable

from tfkd.report.columns import DIGITS
from tfkd.report.number_text import interval_text, number_of, with_sign
from tfkd.study.conclusions import Claim, Conclusion
from tfkd.study.plan import of_folds
from tfkd.study.statistics.power import least_seeds, seeds_needed

HEADING: dict[Conclusion, str] = {
    "better, beyond its controls": "More accurate than {}, and than every control",
    "better, explained by a control": "More accurate than {}, which a control explains",
    "better, not told from a control": "More accurate than {}, but not told from a control",
    "better": "More accurate than {}",
    "worse": "Less accurate than {}",
    "no difference worth having": "No difference worth having to {}, {} points or more",
    "not told apart": "Not told apart from {} by accuracy",
    "too few seeds to tell": "Too few seeds to tell from {}",
    "no better than guessing": "No better than guessing, and so not to be compared with {}",
}
"""What stands before the arms of each conclusion, in their order."""

TOLD = ("nll", "ece", "aurc")
NAMES = {"nll": "NLL", "ece": "ECE", "brier": "Brier", "aurc": "AURC", "augrc": "AUGRC"}

NO_TEMPERATURE = (
    "No temperature was fitted, for the runs have no validation split or are of an older version: "
    "what is better in NLL or ECE here, one temperature may give to any network."
)


def conclude(claims: list[Claim]) -> list[str]:
    """Say in words what the claims of a study together allow one to conclude.

    Args:
        claims: of `tfkd.study.conclusions.conclude_claims`.

    Returns:
        A few sentences: on accuracy, on the seeds that would tell more, and on calibration.
    """
    if not claims:
        return ["Nothing was compared: no method but cross-entropy was run."]
    sentences = [*_on_accuracy(claims), *_how_many_seeds(claims), *_on_calibration(claims)]
    return [of_folds(sentence, claims[0].folds) for sentence in sentences]


def named(claim: Claim, claims: list[Claim]) -> str:
    """Return what a claim is called among others: its method, and whatever else they differ in."""
    row, against = claim.row, claim.against
    taught = {each.row.teacher for each in claims if each.row.title == row.title}
    text = f"{row.title}, by {row.teacher or 'none'}" if len(taught) > 1 else row.title
    if len({each.row.student for each in claims}) > 1:
        text += f" on {row.student}"
    return text if _one_against(claims) else f"{text} over {against.title}"


def _on_accuracy(claims: list[Claim]) -> list[str]:
    numbers = sorted({claim.difference.n for claim in claims})
    seeds = " to ".join(str(n) for n in dict.fromkeys((numbers[0], numbers[-1])))
    seeds += " seed" if numbers == [1] else " seeds"
    over = f" over {number_of(claims[0].family, 'claim')}" if claims[0].family > 1 else ""
    if all(claim.conclusion == "too few seeds to tell" for claim in claims):
        return [
            f"Nothing can be concluded yet: with {seeds} no p of 0.05 can be reached, whatever the "
            f"differences; with {least_seeds()} it can."
        ]
    against = _one_against(claims) or "what it is held against"
    sentences = []
    for conclusion, heading in HEADING.items():
        of_it = [claim for claim in claims if claim.conclusion == conclusion]
        if of_it:
            entries = ", ".join(f"{named(each, claims)} {_difference(each)}" for each in of_it)
            text = heading.format(against, f"{of_it[0].worthwhile:g}")
            sentences.append(f"{text}: {entries}.")
    undone = [each for each in claims if _is_luck_of_images(each)]
    if undone:
        names = ", ".join(named(each, claims) for each in undone)
        sentences.append(
            f"For other test images than these it is not told: {names}, whose interval for new "
            "images holds 0."
        )
    return [f"With {seeds}, p corrected{over}. {sentences[0]}", *sentences[1:]]


def _is_luck_of_images(claim: Claim) -> bool:
    return claim.told and claim.holds_for_new_images is False


def _difference(claim: Claim) -> str:
    found = claim.difference
    return f"{with_sign(found.mean)}{_in_brackets(found.low, found.high)}"


def _in_brackets(low: float, high: float) -> str:
    return "" if math.isnan(low) else f" ({interval_text(low, high)})"


def _on_calibration(claims: list[Claim]) -> list[str]:
    calibrated = any("calibrated_nll" in claim.metrics for claim in claims)
    prefix = "calibrated_" if calibrated else ""
    against = _one_against(claims)
    whose = f"{against}'s" if against else "what they are held against"
    parts = []
    for metric in TOLD:
        measured = [
            (claim, claim.metrics[prefix + metric])
            for claim in claims
            if prefix + metric in claim.metrics and not claim.row.only_guesses
        ]
        said = []
        for verdict in ("better", "worse"):
            entries = [
                f"{named(claim, claims)} {_amount(metric, found.difference.mean)}"
                for claim, found in measured
                if found.verdict == verdict
            ]
            said += [f"{verdict} with {', '.join(entries)}"] if entries else []
        if said:
            rest = sum(found.verdict not in ("better", "worse") for _, found in measured)
            said += [f"not told apart with {_the_other(rest)}"] if rest else []
            parts.append(f"{NAMES[metric]} against {whose}: {'; '.join(said)}.")
        else:
            parts.append(f"{NAMES[metric]}: no difference is told.")
    sentences = [NO_TEMPERATURE] if not calibrated else []
    when = "After one temperature fitted on validation images" if calibrated else "As they come"
    sentences.append(f"{when}. {' '.join(parts)}")
    undone = {
        metric: [named(claim, claims) for claim in claims if metric in claim.undone]
        for metric in TOLD
    }
    listed = "; ".join(f"in {NAMES[m]}: {', '.join(names)}" for m, names in undone.items() if names)
    if listed:
        sentences.append(f"Better as it comes, and undone by one temperature, {listed}.")
    return sentences


def _the_other(count: int) -> str:
    return "the other" if count == 1 else f"the other {count}"


def _amount(metric: str, value: float) -> str:
    return with_sign(value, DIGITS[metric])


def _how_many_seeds(claims: list[Claim]) -> list[str]:
    """How many seeds would show the largest of the differences that are not told."""
    known: Callable[[Claim], bool] = lambda claim: (  # noqa: E731
        claim.conclusion in ("not told apart", "too few seeds to tell")
        and claim.difference.n > 1
        and claim.difference.sd > 0
        and abs(claim.difference.mean) >= 0.005  # as printed it would be nothing
    )
    unsure = [claim for claim in claims if known(claim)]
    if not unsure:
        return []
    largest = max(unsure, key=lambda claim: abs(claim.difference.mean) / claim.difference.sd)
    difference = largest.difference
    needed = seeds_needed(difference.mean, difference.sd, claims=largest.family)
    seeds = "more than 1000" if needed is None else f"about {needed}"
    return [
        f"If the {with_sign(difference.mean)} of {named(largest, claims)} (sd "
        f"{difference.sd:.2f}) is real, {seeds} seeds would show it in four studies of five."
    ]


def _one_against(claims: list[Claim]) -> str:
    """What all claims are held against; empty if that differs."""
    titles = {claim.against.title for claim in claims}
    return titles.pop() if len(titles) == 1 else ""
