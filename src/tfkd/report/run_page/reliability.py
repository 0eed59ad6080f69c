"""Whether a network is right as often as it says, as far as so many images can tell."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tfkd.metrics import all_metrics
from tfkd.report.figures.drawing import Drawing
from tfkd.report.figures.style import COLOURS, INK, PANEL, drawing, to_svg
from tfkd.report.number_text import percent, without_plus
from tfkd.report.pictures.answers import Answers
from tfkd.report.run_page.calibration import facts_of, in_words, table_of, tempered
from tfkd.report.section import Section
from tfkd.report.tables import Table
from tfkd.report.wilson import wilson
from tfkd.train.trained.calibration import calibration_of

MOST_BINS = 15
LEAST_IMAGES = 20
"""Of a bin; the accuracy of fewer is chance."""


class Bin(NamedTuple):
    """Images of about the same confidence.

    Attributes:
        lowest: confidence of them.
        highest: confidence of them.
        images: how many.
        right: how many of them are right.
        confidence: mean.
    """

    lowest: float
    highest: float
    images: int
    right: int
    confidence: float

    @property
    def accuracy(self) -> float:
        """Share that is right."""
        return self.right / self.images

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of it."""
        return wilson(self.right, self.images)


def bins_of_equal_mass(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> list[Bin]:
    """Return bins of about the same number of images: `LEAST_IMAGES` of them, or all, or more.

    Equal confidences are never parted, so that the order of the images is of no account.

    Args:
        confidence: `(N,)`, of each image.
        right: `(N,)`, whether each is right.
    """
    count = max(min(MOST_BINS, len(confidence) // LEAST_IMAGES), 1)
    order = np.argsort(confidence, kind="stable")
    ranked, hits = confidence[order], right[order]
    # Where another confidence begins, and the end.
    borders = [*(np.flatnonzero(np.diff(ranked)) + 1).tolist(), len(ranked)]
    starts = [0]
    for border in borders:
        if border - starts[-1] >= len(ranked) // count:
            starts.append(border)
    if len(starts) > 1 and len(ranked) - starts[-1] < LEAST_IMAGES:
        starts.pop()
    ends = [*starts[1:], len(ranked)]
    return [
        Bin(
            float(ranked[first]),
            float(ranked[end - 1]),
            end - first,
            int(hits[first:end].sum()),
            float(ranked[first:end].mean()),
        )
        for first, end in zip(starts, ends, strict=True)
        if end > first
    ]


def is_it_as_sure_as_right(
    answers: Answers, temperature: float | None = None, where: str = ""
) -> Section:
    """Return the section on reliability, before and after one temperature.

    Args:
        answers: of the test images.
        temperature: that was fitted on validation images; None if there is none.
        where: it was fitted; or a sentence on why there is none.
    """
    right, metrics = answers.right, all_metrics(answers.logits, answers.labels)
    calibration = calibration_of(answers.logits, answers.labels, temperature, why=where)
    series = [_Series("reliability-of-run", "as it comes", answers.confidence, right)]
    if temperature is not None:
        after = tempered(answers, temperature).confidence
        name = f"after T = {temperature:.3g}"
        series.append(_Series("reliability-after-t", name, after, right))
    note = in_words(metrics, calibration, where)
    bins = len(series[0].bins)
    return Section(
        "reliability",
        "Is it right as often as it says?",
        _answer(answers.confidence, right),
        notes=(note,) if note else (),
        facts=facts_of(calibration),
        drawings=(
            Drawing(
                "reliability-of-run",
                "How often it is right by how sure it is",
                f"Each point is about {round(len(right) / bins)} test images of similar "
                "confidence, the probability of the class that was chosen; the bar through it is "
                "the 95 % interval (Wilson's) of the share that is right. Where a bar crosses the "
                "line, these images cannot tell it from calibrated; below the line it is too sure. "
                "Beneath: how many images have which confidence.",
                tuple(map(_panel, series)),
                _table(series),
            ),
        ),
        tables=(table_of(metrics, calibration),),
    )


class _Series(NamedTuple):
    """What is drawn in one panel."""

    panel: str
    name: str
    confidence: NDArray[np.float64]
    right: NDArray[np.bool_]

    @property
    def bins(self) -> list[Bin]:
        return bins_of_equal_mass(self.confidence, self.right)


def _answer(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> str:
    stated, found = float(confidence.mean()), float(right.mean())
    low, high = wilson(int(right.sum()), len(right))
    means = (
        f"On average it states {percent(stated)} and is right on {percent(found)} of the test "
        f"images (95 % interval {percent(low)} to {percent(high)})"
    )
    if low <= stated <= high:
        return f"As far as {len(right)} images can tell: {means[0].lower()}{means[1:]}."
    word = "too sure" if stated > high else "not sure enough"
    return (
        f"No, it is {word} by {without_plus(100 * abs(stated - found), 1)} points: "
        f"{means[0].lower()}{means[1:]}."
    )


def _table(series: list[_Series]) -> Table:
    columns = ("confidence from", "to", "images", "mean confidence", "right", "interval from", "to")
    rows = tuple(
        (
            one.name,
            each.lowest,
            each.highest,
            each.images,
            each.confidence,
            each.accuracy,
            *each.interval,
        )
        for one in series
        for each in one.bins
    )
    return Table("Reliability by bin", ("logits", *columns), rows)


def _panel(one: _Series) -> str:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    colours = {name: colour for colour, name in COLOURS.items()}
    confidence, right, bins = one.confidence, one.right, one.bins
    with drawing():
        figure = Figure(figsize=(PANEL[0], 4.4), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        upper.plot([0, 100], [0, 100], color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
        accuracy = np.array([each.accuracy for each in bins])
        ends = np.array([each.interval for each in bins]).T
        upper.errorbar(
            [100 * each.confidence for each in bins],
            100 * accuracy,
            yerr=100 * np.abs(ends - accuracy),
            fmt="o",
            color=colours["blue"],
            elinewidth=1.2,
            capsize=2.5,
        )
        upper.set_title(one.name, loc="left")
        upper.set_xlim(0, 100)
        upper.set_ylim(0, 102)
        upper.set_ylabel("right, %")
        lower.hist(
            [100 * confidence[right], 100 * confidence[~right]],
            bins=list(np.linspace(0, 100, MOST_BINS + 1)),
            stacked=True,
            color=[colours["blue"], colours["vermillion"]],
            label=["right", "wrong"],
        )
        lower.set_xlabel("confidence, %")
        lower.set_ylabel("images")
        lower.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        lower.legend(loc="upper left")
        return to_svg(figure, one.panel, f"How often it is right by how sure it is, {one.name}")
