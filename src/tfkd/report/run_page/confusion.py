"""Which classes are taken for which, and how good the network is on each."""

from __future__ import annotations

import numpy as np

from tfkd.report.number_text import percent
from tfkd.report.run_page.evaluation import ClassScores
from tfkd.report.section import Matrix, Section
from tfkd.report.tables import Table
from tfkd.report.text import visible

MOST_CLASSES = 30
"""Of a matrix that anybody reads."""

MOST_PAIRS = 20


def what_is_confused(scores: ClassScores, classes: tuple[str, ...]) -> Section:
    """Return the section on confusions."""
    names = tuple(map(visible, classes))
    pairs = scores.pairs()
    answer = _answer(scores, names)
    matrices: tuple[Matrix, ...] = ()
    if len(names) <= MOST_CLASSES:
        counts = tuple(tuple(int(value) for value in row) for row in scores.confusion)
        matrices = (Matrix("Test images by label and answer", "label", "taken for", names, counts),)
    tables: tuple[Table, ...] = ()
    if pairs:
        tables = (
            Table(
                "The most confused pairs"
                + (f", {MOST_PAIRS} of {len(pairs)}" if len(pairs) > MOST_PAIRS else ""),
                ("label", "taken for", "images", "% of the label's"),
                tuple(
                    (names[a], names[b], count, 100 * count / int(scores.support[a]))
                    for a, b, count in pairs[:MOST_PAIRS]
                ),
            ),
        )
    notes: tuple[str, ...] = ()
    if matrices:
        notes = (
            "A row is a class as labelled; its numbers say what its test images were taken for. "
            "What is on the diagonal is right.",
        )
    return Section(
        "confusion", "Which classes does it confuse?", answer, notes, (), matrices, (), tables
    )


def _answer(scores: ClassScores, names: tuple[str, ...]) -> str:
    pairs = scores.pairs()
    if not pairs:
        return "None: every test image is taken for what its label says."
    label, taken, count = pairs[0]
    alike = sum(pair[2] == count for pair in pairs)
    if alike > 1:
        often = "once" if count == 1 else f"{count} times"
        others = ", others less often" if alike < len(pairs) else ""
        return f"No pair stands out: {alike} pairs are confused {often} each{others}."
    return (
        f"Most often it takes “{names[label]}” for “{names[taken]}”: {count} of "
        f"{scores.support[label]} test images."
    )


def how_good_on_each_class(scores: ClassScores, classes: tuple[str, ...]) -> Section:
    """Return the section on precision, recall and F1."""
    names = tuple(map(visible, classes))
    order = np.argsort(np.nan_to_num(scores.f1, nan=np.inf), kind="stable")
    seen = [int(place) for place in order if scores.support[place] > 0]
    worst, best = seen[0], seen[-1]
    low, high = (percent(float(scores.f1[place])) for place in (worst, best))
    answer = f"Best on “{names[best]}” (F1 {high}), worst on “{names[worst]}” (F1 {low})."
    if scores.f1[worst] == scores.f1[best]:
        answer = f"The same on every class: F1 {high}."
    return Section(
        "classes",
        "How good is it on each class?",
        answer,
        (
            "Precision: of the test images that it takes for a class, the share that are of it. "
            "Recall: of the images of a class, the share that it finds. F1: their harmonic mean. "
            "In percent, the worst class first. A class of few images tells little.",
        ),
        tables=(
            Table(
                "Classes, the worst first",
                ("class", "precision", "recall", "F1", "images"),
                tuple(
                    (
                        names[place],
                        100 * float(scores.precision[place]),
                        100 * float(scores.recall[place]),
                        100 * float(scores.f1[place]),
                        int(scores.support[place]),
                    )
                    for place in map(int, order)
                ),
            ),
        ),
    )
