"""What a study's claims together allow one to conclude, in a few sentences: accuracy first."""

from __future__ import annotations

from tfkd.report.columns import CALIBRATED, DIGITS
from tfkd.report.number_text import interval_text, with_sign
from tfkd.study.conclusions import Claim, Conclusion
from tfkd.study.plan import of_folds
from tfkd.study.statistics.power import least_seeds, seeds_for_equivalence, seeds_needed

HEADING: dict[Conclusion, tuple[str, str, str]] = {
    "better, beyond its controls": ("More accurate", " than {}", ", and than every control"),
    "better, explained by a control": ("More accurate", " than {}", ", which a control explains"),
    "better, not told from a control": (
        "More accurate",
        " than {}",
        ", but not told from controls",
    ),
    "better": ("More accurate", " than {}", ""),
    "worse": ("Less accurate", " than {}", ""),
    "no difference worth having": (
        "No difference",
        " to {}",
        " worth having, of {:g} points or more",
    ),
    "not told apart": ("Not told apart", " from {}", ""),
    "too few seeds to tell": ("Too few seeds to tell", " from {}", ""),
    "no better than guessing": ("No better than guessing", ", and not to be compared with {}", ""),
}
"""What stands before the arms of each conclusion, in their order.

In the middle what all of them are held against, if that is one.
"""

NAMES = {"nll": "NLL", "ece": "ECE", "aurc": "AURC"}

MOST_NAMED = 6
"""Of those that are better, or worse, in one metric; the page has all."""

