"""What the page of a run says, in its order, whatever it is then written as."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tfkd.report.number_text import number_of
from tfkd.report.pictures.thumbnails import Thumbnails
from tfkd.report.run_page.calibration import temperature_of_page
from tfkd.report.run_page.confusion import how_good_on_each_class, what_is_confused
from tfkd.report.run_page.curves import how_training_went
from tfkd.report.run_page.evaluation import class_scores
from tfkd.report.run_page.found import what_was_found
from tfkd.report.run_page.head import how_good, title, unfinished, what_was_trained
from tfkd.report.run_page.mistakes import what_mistakes_look_like, which_labels_look_wrong
from tfkd.report.run_page.reliability import is_it_as_sure_as_right
from tfkd.report.run_page.run_data import RunOnPage
from tfkd.report.section import Section


@dataclass(frozen=True)
class RunPage:
    """What the page of a run says; each form of the report prints the same.

    Attributes:
        name: of the page.
        question: what was trained on what, in a sentence.
        unfinished: a sentence on what is missing; empty if nothing is.
        sections: in their order.
    """

    name: str
    question: str
    unfinished: str
    sections: tuple[Section, ...]

    @property
    def title(self) -> str:
        """What it is called."""
        return self.name

    @property
    def contents(self) -> list[tuple[str, str]]:
        """Name and title of each section."""
        return [(section.name, section.title) for section in self.sections]

    @property
    def colophon(self) -> str:
        """How the page was made."""
        return (
            "Made by tfkd from the directory of the run; the command tfkd report RUN makes it "
            "again. Beside this page lie its words and tables as Markdown."
        )


def make_run_page(run: RunOnPage, *, thumbnails: Thumbnails | None = None) -> RunPage:
    """Return what there is to say of a run, finished or not.

    Args:
        run: as it was read.
        thumbnails: makes the pictures; None: within the usual budget.
    """
    thumbnails = thumbnails or Thumbnails()
    test, sections = run.test, []
    scores = None if test is None else class_scores(test)
    if run.result is not None:
        sections.append(how_good(run, scores))
    sections.append(what_was_found(run))
    training = how_training_went(run)
    if training is not None:
        sections.append(training)
    if test is not None and scores is not None:
        sections += [
            what_is_confused(scores, run.classes),
            how_good_on_each_class(scores, run.classes),
            is_it_as_sure_as_right(test, *temperature_of_page(run)),
            what_mistakes_look_like(run, scores, thumbnails),
            which_labels_look_wrong(run, thumbnails),
        ]
        sections[-1] = _with_what_is_missing(sections[-1], thumbnails)
    return RunPage(title(run), what_was_trained(run), unfinished(run), tuple(sections))


def _with_what_is_missing(section: Section, thumbnails: Thumbnails) -> Section:
    """The last section with pictures, which says how many of them are not there."""
    notes = []
    if thumbnails.unread:
        notes.append(f"{number_of(thumbnails.unread, 'image')} could not be read for a picture.")
    if thumbnails.over_budget:
        notes.append(
            f"{thumbnails.over_budget} pictures are left out: the page would grow too large."
        )
    return replace(section, notes=(*section.notes, *notes))
