"""The answer of a study in one sentence, as a person would say it."""

from __future__ import annotations

from collections.abc import Sequence

from tfkd.report.conclusion import conclude, named
from tfkd.report.number_text import number_of, with_sign
from tfkd.study.conclusions import Claim
from tfkd.study.plan import of_folds

MOST_NAMED = 4
"""Claims of one kind that are named; of more the rest is counted."""

KINDS = {
    "no difference worth having": "no difference worth having",
    "worse": "less accurate",
    "no better than guessing": "no better than guessing",
    "not told apart": "not told apart",
    "too few seeds to tell": "too few seeds to tell",
}
"""What stands before the claims of a conclusion, in their order; the better ones come first."""


def answer(claims: list[Claim]) -> str:
    """Return what a study says of accuracy, in one sentence.

    First of what is held against the baseline, which is what a reader asks; of the other contrasts
    what is told.

    Args:
        claims: of `tfkd.study.conclusions.conclude_claims`.
    """
    if not claims or all(claim.conclusion == "too few seeds to tell" for claim in claims):
        return conclude(claims)[0]
    main = [claim for claim in claims if claim.to_baseline] or claims
    others = [claim for claim in claims if claim not in main]
    titles = {claim.against.title for claim in main}
    against = titles.pop() if len(titles) == 1 else ""
    seeds = number_of(max(claim.difference.n for claim in main), "seed")
    better = _better(main)
    if better and against:
        is_ = "is" if len(better) == 1 else "are"
        parts = [f"{_names(better, main)} {is_} more accurate than {against}{_control(better)}"]
    elif better:
        parts = [f"more accurate{_control(better)}: {_names(better, main)}"]
    else:
        than = f" than {against}" if against else ""
        parts = [f"nothing is shown to be more accurate{than} with {seeds}"]
    for conclusion, what in KINDS.items():
        found = [claim for claim in main if claim.conclusion == conclusion]
        if found:
            with_seeds = f" with {seeds}" if better and conclusion == "not told apart" else ""
            parts.append(f"{what}{with_seeds}: {_names(found, main)}")
    if told := _better(others):
        parts.append(f"of the other contrasts, more accurate: {_names(told, claims)}")
    text = "; ".join(parts)
    return of_folds(f"{text[0].upper()}{text[1:]}.", claims[0].folds)


def _better(claims: Sequence[Claim]) -> list[Claim]:
    return [claim for claim in claims if claim.conclusion.startswith("better")]


def _names(found: Sequence[Claim], claims: list[Claim]) -> str:
    """What claims are called, each with its difference, the largest first."""
    ordered = sorted(found, key=lambda claim: -abs(claim.difference.mean))
    shown = ordered if len(ordered) <= MOST_NAMED + 1 else ordered[:MOST_NAMED]
    names = [f"{named(each, claims)} ({with_sign(each.difference.mean)})" for each in shown]
    rest = len(ordered) - len(shown)
    names += [f"{rest} more"] if rest else []
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _control(better: Sequence[Claim]) -> str:
    """What the controls say of all that is better."""
    kinds = {claim.conclusion for claim in better}
    if kinds == {"better, beyond its controls"}:
        return " and than every control"
    if kinds == {"better, explained by a control"}:
        return ", which a control without a teacher explains"
    doubtful = kinds - {"better", "better, beyond its controls"}
    return ", though not all of it beyond the controls" if doubtful else ""
