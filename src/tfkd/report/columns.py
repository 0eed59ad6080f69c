"""What stands in the columns of a study's tables: the one place where a row becomes cells.

For three readers, each headings and what stands below them: `RESULTS` and `CALIBRATION` in words
for people, `terminal_columns` the same as narrow as it can be, and `FULL` every number for
programs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tfkd.report.number_text import interval_text, mean_and_sd, with_sign, without_plus
from tfkd.report.tables import Value
from tfkd.study.summary import SUMMARISED, Row

CALIBRATED = "calibrated_"
"""Before a metric: after one temperature that was fitted on validation images."""

DIGITS = {
    "accuracy": 2,
    "train_accuracy": 1,
    "teacher_accuracy": 1,
    **{f"{prefix}{name}": 2 for name in ("ece", "aurc", "augrc") for prefix in ("", CALIBRATED)},
    **{f"{prefix}{name}": 3 for name in ("nll", "brier") for prefix in ("", CALIBRATED)},
    "temperature": 2,
    "seconds": 0,
}
"""Behind the point, of the metrics of `SUMMARISED`."""


def _spread(metric: str) -> Callable[[Row], str]:
    """Mean ± sd of a metric."""

    def text(row: Row) -> str:
        found = row.metrics.get(metric)
        return "" if found is None else mean_and_sd(found, DIGITS[metric])

    return text


def _mean(metric: str) -> Callable[[Row], str]:
    return lambda row: without_plus(row.metrics[metric].mean, DIGITS[metric])


def _short(metric: str) -> Callable[[Row], str]:
    """In five columns, however large, as `2.167` and `355.3`; above 99,999 in more."""

    def text(row: Row) -> str:
        if metric not in row.metrics:
            return ""
        mean = row.metrics[metric].mean
        digits = 3 if mean < 9.9995 else max(0, 4 - len(f"{mean:.0f}"))
        return f"{mean:.{digits}f}"

    return text


def _short_mean(metric: str, digits: int) -> Callable[[Row], str]:
    def text(row: Row) -> str:
        found = row.metrics.get(metric)
        return "" if found is None else without_plus(found.mean, digits)

    return text


def _published_accuracy(row: Row) -> str:
    published = row.arm.published
    if published is None:
        return ""
    spread = "" if published.sd is None else f" ± {published.sd:.2f}"
    return f"{without_plus(published.accuracy)}{spread}"


def _published_gain(row: Row) -> str:
    published = row.arm.published
    return "" if published is None or published.gain is None else with_sign(published.gain)


def _difference(row: Row) -> str:
    return "" if row.difference is None else with_sign(row.difference.mean)


def _interval(row: Row) -> str:
    found = row.difference
    if found is None or math.isnan(found.low):
        return ""
    return interval_text(found.low, found.high)


def _difference_and_interval(row: Row) -> str:
    """Both in one cell, with the hyphen that every terminal has."""
    found = row.difference
    if found is None:
        return ""
    low, high = (f"{round(end, 2) + 0.0:+.2f}" for end in (found.low, found.high))
    interval = "" if math.isnan(found.low) else f" [{low} {high}]"
    if low == high and interval:
        interval = " [no spread]"
    return f"{round(found.mean, 2) + 0.0:+.2f}{interval}"


def _teacher(row: Row) -> str:
    if row.teacher is None:
        return ""
    known = "teacher_accuracy" in row.metrics
    return f"{row.teacher} ({_mean('teacher_accuracy')(row)} %)" if known else row.teacher


def _teacher_and_accuracy(row: Row) -> str:
    known = row.teacher is not None and "teacher_accuracy" in row.metrics
    return f"{row.teacher} {_mean('teacher_accuracy')(row)}" if known else ""


def _seconds(row: Row) -> str:
    seconds = row.metrics["seconds"].mean
    return f"{seconds:.0f}" if seconds >= 9.95 else f"{seconds:.1f}"


def scale_text(row: Row) -> str:
    """Write the scale of a loss; empty where it is not known."""
    return "" if row.scale is None else f"{row.scale:.2g}"


PUBLISHED = ("the paper's %", "the paper's gain")
TEACHER = "teacher"
SCALE = "loss ×"

RESULTS: dict[str, Callable[[Row], Value]] = {
    TEACHER: _teacher,
    "n": lambda row: row.n,
    "test accuracy %": _spread("accuracy"),
    **dict(zip(PUBLISHED, (_published_accuracy, _published_gain), strict=True)),
    "difference": _difference,
    "95 % interval": _interval,
    "corrected p": lambda row: "" if row.adjusted_p is None else f"{row.adjusted_p:.2g}",
    SCALE: scale_text,
    "train accuracy %": _spread("train_accuracy"),
    "seconds": _seconds,
}
"""Of the table of results, behind the name of the arm."""

CALIBRATION: dict[str, Callable[[Row], Value]] = {
    "T": _spread("temperature"),
    **{
        f"{prefix.replace('_', ' ')}{heading}": _spread(f"{prefix}{metric}")
        for metric, heading in (
            ("nll", "NLL"),
            ("ece", "ECE %"),
            ("brier", "Brier"),
            ("aurc", "AURC %"),
            ("augrc", "AUGRC %"),
        )
        for prefix in ("", CALIBRATED)
    },
}
"""Of the table of calibration, told twice; behind the name of the arm."""

SECONDS = "sec-\nonds"


def terminal_columns(rows: Sequence[Row]) -> dict[str, Callable[[Row], str]]:
    """Return the columns of the terminal: two of names, and numbers; headings are two lines.

    Args:
        rows: of the table; where they have a temperature, NLL, ECE and AURC are those after it.
    """
    calibrated = is_calibrated(rows)
    star, prefix = ("*", CALIBRATED) if calibrated else ("", "")
    return {
        "method": lambda row: row.title,
        "teacher\nacc. %": _teacher_and_accuracy,
        "test accu-\nracy %": lambda row: mean_and_sd(
            row.accuracy, DIGITS["accuracy"], between=" ±"
        ),
        "difference to\ncross-entropy": _difference_and_interval,
        f"NLL{star}": _short(f"{prefix}nll"),
        "ECE\n%": _short_mean("ece", 1),
        **({"ECE*\n%": _short_mean("calibrated_ece", 1)} if calibrated else {}),
        f"AURC{star}\n%": _short_mean(f"{prefix}aurc", 2),
        SECONDS: _seconds,
    }


def is_calibrated(rows: Sequence[Row]) -> bool:
    """Return whether a temperature was fitted for some of them."""
    return any("calibrated_nll" in row.metrics for row in rows)


def _of_metric(metric: str, attribute: str) -> Callable[[Row], Value]:
    return lambda row: getattr(row.metrics.get(metric), attribute, None)


def _of_difference(metric: str, attribute: str) -> Callable[[Row], Value]:
    return lambda row: getattr(row.differences.get(metric), attribute, None)


def _of_published(attribute: str) -> Callable[[Row], Value]:
    return lambda row: getattr(row.arm.published, attribute, None)


FULL: dict[str, Callable[[Row], Value]] = {
    "arm": lambda row: row.arm.name,
    "student": lambda row: row.arm.recipe.student,
    "title": lambda row: row.title,
    "method": lambda row: row.method,
    "dialect": lambda row: row.dialect,
    "teacher": lambda row: row.teacher,
    "control": lambda row: int(row.is_control),
    "n": lambda row: row.n,
    **{
        f"{metric}_{attribute}": _of_metric(metric, attribute)
        for metric in SUMMARISED
        for attribute in ("mean", "sd")
    },
    "difference": _of_difference("accuracy", "mean"),
    "difference_sd": _of_difference("accuracy", "sd"),
    "difference_low": _of_difference("accuracy", "low"),
    "difference_high": _of_difference("accuracy", "high"),
    "p": _of_difference("accuracy", "p_value"),
    "adjusted_p": lambda row: row.adjusted_p,
    "smallest_p": _of_difference("accuracy", "smallest_p"),
    **{
        f"{metric}_{name}": _of_difference(metric, attribute)
        for metric in SUMMARISED
        if metric not in ("accuracy", "teacher_accuracy")
        for name, attribute in (("difference", "mean"), ("low", "low"), ("high", "high"))
    },
    **{
        f"published_{attribute}": _of_published(attribute)
        for attribute in ("accuracy", "sd", "gain")
    },
}
"""Every number in full; None where there is none."""
