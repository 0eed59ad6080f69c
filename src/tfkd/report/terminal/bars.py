"""Bars of the terminal, by rich; loaded where there is one."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text


class Times(ProgressColumn):
    """What the `clock` of a task says."""

    def render(self, task: Task) -> Text:
        """Return it."""
        return Text(task.fields["clock"].text(), style="progress.remaining", no_wrap=True)


class Bars(Progress):
    """A bar for each task with a clock, and below them a line for each without."""

    def get_renderables(self) -> Iterable[RenderableType]:
        """Yield the bars, then the lines."""
        bars = [task for task in self.tasks if task.fields["clock"] is not None]
        yield self.make_tasks_table(bars)
        lines = [task.description for task in self.tasks if task.fields["clock"] is None]
        yield Group(*(Text(f"  {line}", no_wrap=True, overflow="ellipsis") for line in lines))


def make_bar(console: Console | None = None) -> Progress:
    """Return bars as wide as the terminal, which are gone when they end.

    Args:
        console: where to. Default: standard error.
    """
    words = Column(no_wrap=True, overflow="ellipsis")
    return Bars(
        SpinnerColumn("line"),
        TextColumn("{task.description}", markup=False, table_column=words),
        BarColumn(None, table_column=Column(ratio=1, min_width=4)),
        Times(table_column=Column(no_wrap=True)),
        console=Console(stderr=True) if console is None else console,
        transient=True,
        expand=True,
    )
