"""The report of a study: one HTML page that needs nothing else, and its tables as text and CSV."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfkd.report.conclusions import MEANING
from tfkd.report.facts import facts
from tfkd.report.figures import draw_all
from tfkd.report.figures.drawing import Drawing
from tfkd.report.garbage_collection import passed_over, paused
from tfkd.report.markdown import to_markdown
from tfkd.report.result_tables import full_table, result_tables
from tfkd.report.study_data import StudyData, read_study
from tfkd.report.tables import Table
from tfkd.report.verdicts import (
    Verdict,
    control_sentences,
    count_conclusions,
    machinery,
    verdicts,
)
from tfkd.runs import files
from tfkd.study.plan import Study
from tfkd.study.summary import conclude

HOW = (
    "A difference is the method's test accuracy minus that of plain cross-entropy with the same "
    "seed, the same split, initial weights and order of images; its interval is a 95 % bootstrap "
    "(BCa) interval of the mean over seeds, too short with few seeds; p is that of the sign-flip "
    "test, corrected by Holm over all claims of this page. A gain counts from a corrected p of "
    "0.05. A gain is beyond a control where the interval of method minus control lies above 0 and "
    "its own p is at most 0.05; better and worse are meant so too."
)
_HYPHEN = re.compile(r"(?<!\S)-(?=\d)")
LEGEND = (
    "Mean ± standard deviation over n seeds. Accuracy, ECE and AURC in percent, NLL in nats; for "
    "all but accuracy lower is better. The difference is to cross-entropy, paired by seed, in "
    "points. Controls have the side effects of a method without its teacher."
)


@dataclass(frozen=True)
class Page:
    """What the page says, in its order; each form of the report prints the same.

    Attributes:
        name: of the study.
        question: that it asks.
        unfinished: a sentence on what is missing; empty if nothing is.
        facts: what was run.
        remarks: of the plan.
        conclusion: over all claims, in words.
        verdicts: by student.
        machinery: sentences on the controls that must change nothing.
        controls: sentences on the other controls.
        tables: of results, as text.
        full: every number of every arm.
        drawings: the figures.
    """

    name: str
    question: str
    unfinished: str
    facts: list[tuple[str, str]]
    remarks: tuple[str, ...]
    conclusion: str
    verdicts: list[tuple[str, list[Verdict]]]
    machinery: list[str]
    controls: list[str]
    tables: list[Table]
    full: Table
    drawings: list[Drawing]
    how: str = HOW
    legend: str = LEGEND

    @property
    def counts(self) -> list[tuple[str, int, str]]:
        """How many claims have each conclusion, and what it means."""
        found = [verdict for _, of_student in self.verdicts for verdict in of_student]
        return [(name, count, MEANING[name]) for name, count in count_conclusions(found)]

    @property
    def claims(self) -> int:
        """How many claims there are."""
        return sum(count for _, count, _ in self.counts)

    @property
    def colophon(self) -> str:
        """How the page was made."""
        return (
            "Made by tfkd from the directories of the runs alone: `tfkd report "
            "DIR` makes it again. Beside this page lie the same tables as Markdown and CSV."
        )

    @staticmethod
    def mark(verdict: Verdict) -> str:
        """Return the name by which the style sheet knows a conclusion."""
        if verdict.conclusion == "worse":
            return "worse"
        return "gain" if verdict.conclusion.startswith("gain") else "open"


def make_page(data: StudyData) -> Page:
    """Return what there is to say of a study, finished or not."""
    planned = len(data.study.arms) * data.study.seeds
    finished = len(data.all_runs)
    unfinished = (
        ""
        if finished == planned
        else f"This study is not finished: {finished} of {planned} runs are. What follows is what "
        "they show so far, and may change."
    )
    found = verdicts(data.rows)
    return Page(
        name=data.study.name,
        question=data.study.question,
        unfinished=unfinished,
        facts=facts(data),
        remarks=data.study.remarks,
        conclusion=_HYPHEN.sub("−", conclude(data.rows)),
        verdicts=[
            (student, of_student)
            for student in data.students
            if (of_student := [verdict for verdict in found if verdict.row.student == student])
        ],
        machinery=machinery(data.rows),
        controls=control_sentences(data.rows),
        tables=result_tables(data),
        full=full_table(data),
        drawings=draw_all(data),
    )


def to_html(page: Page) -> str:
    """Return the page as HTML; all text from files is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("tfkd", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.jinja").render(page=page)


def write_report(
    study: Study, root: Path, out: Path, *, records: list[dict[str, Any]] | None = None
) -> list[Path]:
    """Write the report of a study, finished or not, from its run directories alone.

    Args:
        study: the plan.
        root: the study's directory.
        out: where to; made where it is missing.
        records: of `tfkd.study.records.collect`, if they are at hand.

    Returns:
        The files: `NAME.html`, which needs no other file and no network; `NAME.md`; and
        `NAME.table.csv`, one row for each arm.
    """
    with paused():
        data = read_study(study, root, records=records)
    out.mkdir(parents=True, exist_ok=True)
    with passed_over():
        page = make_page(data)
        contents = {
            out / f"{study.name}.html": to_html(page),
            out / f"{study.name}.md": to_markdown(page),
            out / f"{study.name}.table.csv": page.full.csv(),
        }
    for file, text in contents.items():
        files.write_text(file, text)
    return list(contents)
