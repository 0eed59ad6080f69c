"""How good a network is where an image may have several labels, in 80 columns."""

from __future__ import annotations

import csv
import textwrap
from collections.abc import Iterator
from io import StringIO
from typing import TYPE_CHECKING

from tfkd.report.terminal.lines import heading_of, on_temperature
from tfkd.report.text import printable, visible
from tfkd.study.spreadsheet import harmless

if TYPE_CHECKING:
    from tfkd.runs.contents import Result
    from tfkd.runs.several_labels import MultiLabelMetrics
    from tfkd.train.trained.several_labels import LabelScores, MultiLabelEvaluation

WIDTH = 80
SHOWN = 20
"""Labels up to which each is shown; of more, so many."""

# Name, as printed, factor and decimals, and what it is; those that a temperature changes last.
_METRICS = {
    "mean_average_precision": ("mAP", "%", 100, 2, "mean over the labels"),
    "auroc": ("AUROC", "%", 100, 2, "mean over the labels"),
    "micro_f1": ("micro F1", "%", 100, 2, "at a probability of 0.5"),
    "macro_f1": ("macro F1", "%", 100, 2, "likewise, mean over the labels"),
    "subset_accuracy": ("exact", "%", 100, 2, "images with all labels right"),
    "hamming_accuracy": ("each", "%", 100, 2, "labels that are right"),
    "nll": ("NLL", "nats", 1, 4, ""),
    "ece": ("ECE", "%", 100, 2, ""),
    "brier": ("Brier", "", 1, 4, ""),
}
_TEMPERED = ("nll", "ece", "brier")


def metric_lines_of_several(
    metrics: MultiLabelMetrics,
    *,
    after: MultiLabelMetrics | None = None,
    temperature: float | None = None,
) -> Iterator[str]:
    """Yield the metrics, one a line.

    Args:
        metrics: of the images.
        after: the same after one temperature, which leaves ranks and decisions alone.
        temperature: that was fitted on the validation split.
    """
    for key, (name, unit, factor, decimals, what) in _METRICS.items():
        if key == _TEMPERED[0] and after is not None and temperature is not None:
            yield heading_of(temperature)
        number, then = (
            "" if one is None else _number(getattr(one, key), factor, decimals, unit)
            for one in (metrics, after)
        )
        more = f"({what})" if what else then
        yield f"  {name:<8} {number:<15}{more}".rstrip()


def result_lines(result: Result) -> Iterator[str]:
    """Yield what a finished run came to."""
    found = result.multi_label
    assert found is not None
    calibrated = found.calibrated
    temperature = None if calibrated is None else calibrated.temperature
    split, metrics, after = "test", found.test, None if calibrated is None else calibrated.test
    if metrics is None:
        split, metrics = "validation", found.validation
        after = None if calibrated is None else calibrated.validation
    if metrics is None:
        return
    images = getattr(result.samples, split)
    yield f"{split} split, {images:,} image{'' if images == 1 else 's'}"
    yield from metric_lines_of_several(metrics, after=after, temperature=temperature)
    if temperature is not None:
        yield from on_temperature(result.samples.validation, temperature)


def evaluation_lines_of_several(found: MultiLabelEvaluation) -> Iterator[str]:
    """Yield the metrics, and the scores label by label."""
    yield from textwrap.wrap(printable(found.measured), WIDTH, break_on_hyphens=False)
    yield from metric_lines_of_several(
        found.metrics, after=found.calibrated, temperature=found.temperature
    )
    if found.temperature is None:
        yield from textwrap.wrap(printable(f"Without a temperature: {found.why}"), WIDTH)
    else:
        yield from on_temperature(found.fitted_on, found.temperature)
    yield ""
    yield from _label_lines(found.labels)


def label_csv(found: MultiLabelEvaluation) -> str:
    """Return the scores label by label as CSV, numbers in full; nothing where there is none."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = ("average_precision", "auroc", "f1", "images", "known")
    writer.writerow(["label", *names])
    for score in found.labels:
        values = (getattr(score, name) for name in names)
        cells = ["" if value is None else value for value in values]
        writer.writerow([harmless(printable(score.name)), *cells])
    return text.getvalue()


def _number(value: float | None, factor: int, decimals: int, unit: str) -> str:
    if value is None:
        return f"{'–':>{decimals + 5}}"
    return f"{factor * value:{decimals + 5}.{decimals}f} {unit}"


def _label_lines(labels: tuple[LabelScores, ...]) -> Iterator[str]:
    shown = list(labels)
    if len(labels) > SHOWN:
        there = [score for score in labels if score.average_precision is not None]
        shown = sorted(there, key=lambda score: score.average_precision or 0.0)[:SHOWN]
    names = [visible(score.name) for score in shown]
    width = max([len("label"), *(min(len(name), 40) for name in names)])
    yield f"{'label':<{width}}  average precision %  AUROC %    F1 %  images"
    for name, score in zip(names, shown, strict=True):
        cells = zip((score.average_precision, score.auroc, score.f1), (19, 7, 6), strict=True)
        numbers = "  ".join(f"{_percent(value):>{room}}" for value, room in cells)
        yield f"{name[:width]:<{width}}  {numbers}  {score.images:>6}"
    if len(labels) > SHOWN:
        yield (
            f"The worst {len(shown)} of {len(labels)} labels by average precision; all of them "
            "with --csv FILE or --json."
        )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"
