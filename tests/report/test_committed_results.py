"""The records in results/ give the tables and verdicts that are committed beside them."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import msgspec
import pytest

from tfkd.report import page as report_page
from tfkd.report.page import make_page
from tfkd.report.render import to_markdown
from tfkd.report.study_data import StudyData
from tfkd.runs import files
from tfkd.study.plan import Study
from tfkd.study.records import Record
from tfkd.study.summary import summarise_study

RESULTS = Path(__file__).parents[2] / "results"


def read_records(file):
    return msgspec.json.Decoder(Record).decode_lines(file.read_bytes())


STUDIES = {
    "cifar100": "compare",
    "confidence": "confidence",
    "each-at-its-best": "compare",
    "figure-2": "figure-2",
    "later-methods": "compare",
    "scale": "scale",
    "scale-own-rates": "scale",
}
"""By folder what the study is called; its plan is committed beside its records. Pages say more than
these know."""


def planned_study(folder):
    committed = RESULTS / folder / STUDIES[folder]
    return committed, files.read_json(committed.with_suffix(".study.json"), Study)


def made_from_records(folder):
    """Markdown and CSV of the committed records, without what only their directories know."""
    committed, study = planned_study(folder)
    records = read_records(committed.with_suffix(".jsonl"))
    planned = {run.name: run.settings for run in study.runs(Path())}
    assert {record.run: record.settings for record in records} == planned
    rows = summarise_study(study, records)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report_page, "draw_all", lambda data: [])
        page = make_page(StudyData(study, {}, rows, records))
    return committed, to_markdown(page), page.all_numbers.csv()


@pytest.fixture(scope="module", params=STUDIES)
def made_again(request):
    return made_from_records(request.param)


def same(ours, theirs):
    """Text as it is, numbers but for the last digits, in which versions of numpy differ."""
    try:
        return float(ours) == pytest.approx(float(theirs), rel=1e-9, abs=1e-12)
    except ValueError:
        return ours == theirs


def test_the_numbers_are_those_of_the_committed_table(made_again):
    committed, _, table = made_again
    expected = list(csv.reader(committed.with_suffix(".table.csv").read_text().splitlines()))
    found = list(csv.reader(table.splitlines()))
    assert found[0] == expected[0]
    assert len(found) == len(expected) > 4
    for ours, theirs in zip(found[1:], expected[1:], strict=True):
        differing = [
            (heading, our, their)
            for heading, our, their in zip(found[0], ours, theirs, strict=True)
            if not same(our, their)
        ]
        assert differing == []


def verdicts_and_tables(markdown):
    """Their lines, without what only the logits and the data tell: other images, loss scales."""
    text = markdown[markdown.index("## Verdicts") : markdown.index("## Tables")]
    kept = [line for line in text.splitlines() if "For other test images" not in line]
    tables, *_ = re.split(r"^## ", markdown[markdown.index("## Tables") + 3 :], flags=re.M)
    scale = None
    for line in tables.splitlines():
        cells = line.split(" | ")
        if line.startswith("| method"):
            scale = cells.index("loss ×") if "loss ×" in cells else None
        elif not line.startswith("|"):
            scale = None
        kept.append(" | ".join(cell for place, cell in enumerate(cells) if place != scale))
    return kept


def test_verdicts_and_tables_are_those_of_the_committed_page(made_again):
    committed, markdown, _ = made_again
    expected = verdicts_and_tables(committed.with_suffix(".md").read_text())
    assert sum(line.startswith("- **") for line in expected) >= 3
    assert verdicts_and_tables(markdown) == expected
