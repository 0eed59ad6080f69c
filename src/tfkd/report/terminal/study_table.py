"""A study as tables of the terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tfkd.study.summary import Row, conclude

if TYPE_CHECKING:
    from rich.console import Console


METHOD_WIDTH = 13
NUMBERS = (
    "test accu-\nracy %",
    "difference to\ncross-entropy",
    "NLL",
    "ECE\n%",
    "AURC\n%",
    "sec-\nonds",
)
"""Headings of the columns behind method and teacher."""


def print_rows(rows: list[Row], console: Console) -> None:
    """Print one table for each student, and what may be concluded.

    Args:
        rows: of `tfkd.study.summary.summarise_study`.
        console: where to; it fits in 80 columns.
    """
    from rich.table import Table

    for student in dict.fromkeys(row.student for row in rows):
        seeds = max(row.accuracy.n for row in rows if row.student == student)
        table = Table(
            title=f"student {student}, mean ± sd of {seeds} seed{'s' if seeds > 1 else ''}",
            title_justify="left",
            box=None,
            padding=(0, 1, 0, 0),
        )
        cells = [_cells(row) for row in rows if row.student == student]
        numbers = [
            max(len(text) for text in (*name.split("\n"), *column))
            for name, column in zip(NUMBERS, list(zip(*cells, strict=True))[2:], strict=True)
        ]
        # What the numbers leave for names, with a space behind each column.
        left = console.width - sum(numbers) - len(NUMBERS) - 2
        narrow = console.width < 100
        table.add_column("method", width=METHOD_WIDTH if narrow else None, overflow="fold")
        table.add_column(
            "teacher\naccuracy %",
            width=min(max(left - METHOD_WIDTH, 6), 10) if narrow else None,
            overflow="fold",
        )
        for name in NUMBERS:
            table.add_column(name, justify="right", no_wrap=True)
        for row_of_cells in cells:
            table.add_row(*row_of_cells)
        console.print(table)
        console.print()
    console.print(conclude(rows), highlight=False)


def _cells(row: Row) -> list[str]:
    teacher = ""
    if row.teacher is not None and "teacher_accuracy" in row.metrics:
        teacher = f"{row.teacher} {row.metrics['teacher_accuracy'].mean:.1f}"
    spread = "" if math.isnan(row.accuracy.sd) else f" ±{row.accuracy.sd:.2f}"
    difference = ""
    if row.difference is not None:
        difference = f"{row.difference.mean:+.2f}"
        if not math.isnan(row.difference.low):
            difference += f" [{row.difference.low:+.2f} {row.difference.high:+.2f}]"
    seconds = row.metrics["seconds"].mean
    return [
        row.title,
        teacher,
        f"{row.accuracy.mean:.2f}{spread}",
        difference,
        f"{row.metrics['nll'].mean:.3f}",
        f"{row.metrics['ece'].mean:.1f}",
        f"{row.metrics['aurc'].mean:.2f}",
        f"{seconds:.0f}" if seconds >= 9.95 else f"{seconds:.1f}",
    ]
