"""The files of a report: one HTML page that needs nothing else, and its tables as text and CSV."""

from __future__ import annotations

from pathlib import Path

from tfkd.report.out_of_fold import labels_out_of_fold
from tfkd.report.page import make_page
from tfkd.report.render import to_html, to_markdown
from tfkd.report.study_data import StudyData, read_study
from tfkd.report.tuning import tuning_section
from tfkd.runs import files
from tfkd.study.directory import remove_leftovers
from tfkd.study.plan import Study


def write_report(
    study: Study,
    root: Path,
    out: Path,
    *,
    data: StudyData | None = None,
    data_root: str | None = None,
) -> list[Path]:
    """Write the report of a study, finished or not, from its run directories alone.

    Args:
        study: the plan.
        root: the study's directory.
        out: where to; made where it is missing.
        data: of `read_study`, if they are at hand.
        data_root: where the images lie now; None: where the runs found them.

    Returns:
        The files: `NAME.html`, which needs no other file and no network; `NAME.md`; and
        `NAME.table.csv`, one row for each arm.
    """
    labels = labels_out_of_fold(study, root, data_root=data_root)
    page = make_page(
        read_study(study, root) if data is None else data,
        labels=labels,
        tuning=tuning_section(root),
    )
    files.make_folder(out)
    remove_leftovers(study, out)
    contents = {
        out / f"{study.name}.html": to_html(page),
        out / f"{study.name}.md": to_markdown(page),
        out / f"{study.name}.table.csv": page.all_numbers.csv(),
    }
    for file, text in contents.items():
        files.write_text(file, text)
    return list(contents)
