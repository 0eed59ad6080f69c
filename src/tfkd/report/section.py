"""A part of the page of a run: an answer, and what it rests on."""

from __future__ import annotations

from dataclasses import dataclass

from tfkd.report.figures.drawing import Drawing
from tfkd.report.pictures.gallery import Gallery
from tfkd.report.tables import Table


@dataclass(frozen=True)
class Matrix:
    """A square table of counts, coloured by the share of their row.

    Attributes:
        title: what it shows.
        rows: what the rows are, in a word or two.
        columns: what the columns are.
        names: of rows and columns alike.
        counts: row by row.
    """

    title: str
    rows: str
    columns: str
    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    def shaded(self) -> list[tuple[str, list[tuple[int, int, bool]]]]:
        """Return each row's name, and of its cells the count, per cent of the row, if diagonal."""
        return [
            (
                name,
                [
                    (count, round(100 * count / max(sum(row), 1)), across == down)
                    for across, count in enumerate(row)
                ],
            )
            for down, (name, row) in enumerate(zip(self.names, self.counts, strict=True))
        ]

    def table(self) -> Table:
        """Return the same as a plain table."""
        return Table(
            self.title,
            (f"{self.rows} ↓ {self.columns} →", *self.names),
            tuple((name, *row) for name, row in zip(self.names, self.counts, strict=True)),
        )


@dataclass(frozen=True)
class Section:
    """A part of the page; what is empty is not printed.

    Attributes:
        name: unique on the page; letters, digits and hyphens.
        title: a question.
        answer: to it, in plain English.
        notes: sentences on how to read what follows.
        facts: pairs of a name and what there is to say.
        matrices: of counts.
        drawings: curves and the like.
        tables: of numbers.
        galleries: pictures with words.
    """

    name: str
    title: str
    answer: str
    notes: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    matrices: tuple[Matrix, ...] = ()
    drawings: tuple[Drawing, ...] = ()
    tables: tuple[Table, ...] = ()
    galleries: tuple[Gallery, ...] = ()
