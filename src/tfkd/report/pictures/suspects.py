"""The pictures of images whose label looks wrong, and where they lie."""

from __future__ import annotations

from tfkd.data.images import ImageFiles
from tfkd.report.number_text import number_of
from tfkd.report.pictures.answers import Answers
from tfkd.report.pictures.gallery import Gallery
from tfkd.report.pictures.thumbnails import Thumbnails
from tfkd.report.pictures.wrong_labels import Suspect
from tfkd.report.text import visible

MOST = 24
"""Candidates that are shown, of each network."""


def suspects_gallery(
    found: list[Suspect], classes: tuple[str, ...], thumbnails: Thumbnails, title: str
) -> Gallery:
    """Return the pictures of images whose label looks wrong, the least probable label first."""
    shown = found[:MOST]
    more = f"; shown are the first {MOST} of {len(found)}" if len(found) > MOST else ""
    return Gallery(
        title,
        f"Those of the least probable label first{more}.",
        tuple(
            thumbnails.picture(suspect.answers, suspect.row, classes, other=suspect.other)
            for suspect in shown
        ),
    )


def how_many(found: list[Suspect]) -> str:
    """Return how many candidates there are, and how many of them are shown."""
    count = len(found)
    if count == 0:
        return "there is no candidate for a wrong label"
    are = "is" if count == 1 else "are"
    shown = f", of which {MOST} are shown" if count > MOST else ""
    return f"there {are} {number_of(count, 'candidate')} for a wrong label{shown}"


def where_they_are(answers: Answers, why_not: str) -> tuple[str, ...]:
    """Return a sentence on where the images lie, or why they are not shown.

    Args:
        answers: of which images.
        why_not: a sentence, for images that are not at hand.
    """
    if answers.images is None:
        return (f"{visible(why_not)} So there are no pictures here.",)
    if isinstance(answers.images, ImageFiles):
        return (f"Paths start from {visible(str(answers.images.root))}.",)
    return ("Images are named by their place in their official split, from 0.",)
