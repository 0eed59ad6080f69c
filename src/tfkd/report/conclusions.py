"""What may be concluded of a claim, beside its controls."""

from __future__ import annotations

from typing import Literal

from tfkd.study.statistics.differences import PairedDifference
from tfkd.study.summary import LEVEL, Row

Conclusion = Literal[
    "gain beyond controls",
    "gain, explained by a control",
    "gain, not told from a control",
    "gain, no control was run",
    "no gain can be told",
    "too few seeds to tell",
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
    "too few seeds to tell": "corrected for the number of claims, no difference could be told from "
    "chance, however large",
    "worse": "less accurate than cross-entropy",
}
"""The conclusions, in the order in which they are counted, and what each means."""


def conclude_claim(row: Row, controls: dict[str, Row], claims: int) -> tuple[Conclusion, str]:
    """Decide what may be said of an arm, and on what it rests.

    A difference to the baseline counts where its p-value, corrected over all claims, is at most
    0.05. Beyond a control is what has an interval of the difference to it above 0, and a p-value
    of at most 0.05; this needs no correction, for it must hold for every control.

    Args:
        row: an arm with a difference to its baseline.
        controls: rows of its controls, by their arms' names.
        claims: how many claims the p-values are corrected for.
    """
    assert row.difference is not None and row.adjusted_p is not None
    told = row.adjusted_p <= LEVEL
    names = [
        name for name in row.over_controls if name in controls and explains(controls[name], row)
    ]
    if told and row.difference.mean < 0.0:
        as_bad = [name for name in names if not _apart(row.over_controls[name])]
        bad = [name for name in as_bad if below(controls[name].difference)]
        if bad:
            return "worse", f"So is {_join(controls, bad)}, from which it cannot be told."
        return "worse", ""
    if not told and row.difference.smallest_p * claims > LEVEL:
        return "too few seeds to tell", ""
    if not told:
        return "no gain can be told", ""
    if not names:
        return "gain, no control was run", ""
    not_beyond = [name for name in names if not above(row.over_controls[name])]
    if not not_beyond:
        return "gain beyond controls", "It is above each of its controls."
    gaining = [name for name in not_beyond if above(controls[name].difference)]
    if gaining:
        return (
            "gain, explained by a control",
            f"It is not above {_join(controls, gaining)}, which has no teacher and gains as well.",
        )
    return (
        "gain, not told from a control",
        f"It is not above {_join(controls, not_beyond)}, though no gain of that is sure either.",
    )


def explains(control: Row, row: Row) -> bool:
    """Return whether a control may explain a gain; what undoes the scale checks the machinery."""
    return control.arm.method != "undone" and control.arm.name != row.arm.name


def above(difference: PairedDifference | None) -> bool:
    """Return whether the interval lies above 0, and so many seeds can tell."""
    return difference is not None and difference.low > 0.0 and difference.p_value <= LEVEL


def below(difference: PairedDifference | None) -> bool:
    """Return whether the interval lies below 0, and so many seeds can tell."""
    return difference is not None and difference.high < 0.0 and difference.p_value <= LEVEL


def _apart(difference: PairedDifference) -> bool:
    return above(difference) or below(difference)


def _join(controls: dict[str, Row], names: list[str]) -> str:
    titles = [controls[name].title for name in names]
    return titles[0] if len(titles) == 1 else f"{', '.join(titles[:-1])} or {titles[-1]}"
