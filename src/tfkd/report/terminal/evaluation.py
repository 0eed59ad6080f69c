"""How good a network's answers are, in 80 columns."""

from __future__ import annotations

import csv
import textwrap
from collections.abc import Iterator
from io import StringIO
from typing import TYPE_CHECKING

from tfkd.report.terminal.lines import metric_lines
from tfkd.report.text import printable, visible
from tfkd.study.spreadsheet import harmless

if TYPE_CHECKING:
    from tfkd.train import Evaluation
    from tfkd.train.trained.evaluation import ClassScores

WIDTH = 80
SHOWN = 10
"""Classes up to which each is shown, and the confusion as a matrix; of more, so many."""
UNEVEN = 1.5
"""Images of the largest class for each of the smallest, from which accuracy may mislead."""


def evaluation_lines(found: Evaluation) -> Iterator[str]:
    """Yield the metrics, the scores class by class, and what was taken for what.

    Args:
        found: of `tfkd.train.evaluate_run`.
    """
    yield from textwrap.wrap(printable(found.measured), WIDTH, break_on_hyphens=False)
    accuracy, *others = metric_lines(found, [score.support for score in found.classes])
    yield accuracy
    supports = [score.support for score in found.classes if score.support]
    if found.top5 is not None:
        yield _percent("top 5", found.top5)
    if max(supports) >= UNEVEN * min(supports):
        yield f"{_percent('balanced', found.balanced_accuracy)} (mean of the recalls)"
        yield f"{_percent('macro F1', found.macro_f1)} (mean over the classes with images)"
    yield from others
    yield ""
    yield from _class_lines(found.classes)
    yield ""
    if len(found.classes) <= SHOWN:
        yield from _matrix_lines(found)
    else:
        yield from _pair_lines(found)


def class_csv(found: Evaluation) -> str:
    """Return the scores class by class as CSV, numbers in full; nothing where there is none."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["class", "precision", "recall", "f1", "support"])
    for score in found.classes:
        numbers = [score.precision, score.recall, score.f1, score.support]
        cells = ["" if value is None else value for value in numbers]
        writer.writerow([harmless(printable(score.name)), *cells])
    return text.getvalue()


def _percent(name: str, value: float) -> str:
    return f"  {name:<8} {100 * value:7.2f} %"


def _class_lines(classes: tuple[ClassScores, ...]) -> Iterator[str]:
    there = [score for score in classes if score.f1 is not None]  # has images, or was taken for one
    shown = there
    if len(there) > SHOWN:
        shown = sorted(there, key=lambda score: (score.f1 or 0.0, not score.support))[:SHOWN]
    name_width = min(max(_width(score.name) for score in [*shown]), 40)
    name_width = max(name_width, len("class"))
    yield f"{'class':<{name_width}}  precision %  recall %    F1 %  images"
    for score in shown:
        numbers = (_cell(score.precision, 11), _cell(score.recall, 8), _cell(score.f1, 6))
        yield f"{_fitted(score.name, name_width)}  {'  '.join(numbers)}  {score.support:>6}"
    if len(there) > SHOWN:
        yield (
            f"The worst {SHOWN} of {len(there)} classes by F1; all of them with --csv FILE or "
            "--json."
        )
    if absent := sum(not score.support for score in classes):
        taken = sum(not score.support for score in there)
        more = f"; for {taken} of them others were taken" if taken else ""
        yield f"{absent} of the run's {len(classes)} classes have no image here{more}."


def _cell(value: float | None, width: int) -> str:
    return f"{'–' if value is None else f'{100 * value:.1f}':>{width}}"


def _matrix_lines(found: Evaluation) -> Iterator[str]:
    names = [score.name for score in found.classes]
    most = max(max(row) for row in found.confusion)
    own = min(max(_width(name) for name in [*names, "true"]), 20)
    each = min((WIDTH - own) // len(names) - 1, max(max(map(_width, names)), len(str(most))))
    each = max(each, len(str(most)))
    yield "taken for:"
    yield " ".join([_fitted("true", own), *(_fitted(name, each, right=True) for name in names)])
    for name, row in zip(names, found.confusion, strict=True):
        cells = (f"{number or '·':>{each}}" for number in row)
        yield " ".join([_fitted(name, own), *cells])


def _pair_lines(found: Evaluation) -> Iterator[str]:
    pairs = sorted(
        (
            (-number, true, taken)
            for true, row in enumerate(found.confusion)
            for taken, number in enumerate(row)
            if number and true != taken
        ),
    )
    if not pairs:
        yield "None was taken for another class."
        return
    yield "most often taken for another class:"
    for negative, true, taken in pairs[:SHOWN]:
        one, other = found.classes[true], found.classes[taken]
        names = [_fitted(score.name, 28).rstrip() for score in (one, other)]
        yield f"  {f'{-negative} of {one.support}':>12}  {' → '.join(names)}"
    if len(pairs) > SHOWN:
        yield f"  and {len(pairs) - SHOWN} more pairs"


def _width(name: str) -> int:
    from rich.cells import cell_len

    return cell_len(visible(name))


def _fitted(name: str, width: int, *, right: bool = False) -> str:
    """A name in so many columns, cut where it is longer."""
    from rich.cells import cell_len, set_cell_size

    text = visible(name)
    if cell_len(text) > width:
        text = f"{set_cell_size(text, width - 1)}…" if width > 1 else set_cell_size(text, width)
    space = " " * (width - cell_len(text))
    return space + text if right else text + space
