"""A study as tables of the terminal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tfkd.report.beside_contrasts import beside_contrasts
from tfkd.report.columns import SECONDS, is_calibrated, terminal_columns
from tfkd.report.conclusion import conclude
from tfkd.report.remarks import remarks
from tfkd.report.teacher_remarks import teacher_remarks
from tfkd.report.terminal.rows import shortened
from tfkd.report.together import sentences
from tfkd.study.conclusions import conclude_claims
from tfkd.study.generations import Together
from tfkd.study.plan import FOLDS_SHARE, Contrast, Study, repeats
from tfkd.study.records import Record
from tfkd.study.statistics.images import SeedsAndImages
from tfkd.study.summary import Row

if TYPE_CHECKING:
    from rich.console import Console


CALIBRATED = "* after one temperature for each run, fitted on its validation images"
METHOD_WIDTHS = (10, 13)
TEACHER_WIDTHS = (9, 10)
NARROW = 100
"""Columns of a terminal below which names are folded, and those of timm's networks are short."""


def print_rows(
    study: Study,
    rows: list[Row],
    console: Console,
    images: Mapping[Contrast, Mapping[str, SeedsAndImages]] | None = None,
) -> None:
    """Print one table for each student, and what may be concluded.

    Args:
        study: the plan.
        rows: of `tfkd.study.summary.summarise_study`.
        console: where to; it fits in 80 columns.
        images: of `tfkd.study.per_image.PerImage.compared`, if the runs keep their logits.
    """
    for student in dict.fromkeys(row.student for row in rows):
        _print_table(student, [row for row in rows if row.student == student], console)
        console.print()
    if is_calibrated(rows):
        console.print(f"{CALIBRATED}\n", highlight=False)
    for sentence in (*conclude(conclude_claims(study, rows, images)), *remarks(rows)):
        sentence = sentence.replace("−", "-")  # the hyphen that every terminal has
        console.print(sentence, highlight=False, markup=False, emoji=False)
    if any(row.arm.recipe.data.folds is not None for row in rows):
        console.print(FOLDS_SHARE, highlight=False)


def print_beside(study: Study, records: list[Record], console: Console) -> None:
    """Print what was asked beside the contrasts, and whether teachers are better than students.

    Args:
        study: the plan.
        records: of its finished runs.
        console: where to.
    """
    for sentence in (*beside_contrasts(study, records), *teacher_remarks(study, records)):
        sentence = sentence.replace("−", "-")  # the hyphen that every terminal has
        console.print(sentence, highlight=False, markup=False, emoji=False)


def print_together(found: list[Together], console: Console) -> None:
    """Print what generations of networks are worth together, if there are some.

    Args:
        found: of `tfkd.study.generations.generations_together`.
        console: where to.
    """
    for sentence in sentences(found):  # with the hyphen that every terminal has
        console.print(sentence.replace("−", "-"), highlight=False)


def _print_table(student: str, rows: list[Row], console: Console) -> None:
    from rich.table import Table

    times = repeats(max(row.n for row in rows), rows[0].arm.recipe.data.folds)
    table = Table(
        title=f"student {student}, mean ± sd of {times}",
        title_justify="left",
        box=None,
        padding=(0, 1, 0, 0),
    )
    columns = terminal_columns(rows)
    cells = {heading: [cell(row) for row in rows] for heading, cell in columns.items()}
    method, teacher, *numbers = columns
    if not any(cells[teacher]):
        del cells[teacher]
    least, most = TEACHER_WIDTHS if teacher in cells else (0, 0)
    left = _left_for_names(cells, numbers, console.width)
    if left < METHOD_WIDTHS[0] + least:  # rather than names that nobody can read
        numbers.remove(SECONDS)
        del cells[SECONDS]
        left = _left_for_names(cells, numbers, console.width)
    narrow = console.width < NARROW
    method_width = min(max(left - least, METHOD_WIDTHS[0]), METHOD_WIDTHS[1])
    teacher_width = min(max(left - method_width, least), most)
    if narrow:
        cells[method] = [broken(title, method_width) for title in cells[method]]
    table.add_column(method, width=method_width if narrow else None, overflow="fold")
    if teacher in cells:
        if narrow:
            cells[teacher] = [
                broken(name.removeprefix("timm/"), teacher_width) for name in cells[teacher]
            ]
        table.add_column(teacher, width=teacher_width if narrow else None, overflow="fold")
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    for row_of_cells in zip(*cells.values(), strict=True):
        table.add_row(*row_of_cells)
    console.print(table)


def _left_for_names(cells: dict[str, list[str]], numbers: list[str], width: int) -> int:
    """What the numbers leave for names, with a space behind each column."""
    taken = [max(map(len, (*heading.split("\n"), *cells[heading]))) + 1 for heading in numbers]
    return width - sum(taken) - 2


def broken(name: str, width: int) -> str:
    r"""Return a name in lines, broken between words, or at the separators of one that is longer.

    What is longer still is shortened.

    Args:
        name: in short words.
        width: columns of a line.

    Example:
        >>> broken("resnet50@1 33.3", 10), broken("mobilenetv3_large_100 33.3", 12)
        ('resnet50@1\n33.3', 'mobilenetv3_\nlarge_100\n33.3')
        >>> broken("logit standardisation", 13), broken("by Tf-KD_reg", 9)
        ('logit\nstandardisat…', 'by\nTf-KD_reg')
    """
    lines = [""]
    for word in name.split():
        whole = len(word) <= width
        parts = [word] if whole else re.findall(r"@?[^/_@-]+[/_-]*|[/_@-]+", word)
        for place, part in enumerate(parts):
            space = " " if lines[-1] and not place else ""
            if lines[-1] and len(lines[-1] + space + part) > width:
                lines.append("")
                space = ""
            lines[-1] += space + part
    return "\n".join(shortened(line, width) for line in lines)
