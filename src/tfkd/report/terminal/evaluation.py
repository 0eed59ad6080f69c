"""How good a network's answers are, in 80 columns."""

from __future__ import annotations

import csv
import textwrap
from collections.abc import Iterator
from io import StringIO
from typing import TYPE_CHECKING

from tfkd.report.terminal.lines import heading_of, metric_lines, on_temperature
from tfkd.report.text import printable, visible
from tfkd.study.spreadsheet import harmless

if TYPE_CHECKING:
    from tfkd.train import Evaluation
    from tfkd.train.trained.calibration import Selective
    from tfkd.train.trained.evaluation import ClassScores

WIDTH = 80
SHOWN = 10
"""Classes up to which each is shown, and the confusion as a matrix; of more, so many."""
UNBROKEN = "\N{NO-BREAK SPACE}"
UNEVEN = 1.5
"""Images of the largest class for each of the smallest, from which accuracy may mislead."""


def evaluation_lines(found: Evaluation) -> Iterator[str]:
    """Yield the metrics, the scores class by class, and what was taken for what.

    Args:
        found: of `tfkd.train.evaluate_run`.
    """
    yield from textwrap.wrap(printable(found.measured), WIDTH, break_on_hyphens=False)
    after = None if found.calibration is None else found.calibration.metrics
    supports = [score.support for score in found.classes]
    accuracy, *others = metric_lines(found, supports, after=after, all_of_them=True)
    yield accuracy
    supports = [support for support in supports if support]
    if found.top5 is not None:
        yield _percent("top 5", found.top5)
    if max(supports) >= UNEVEN * min(supports):
        yield f"{_percent('balanced', found.balanced_accuracy)} (mean of the recalls)"
        yield f"{_percent('macro F1', found.macro_f1)} (mean over the classes with images)"
    if found.calibration is not None and found.calibration.temperature is not None:
        yield heading_of(found.calibration.temperature)
    yield from others
    yield from _calibration_lines(found)
    yield ""
    yield from _class_lines(found.classes)
    yield ""
    if len(found.classes) <= SHOWN:
        yield from _matrix_lines(found)
    else:
        yield from _pair_lines(found)


def class_csv(found: Evaluation) -> str:
    """Return the scores class by class as CSV, numbers in full; nothing where there is none.

    Where they were measured, the calibration errors of the probabilities of the classes follow, as
    they come and after the run's temperature.
    """
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    calibration = found.calibration
    errors: dict[str, tuple[float, ...] | None] = {}
    if calibration is not None:
        errors["calibration_error"] = calibration.by_class
        errors["calibrated_error"] = calibration.by_class_after
    writer.writerow(["class", "precision", "recall", "f1", "support", *errors])
    for place, score in enumerate(found.classes):
        more = [None if column is None else column[place] for column in errors.values()]
        numbers = [score.precision, score.recall, score.f1, score.support, *more]
        cells = ["" if value is None else value for value in numbers]
        writer.writerow([harmless(printable(score.name)), *cells])
    return text.getvalue()


def _calibration_lines(found: Evaluation) -> Iterator[str]:
    """What chance alone would give, and what answers are worth by another confidence."""
    sentences = [*_calibrated(found), *_selective(found.selective)]
    for sentence in sentences:
        yield ""
        text = printable(sentence).replace(" %", f"{UNBROKEN}%")
        for line in textwrap.wrap(text, WIDTH, break_on_hyphens=False):
            yield line.replace(UNBROKEN, " ")


def _calibrated(evaluation: Evaluation) -> Iterator[str]:
    found = evaluation.calibration
    if found is None:
        return
    bands = [found.before] if found.after is None else [found.before, found.after]
    values = [f"{_part(band.value)} % ({_part(band.low)} to {_part(band.high)})" for band in bands]
    chances = [f"{_part(band.chance)} %" for band in bands]
    then = ", after T "
    yield (
        f"The smoothed ECE with its 95 % interval: {then.join(values)}. What a calibrated network "
        f"comes to by chance in 95 of 100 cases: up to {then.join(chances)}."
    )
    if found.temperature is None:
        yield f"Without a temperature: {found.why}"
    else:
        before, after = evaluation.metrics, found.metrics
        yield " ".join(on_temperature(found.images, found.temperature, before, after))


def _part(share: float) -> str:
    return f"{100 * share:.2f}"


def _selective(found: Selective | None) -> Iterator[str]:
    if found is None:
        return
    if found.norm is None:
        yield (
            "By the largest logit over its norm: on the validation split no norm is better than "
            "the probability, by which AURC and AUGRC are as above."
        )
        return
    chosen = ", chosen on the validation split" if found.chosen else ""
    yield (
        f"By the largest logit over the {found.norm:g}-norm{chosen}: AURC {_part(found.aurc)} %, "
        f"AUGRC {_part(found.augrc)} %."
    )


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
