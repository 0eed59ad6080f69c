"""Which images are shown: what is taken for something else, doubted, or perhaps mislabelled."""

from __future__ import annotations

import numpy as np

from tfkd.report.number_text import number_of
from tfkd.report.pictures.answers import Answers
from tfkd.report.pictures.gallery import Gallery
from tfkd.report.pictures.suspects import how_many, suspects_gallery, where_they_are
from tfkd.report.pictures.thumbnails import Thumbnails
from tfkd.report.pictures.wrong_labels import (
    CANDIDATES,
    RULE,
    why_no_candidates,
    wrong_labels,
)
from tfkd.report.run_page.evaluation import ClassScores
from tfkd.report.run_page.run_data import RunOnPage
from tfkd.report.section import Section
from tfkd.report.text import visible

SUREST, LEAST_SURE = 18, 12
"""Pictures of each kind."""

MOST_PAIRS, OF_PAIR = 5, 4
"""Confused pairs that are shown, and pictures of each."""


def what_mistakes_look_like(run: RunOnPage, scores: ClassScores, thumbnails: Thumbnails) -> Section:
    """Return the section with the surest mistakes, the least sure answers and confused pairs."""
    test = run.test
    assert test is not None
    wrong = int((~test.right).sum())
    answer = f"Of {number_of(len(test), 'test image')} it gets {wrong} wrong."
    if wrong == 0:
        answer = f"There are none: it gets all {len(test)} test images right."
    return Section(
        "pictures",
        "What do its mistakes look like?",
        answer,
        where_they_are(test, run.why_no_data),
        galleries=tuple(
            gallery
            for gallery in (
                _gallery(
                    run,
                    thumbnails,
                    "The surest mistakes",
                    "Wrong answers of the highest probability first: either the label is wrong, or "
                    "the network has learnt something wrong.",
                    surest_mistakes(test),
                ),
                _gallery(
                    run,
                    thumbnails,
                    "What it is least sure of",
                    "The answers of the lowest probability first, right or wrong.",
                    least_sure(test),
                ),
                _gallery(
                    run,
                    thumbnails,
                    "The most confused pairs",
                    f"Of the {MOST_PAIRS} most frequent pairs of label and answer, up to {OF_PAIR} "
                    "images each, the surest first.",
                    [
                        row
                        for label, taken, _ in scores.pairs()[:MOST_PAIRS]
                        for row in of_pair(test, label, taken)
                    ],
                ),
            )
            if gallery.pictures
        ),
    )


def which_labels_look_wrong(run: RunOnPage, thumbnails: Thumbnails) -> Section:
    """Return the section with images whose label the network, or its teacher, disputes."""
    assert run.test is not None
    parts = [run.test] if run.validation is None else [run.test, run.validation]
    asked = " and ".join(_asked(run, part) for part in parts)
    looked_at = f"{asked}, none of which it was trained on"
    silent = why_no_candidates(parts)
    found = [] if silent else wrong_labels(parts)
    notes = [RULE, *where_they_are(run.test, run.why_no_data)]
    galleries = [
        suspects_gallery(
            found, run.classes, thumbnails, "By this network, of images it was not trained on"
        )
    ]
    taught, why_not = run.taught
    if why_not:
        notes.append(visible(why_not))
    if taught is not None:
        silent_on_training = why_no_candidates([taught])
        by_teacher = [] if silent_on_training else wrong_labels([taught])
        galleries.append(
            suspects_gallery(
                by_teacher,
                run.classes,
                thumbnails,
                "By the network that taught, of training images",
            )
        )
        notes.append(
            f"The network that taught was asked about {_asked(run, taught)}. "
            + (silent_on_training or f"By it, {how_many(by_teacher)}.")
            + " Where it was trained on them itself, it may have learnt wrong labels by heart, and "
            "dispute too few."
        )
    return Section(
        "labels",
        "Which labels look wrong?",
        f"It was asked about {looked_at}. {silent}"
        if silent
        else f"Of {looked_at}, {how_many(found)}. {CANDIDATES}",
        tuple(notes),
        galleries=tuple(gallery for gallery in galleries if gallery.pictures),
    )


def surest_mistakes(answers: Answers, most: int = SUREST) -> list[int]:
    """Return the places of wrong answers, those of the highest probability first."""
    return [row for row in _by(-answers.confidence) if not answers.right[row]][:most]


def least_sure(answers: Answers, most: int = LEAST_SURE) -> list[int]:
    """Return the places of the answers of the lowest probability, the lowest first."""
    return _by(answers.confidence)[:most]


def of_pair(answers: Answers, label: int, taken: int, most: int = OF_PAIR) -> list[int]:
    """Return the places of images of a class that are taken for another, the surest first."""
    chosen = (answers.own == label) & (answers.predicted == taken)
    return [row for row in _by(-answers.confidence) if chosen[row]][:most]


def _by(key: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[int]:
    return [int(row) for row in np.argsort(key, kind="stable")]


def _gallery(
    run: RunOnPage, thumbnails: Thumbnails, title: str, note: str, rows: list[int]
) -> Gallery:
    assert run.test is not None
    test = run.test
    pictures = tuple(thumbnails.picture(test, row, run.classes) for row in rows)
    return Gallery(title, note, pictures)


def _asked(run: RunOnPage, answers: Answers) -> str:
    """How many images of a split were asked about."""
    assert run.identity is not None
    all_of_them = run.identity.samples["train" if answers.split == "training" else answers.split]
    count = len(answers)
    if count == all_of_them:
        return f"{count} {answers.split} images"
    return f"{count} of {all_of_them} {answers.split} images (drawn at random; time was over)"
