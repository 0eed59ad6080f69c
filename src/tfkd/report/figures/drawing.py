"""A figure of the page: pictures, words and the numbers behind them."""

from __future__ import annotations

from dataclasses import dataclass

from tfkd.report.tables import Table


@dataclass(frozen=True)
class Drawing:
    """A figure.

    Attributes:
        name: unique on the page; letters, digits and hyphens.
        title: what it shows.
        caption: what to see in it, and how it was made.
        panels: `svg` elements for a narrow page, or for any.
        table: the numbers.
        left_out: a sentence on what is not drawn; empty if all is.
        wide: the same panels for a wide page; empty where `panels` are for any.
    """

    name: str
    title: str
    caption: str
    panels: tuple[str, ...]
    table: Table
    left_out: str = ""
    wide: tuple[str, ...] = ()
