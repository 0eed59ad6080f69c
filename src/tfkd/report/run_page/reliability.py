"""Whether a network is right as often as it says, as far as so many images can tell."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tfkd.report.figures.drawing import Drawing
from tfkd.report.figures.style import COLOURS, INK, PANEL, drawing, to_svg
from tfkd.report.number_text import percent, without_plus
from tfkd.report.pictures.answers import Answers
from tfkd.report.section import Section
from tfkd.report.tables import Table
from tfkd.report.wilson import wilson

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


def is_it_as_sure_as_right(answers: Answers) -> Section:
    """Return the section on reliability."""
    confidence, right = answers.confidence, answers.right
    stated, found = float(confidence.mean()), float(right.mean())
    low, high = wilson(int(right.sum()), len(right))
    means = (
        f"On average it states {percent(stated)} and is right on {percent(found)} of the test "
        f"images (95 % interval {percent(low)} to {percent(high)})"
    )
    if low <= stated <= high:
        answer = f"As far as {len(right)} images can tell: {means[0].lower()}{means[1:]}."
    else:
        word = "too sure" if stated > high else "not sure enough"
        answer = f"No, it is {word} by {without_plus(100 * abs(stated - found), 1)} points: "
        answer += f"{means[0].lower()}{means[1:]}."
    bins = bins_of_equal_mass(confidence, right)
    return Section(
        "reliability",
        "Is it right as often as it says?",
        answer,
        drawings=(
            Drawing(
                "reliability-of-run",
                "How often it is right by how sure it is",
                f"Each point is about {round(len(right) / len(bins))} test images of similar "
                "confidence, the probability of the class that was chosen; the bar through it is "
                "the 95 % interval (Wilson's) of the share that is right. Where a bar crosses the "
                "line, these images cannot tell it from calibrated; below the line it is too sure. "
                "Beneath: how many images have which confidence.",
                (_panel(bins, confidence, right),),
                Table(
                    "Reliability by bin",
                    (
                        "confidence from",
                        "to",
                        "images",
                        "mean confidence",
                        "right",
                        "interval from",
                        "to",
                    ),
                    tuple(
                        (
                            each.lowest,
                            each.highest,
                            each.images,
                            each.confidence,
                            each.accuracy,
                            *each.interval,
                        )
                        for each in bins
                    ),
                ),
            ),
        ),
    )


def _panel(bins: list[Bin], confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> str:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    blue = next(colour for colour, name in COLOURS.items() if name == "blue")
    vermillion = next(colour for colour, name in COLOURS.items() if name == "vermillion")
    with drawing():
        figure = Figure(figsize=(PANEL[0], 4.2), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        upper.plot([0, 100], [0, 100], color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
        accuracy = np.array([each.accuracy for each in bins])
        ends = np.array([each.interval for each in bins]).T
        upper.errorbar(
            [100 * each.confidence for each in bins],
            100 * accuracy,
            yerr=100 * np.abs(ends - accuracy),
            fmt="o",
            color=blue,
            elinewidth=1.2,
            capsize=2.5,
        )
        upper.set_xlim(0, 100)
        upper.set_ylim(0, 102)
        upper.set_ylabel("right, %")
        edges = np.linspace(0, 100, MOST_BINS + 1)
        lower.hist(
            [100 * confidence[right], 100 * confidence[~right]],
            bins=list(edges),
            stacked=True,
            color=[blue, vermillion],
            label=["right", "wrong"],
        )
        lower.set_xlabel("confidence, %")
        lower.set_ylabel("images")
        lower.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        lower.legend(loc="upper left")
        return to_svg(figure, "reliability-of-run", "How often it is right by how sure it is")
