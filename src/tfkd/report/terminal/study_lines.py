"""What the terminal shows of studies: which there are, how far one is, what it would cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfkd.report.number_text import duration
from tfkd.study.plan import Study
from tfkd.study.status import ArmStatus

if TYPE_CHECKING:
    from rich.console import Console

    from tfkd.paper.catalogue import Entry


def print_studies(entries: list[Entry], console: Console) -> None:
    """Print a table of the studies that there are."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("study", no_wrap=True)
    table.add_column("data", no_wrap=True)
    table.add_column("what it asks")
    for entry in entries:
        table.add_row(entry.name, entry.data, entry.question)
    console.print(table)


def print_status(study: Study, arms: list[ArmStatus], console: Console) -> None:
    """Print how far each arm of a study is."""
    from rich.table import Table

    finished, planned = sum(arm.finished for arm in arms), sum(arm.planned for arm in arms)
    table = Table(
        title=f"{study.name}: {finished} of {planned} runs finished",
        title_justify="left",
        box=None,
        padding=(0, 2, 0, 0),
    )
    table.add_column("arm", overflow="fold")
    for name in ("finished", "begun", "epochs", "time"):
        table.add_column(name, justify="right", no_wrap=True)
    for arm in arms:
        table.add_row(
            arm.name,
            f"{arm.finished}/{arm.planned}",
            str(arm.begun),
            f"{arm.epochs_done}/{arm.epochs}",
            duration(arm.seconds) if arm.seconds else "",
        )
    console.print(table)
