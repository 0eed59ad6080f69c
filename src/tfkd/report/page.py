"""What a report says of a study, in its order, whatever it is then written as."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tfkd.report.answer import answer
from tfkd.report.beside_contrasts import beside_contrasts
from tfkd.report.columns import is_calibrated
from tfkd.report.conclusion import conclude
from tfkd.report.facts import facts
from tfkd.report.figures import draw_all
from tfkd.report.figures.drawing import Drawing
from tfkd.report.glance.glance import Glance, glances, numbers
from tfkd.report.number_text import number_of
from tfkd.report.remarks import remarks
from tfkd.report.result_tables import full_table, result_tables
from tfkd.report.section import Section
from tfkd.report.study_data import StudyData
from tfkd.report.tables import Table
from tfkd.report.teacher_remarks import teacher_remarks
from tfkd.report.text import visible
from tfkd.report.title import title_of_study
from tfkd.report.together import sentences
from tfkd.report.verdicts import Verdict, control_sentences, machinery, verdicts
from tfkd.study.conclusions import MEANING, conclude_claims, count_conclusions
from tfkd.study.plan import FOLDS_SHARE, of_folds

AS_THEY_COME = (
    " Metrics other than accuracy are told as they come, for no temperature was fitted in these "
    "runs; each is a family of its own."
)
TOLD_TWICE = (
    " Metrics other than accuracy are told twice, as they come and after one temperature fitted "
    "on validation images; each is a family of its own."
)
HOW_TO_READ_VERDICTS = (
    "A difference is taken seed by seed: both arms have the same split, initial weights and order "
    "of images. Its 95 % interval is Student's t over the seeds; with two seeds there is none. p "
    "is that of the sign-flip test, corrected by step-down max-T over all claims of this page. "
    "Better and worse are said where the corrected p is at most 0.05 and the interval leaves out "
    "0; no difference worth having where the interval lies within the smallest difference that "
    "the study calls worth having. A gain is beyond a control where this holds of method minus "
    "control, p uncorrected; it is explained by a control where the interval of method minus "
    "control ends below what is worth having."
)
MOST_VERDICTS = 20
"""That stand open before the tables; more are folded."""
HOW_TO_READ_TABLES = (
    "Mean ± standard deviation over n seeds. Accuracy, ECE, AURC and AUGRC in percent, NLL in "
    "nats; for all but accuracy lower is better. The difference is to cross-entropy, paired by "
    "seed, in points."
)
CALIBRATED_COLUMNS = (
    " Calibrated is after division of the logits by one temperature T, fitted on validation data: "
    "above 1 the network was too sure. It leaves the accuracy alone."
)
CONTROLS_ARE = " Controls have the side effects of a method without its teacher."
HOW_TO_READ_GLANCE = (
    "Each line is a method minus plain cross-entropy, paired by seed: the dot is the mean, the bar "
    "its 95 % interval (Student's t over the seeds), the upright line cross-entropy itself. Grey, "
    "around that line: accuracies that differ by less than {worthwhile:g} points, the smallest "
    "difference worth having here.{calibrated} The time is that of training, against "
    "cross-entropy's; pale, where a network taught: with its training."
)
FILLED_AND_HOLLOW = (
    " Calibrated (filled) is after one temperature fitted on validation data, raw (hollow) is as "
    "it comes; the accuracy is the same."
)
HOW_TO_READ_AS_TABLE = (
    "Each line is a method minus plain cross-entropy, or what stands behind “over”, paired by "
    "seed, with its 95 % interval (Student's t over the seeds).{calibrated} The time is that of "
    "training, against cross-entropy's."
)
BOTH_COLUMNS = (
    " NLL and AURC are after one temperature fitted on validation data, and raw as they come."
)
CONTRASTED = " Lines with “over” are held against the arm that stands behind that word."
SHADED = " Shaded lines are controls: none of them has a teacher that knows anything."


@dataclass(frozen=True)
class Page:
    """What the page says, in its order; each form of the report prints the same.

    Attributes:
        name: of the study.
        title: of the page: data, network, what is compared.
        question: that it asks.
        unfinished: a sentence on what is missing; empty if nothing is.
        glances: the first figure, one part for each network.
        glance_numbers: what it is drawn from.
        facts: what was run.
        remarks: of the plan.
        answer: over all claims, in a sentence.
        more: the same at length: accuracy, which seeds would tell more, calibration.
        to_know: sentences on networks that only guess, on losses of another scale, and on whether
            those that teach are better than their students.
        verdicts: by student.
        machinery: sentences on the controls that must change nothing.
        controls: sentences on the other controls.
        tables: of results, as text.
        all_numbers: of every arm.
        drawings: the figures.
        labels: those that look wrong; None if the study has no folds.
        tuning: how every method was tuned before; None if none was.
        together: sentences on generations of networks, taken together.
        beside: sentences on what was asked beside the contrasts: slopes and interactions.
        how_to_read_verdicts: what their numbers are, and from where on they count.
        how_to_read_tables: what their numbers are.
        how_to_read_glance: what is drawn in the first figure.
        how_to_read_as_table: what its numbers are, where it is a table.
    """

    name: str
    title: str
    question: str
    unfinished: str
    glances: list[Glance]
    glance_numbers: Table
    facts: list[tuple[str, str]]
    remarks: tuple[str, ...]
    answer: str
    more: list[str]
    to_know: list[str]
    verdicts: list[tuple[str, list[Verdict]]]
    machinery: list[str]
    controls: list[str]
    tables: list[Table]
    all_numbers: Table
    drawings: list[Drawing]
    how_to_read_verdicts: str
    how_to_read_tables: str
    how_to_read_glance: str
    how_to_read_as_table: str
    labels: Section | None = None
    tuning: Section | None = None
    together: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()

    @property
    def contents(self) -> list[tuple[str, str]]:
        """Name and title of each section."""
        return [
            ("glance", "The answer"),
            ("verdicts", "Verdicts"),
            ("tables", "Tables"),
            *([] if self.tuning is None else [(self.tuning.name, self.tuning.title)]),
            ("run", "What was run"),
            *([] if self.labels is None else [(self.labels.name, self.labels.title)]),
            *((drawing.name, drawing.title) for drawing in self.drawings),
        ]

    @property
    def folds_verdicts(self) -> bool:
        """Whether there are too many verdicts to be read before the tables."""
        return sum(len(found) for _, found in self.verdicts) > MOST_VERDICTS

    @property
    def counts(self) -> list[tuple[str, int, str]]:
        """How many claims have each conclusion, and what it means."""
        claims = [verdict.claim for _, found in self.verdicts for verdict in found]
        folds = claims[0].folds if claims else None
        return [
            (of_folds(name, folds), count, MEANING[name])
            for name, count in count_conclusions(claims)
        ]

    @property
    def claims(self) -> str:
        """How many claims there are."""
        return number_of(sum(count for _, count, _ in self.counts), "claim")

    @property
    def colophon(self) -> str:
        """How the page was made."""
        return (
            "Made by tfkd from the directories of the runs alone; the command tfkd report "
            "DIR makes it again. Beside this page lie the same tables as Markdown and CSV."
        )


def make_page(
    data: StudyData, *, labels: Section | None = None, tuning: Section | None = None
) -> Page:
    """Return what there is to say of a study, finished or not.

    Args:
        data: the study.
        labels: of `labels_out_of_fold`, if it has folds.
        tuning: of `tuning_section`, if a search lies beside it.
    """
    planned = len(data.study.arms) * data.study.seeds
    finished = len(data.all_runs)
    unfinished = (
        ""
        if finished == planned
        else f"This study is not finished: {finished} of {planned} runs are. What follows is what "
        "they show so far, and may change."
    )
    folds = data.study.arms[0].recipe.data.folds
    claims = conclude_claims(data.study, data.rows, data.images)
    found = verdicts(claims, data.rows)
    said = answer(claims)
    seen = glances(data, claims)
    calibrated = is_calibrated(data.rows)
    how_to_read = HOW_TO_READ_GLANCE.format(
        worthwhile=data.study.worthwhile, calibrated=FILLED_AND_HOLLOW if calibrated else ""
    )
    if any(each.has_contrasts for each in seen):
        how_to_read += CONTRASTED
    if any(each.has_controls for each in seen):
        how_to_read += SHADED
    return Page(
        name=data.study.name,
        title=visible(title_of_study(data)),
        question=data.study.question,
        unfinished=unfinished,
        glances=seen,
        glance_numbers=numbers(data, claims),
        facts=facts(data),
        remarks=(
            *data.study.remarks,
            *([FOLDS_SHARE] if folds else []),
        ),
        answer=said,
        more=[sentence for sentence in conclude(claims) if sentence != said],
        to_know=[*remarks(data.rows), *teacher_remarks(data.study, data.records)],
        verdicts=[
            (student, of_student)
            for student in data.students
            if (
                of_student := [verdict for verdict in found if verdict.claim.row.student == student]
            )
        ],
        machinery=machinery(data.rows),
        controls=control_sentences(data.rows),
        tables=result_tables(data),
        all_numbers=full_table(data),
        drawings=[_of_folds(drawing, folds) for drawing in draw_all(data)],
        labels=labels,
        tuning=tuning,
        together=tuple(sentences(data.together)),
        beside=tuple(beside_contrasts(data.study, data.records)),
        how_to_read_verdicts=of_folds(
            HOW_TO_READ_VERDICTS + (TOLD_TWICE if calibrated else AS_THEY_COME), folds
        ),
        how_to_read_tables=of_folds(
            HOW_TO_READ_TABLES
            + (CALIBRATED_COLUMNS if calibrated else "")
            + (CONTROLS_ARE if any(r.is_control for r in data.rows) else ""),
            folds,
        ),
        how_to_read_glance=of_folds(how_to_read, folds),
        how_to_read_as_table=of_folds(
            HOW_TO_READ_AS_TABLE.format(calibrated=BOTH_COLUMNS if calibrated else ""), folds
        ),
    )


def _of_folds(drawing: Drawing, folds: int | None) -> Drawing:
    """A figure whose words are of folds, where the study has some."""
    table = replace(drawing.table, title=of_folds(drawing.table.title, folds))
    return replace(drawing, caption=of_folds(drawing.caption, folds), table=table)