NO_TEMPERATURE = (
    "No temperature was fitted: the runs have no validation images, or are of an older version. "
    "What is better in NLL or ECE here, one temperature may give to any network."
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
    """Return what a claim is called among others: its method, and whatever else they differ in.

    Args:
        claim: one of them.
        claims: of the study.
    """
    row = claim.row
    like = [each.row for each in claims if each.row.title == row.title]
    text = row.title
    if len({each.teacher for each in like}) > 1:
        text += f" by {row.teacher or 'none'}"
    if len({each.student for each in like}) > 1:
        text += f" on {row.student}"
    return text if _one_against(claims) else f"{text} against {claim.against.title}"


def _on_accuracy(claims: list[Claim]) -> list[str]:
    numbers = sorted({claim.difference.n for claim in claims})
    seeds = " to ".join(str(n) for n in dict.fromkeys((numbers[0], numbers[-1])))
    seeds += " seed" if numbers == [1] else " seeds"
    if all(claim.conclusion == "too few seeds to tell" for claim in claims):
        return [
            f"Nothing can be concluded yet: with {seeds} no p of 0.05 can be reached, whatever the "
            f"differences; with {least_seeds()} it can."
        ]
    against = _one_against(claims)
    over = f", p corrected over {claims[0].family} claims" if claims[0].family > 1 else ""
    sentences = [f"Test accuracy, in points with 95 % intervals, {seeds}{over}:"]
    for conclusion, (start, middle, end) in HEADING.items():
        found = [claim for claim in claims if claim.conclusion == conclusion]
        if found:
            found.sort(key=lambda claim: claim.difference.mean, reverse=conclusion != "worse")
            entries = _list([f"{named(each, claims)} {_difference(each)}" for each in found])
            held = middle.format(against) if against else ""
            sentences.append(f"{start}{held}{end.format(found[0].worthwhile)}: {entries}.")
    luck = [each for each in claims if each.told and each.holds_for_new_images is False]
    if luck:
        names = ", ".join(named(each, claims) for each in luck)
        sentences.append(
            f"Told on these test images alone, for the interval for other images holds 0: {names}."
        )
    return sentences


def _difference(claim: Claim) -> str:
    found = claim.difference
    interval = f" ({interval_text(found.low, found.high)})" if found.has_interval else ""
    return f"{with_sign(found.mean)}{interval}"


def _on_calibration(claims: list[Claim]) -> list[str]:
    """What is told of NLL, ECE and AURC, and what one temperature undoes."""
    calibrated = any(f"{CALIBRATED}nll" in claim.metrics for claim in claims)
    prefix, when = (CALIBRATED, " after one temperature") if calibrated else ("", "")
    sentences = [] if calibrated else [NO_TEMPERATURE]
    untold = []
    for metric, name in NAMES.items():
        told = _told(claims, metric, prefix)
        if told:
            sentences.append(f"{name}{when}: {told}.")
        else:
            untold.append(name)
    if untold:
        sentences.append(f"No difference is told in {_and(untold)}{when}.")
    for metric, name in NAMES.items():
        names = [named(claim, claims) for claim in claims if metric in claim.undone]
        if names:
            sentences.append(f"One temperature undoes the better {name} of {_and(names)}.")
    for metric, name in NAMES.items():
        names = [named(claim, claims) for claim in claims if metric in claim.mended]
        if names:
            sentences.append(f"Without a temperature {name} is worse with {_and(names)}.")
    for metric, name in NAMES.items():
        names = [named(claim, claims) for claim in claims if metric in claim.left_open]
        if names:
            sentences.append(
                f"One temperature leaves it open whether {_and(names)} "
                f"{'differs' if len(names) == 1 else 'differ'} in {name}."
            )
    return sentences


def _told(claims: list[Claim], metric: str, prefix: str) -> str:
    """Which are better, which worse, and how many are neither; empty if that is all of them."""
    of_metric = [
        (claim, claim.metrics[prefix + metric])
        for claim in claims
        if prefix + metric in claim.metrics and not claim.row.only_guesses
    ]
    one = _one_against(claims)
    against = f"{one}'s" if one else "the other's"
    said, rest = [], len(of_metric)
    for verdict in ("better", "worse"):
        found = [each for each in of_metric if each[1].verdict == verdict]
        found.sort(key=lambda each: each[1].difference.mean, reverse=verdict == "worse")
        if found:
            entries = [
                f"{named(claim, claims)} ({with_sign(measured.difference.mean, DIGITS[metric])})"
                for claim, measured in found[:MOST_NAMED]
            ]
            entries += [f"{len(found) - MOST_NAMED} more"] if len(found) > MOST_NAMED else []
            said.append(f"{verdict} than {against} with {_list(entries)}")
            rest -= len(found)
    if said and rest:
        said.append(f"{'one other' if rest == 1 else f'{rest} others'} not told apart")
    return "; ".join(said)


def _how_many_seeds(claims: list[Claim]) -> list[str]:
    """How many seeds would tell more of what is not told."""
    unsure = [
        claim
        for claim in claims
        if claim.conclusion in ("not told apart", "too few seeds to tell")
        and claim.difference.n > 1
        and claim.difference.sd > 0
    ]
    if not unsure:
        return []
    sentences = []
    largest = max(unsure, key=lambda claim: abs(claim.difference.mean) / claim.difference.sd)
    difference = largest.difference
    if abs(difference.mean) >= 0.005:  # as printed it would be nothing
        needed = seeds_needed(difference.mean, difference.sd, claims=largest.family)
        sentences.append(
            f"If the {with_sign(difference.mean)} of {named(largest, claims)} (sd "
            f"{difference.sd:.2f}) is real, {_about(needed)} seeds would show it in four studies "
            "of five."
        )
    unsure = [claim for claim in unsure if _may_be_none(claim)]
    if not unsure:
        return sentences
    widest = max(unsure, key=lambda claim: claim.difference.sd)
    worthwhile = widest.worthwhile
    needed = seeds_for_equivalence(widest.difference.sd, worthwhile)
    which = "one of them" if len(unsure) > 1 else named(widest, claims)
    sentences.append(
        f"To show that {which} makes no difference of {worthwhile:g} points or more, if that is "
        f"so, would take {_about(needed)} seeds."
    )
    return sentences


def _may_be_none(claim: Claim) -> bool:
    """Whether the interval leaves it open that there is no difference worth having."""
    low, high = claim.difference.low, claim.difference.high
    return low < claim.worthwhile and high > -claim.worthwhile


def _about(needed: int | None) -> str:
    return "more than 1000" if needed is None else f"about {needed}"


def _list(entries: list[str]) -> str:
    """Entries behind one another; those with commas in them, behind semicolons."""
    return ("; " if any(", " in entry for entry in entries) else ", ").join(entries)


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _one_against(claims: list[Claim]) -> str:
    """What all claims are held against; empty if that differs."""
    titles = {claim.against.title for claim in claims}
    return titles.pop() if len(titles) == 1 else ""
