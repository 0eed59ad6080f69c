"""Numbers as people read them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tfkd._counted import number_of as number_of

if TYPE_CHECKING:
    from tfkd.study.statistics.differences import Summary


def true_minus(text: str) -> str:
    """Write the hyphen of a number as a minus.

    Example:
        >>> true_minus(f"{-0.5:+.2f}")
        '−0.50'
    """
    return text.replace("-", "−")


def with_sign(value: float, digits: int = 2) -> str:
    """Write a number with its sign; what rounds to nothing has none.

    Example:
        >>> with_sign(0.4213), with_sign(-1.0, 1), with_sign(-0.0004)
        ('+0.42', '−1.0', '0.00')
    """
    text = f"{value:+.{digits}f}"
    return true_minus(text) if float(text) else text[1:]


def without_plus(value: float, digits: int = 2) -> str:
    """Write a number with its minus, or without a sign.

    Example:
        >>> without_plus(-0.104), without_plus(0.104), without_plus(-0.001)
        ('−0.10', '0.10', '0.00')
    """
    return with_sign(value, digits).removeprefix("+")


def interval_text(low: float, high: float, digits: int = 2) -> str:
    """Write both ends of an interval; one whose ends are printed alike has no spread to be seen.

    Example:
        >>> interval_text(-0.104, 1.0), interval_text(-1.342, -1.342)
        ('−0.10 to 1.00', 'no spread')
    """
    ends = [without_plus(end, digits) for end in (low, high)]
    return "no spread" if ends[0] == ends[1] else " to ".join(ends)


def mean_and_sd(summary: Summary, digits: int, *, between: str = " ± ") -> str:
    """Write mean ± sd; of one seed the mean alone.

    Example:
        >>> from tfkd.study.statistics.differences import Summary
        >>> mean_and_sd(Summary(3, 71.0, 0.5), 2), mean_and_sd(Summary(1, 71.0, math.nan), 1)
        ('71.00 ± 0.50', '71.0')
    """
    spread = "" if math.isnan(summary.sd) else f"{between}{summary.sd:.{digits}f}"
    return f"{without_plus(summary.mean, digits)}{spread}"


def percent(share: float, digits: int = 1) -> str:
    r"""Write a share in percent, with a space that no line is broken at.

    Example:
        >>> percent(0.8537), percent(0.8537, 2)
        ('85.4\xa0%', '85.37\xa0%')
    """
    return f"{without_plus(100.0 * share, digits)}\N{NO-BREAK SPACE}%"


def duration(seconds: float) -> str:
    """Write a time in the two largest of its units, rounded up.

    Example:
        >>> duration(5025)
        '1 h 24 min'
    """
    if seconds < 60:
        return f"{math.ceil(seconds)} s"
    minutes = math.ceil(seconds / 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours == 0:
        return f"{minutes} min"
    if hours < 48:
        return f"{hours} h {minutes_left} min"
    days, hours_left = divmod(math.ceil(seconds / 3600), 24)
    return f"{days} days {hours_left} h"
