"""The files of the page of a run: HTML that needs nothing else, and its words and tables."""

from __future__ import annotations

import re
from pathlib import Path

from tfkd.report.pictures.answers import SECONDS
from tfkd.report.render import to_html, to_markdown
from tfkd.report.run_page.page import make_run_page
from tfkd.report.run_page.run_data import read_run
from tfkd.runs import RunDirectory, files

NAMES = ("report.html", "report.md")


def write_run_report(
    path: Path | str,
    out: Path | None = None,
    *,
    data_root: str | None = None,
    seconds: float = SECONDS,
) -> list[Path]:
    """Write the page of a run, finished or not, from its directory and its images.

    Args:
        path: directory of the run.
        out: where to, made where it is missing; None: the directory of the run.
        data_root: where its images lie now; None: where the run found them.
        seconds: for which each network is asked about images that it was not asked about before.

    Returns:
        The files: `report.html`, which needs no other file and no network, and `report.md`.

    Raises:
        FileNotFoundError: if it is no run.
        ValueError: if a file of it is damaged, or its images may have several labels.
    """
    run = RunDirectory(path)
    if run.stored().recipe.data.several_labels:
        raise ValueError(
            f"Expected a run with one label an image for a page, got {run.path}, whose images may "
            f"have several: tfkd evaluate {run.path} measures it."
        )
    page = make_run_page(read_run(run, data_root=data_root, seconds=seconds))
    folder = run.path if out is None else out
    files.make_folder(folder)
    files.remove_leftovers(folder, re.compile("|".join(map(re.escape, NAMES))))
    contents = (to_html(page, "run_page.jinja"), to_markdown(page, "run_page.jinja"))
    written = [folder / name for name in NAMES]
    for file, text in zip(written, contents, strict=True):
        files.write_text(file, text)
    return written
