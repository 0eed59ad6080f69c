"""The command that writes pages: about one run, or about the studies of a directory."""

from __future__ import annotations

import sys
from pathlib import Path


def report(directory: Path, *, out: Path | None = None, data: str | None = None) -> int:
    """Write a page about a run, or about each study of a directory.

    The page of a run, report.html, has how good it is, on which classes, and pictures of its
    mistakes and of labels that look wrong; report.md has its words and tables.
    The page of a study, NAME.html, holds all its pictures and numbers; NAME.md and NAME.table.csv
    have the tables, NAME.jsonl and NAME.csv every run. Of a search, as tfkd tune makes it, the
    table of what was found is printed.

    Args:
        directory: of a run, as `tfkd train` makes it, or of studies, as `tfkd study run` and
            `tfkd compare` make it, or of a search.
        out: where to. Default: the directory itself.
        data: where the images lie, if not where the run found them; of a run by --labels, those
            that its table names.
    """
    from tfkd.runs import RunDirectory
    from tfkd.study.directory import SUFFIX
    from tfkd.tune.records import PLAN_FILE

    if any(directory.glob(f"*{SUFFIX}")):
        return _report_studies(directory, out, data)
    if (directory / PLAN_FILE).is_file():
        return _report_search(directory)
    if not RunDirectory(directory).settings_file.is_file():
        raise FileNotFoundError(
            f"Expected a run or a study in {directory}, found neither settings.json nor "
            f"*{SUFFIX} there."
        )
    from tfkd.report.run_page.write import write_run_report

    print("\n".join(map(str, write_run_report(directory, out, data_root=data))))
    return 0


def _report_search(directory: Path) -> int:
    from rich.console import Console

    from tfkd.report.terminal.tuned_table import print_tuned
    from tfkd.tune.tuned import read_tuned

    print_tuned(read_tuned(directory), Console(markup=False, emoji=False))
    return 0


def _report_studies(directory: Path, out: Path | None, data: str | None) -> int:
    from tfkd.report.study_data import read_study
    from tfkd.report.write import write_report
    from tfkd.runs.files import make_folder
    from tfkd.study.directory import read_studies
    from tfkd.study.records import write_records

    studies = read_studies(directory)
    out = out or directory
    make_folder(out)
    damaged = False
    for study in studies:
        found = read_study(study, directory)
        say_left_out(study.name, found.left_out)
        damaged = damaged or bool(found.left_out)
        written = write_report(study, directory, out, data=found, data_root=data)
        written += write_records(study, found.records, out)
        print("\n".join(str(file) for file in written))
    return 1 if damaged else 0


def say_left_out(study: str, sentences: list[str]) -> None:
    """Say which runs of a study are damaged, or do not belong to the others."""
    for sentence in sentences:
        print(f"tfkd: left out of {study}: {sentence}", file=sys.stderr)
