"""Pictures of the page with what is said of each."""

from __future__ import annotations

from dataclasses import dataclass

from tfkd.report.number_text import percent
from tfkd.report.tables import Table


@dataclass(frozen=True)
class Picture:
    """An image of a data set, small.

    Attributes:
        address: a `data:` address that holds it; empty if it is not shown.
        width: in pixels of the page.
        height: in pixels of the page.
        path: where the image lies, or its place in the data set.
        label: the class that the data set gives it.
        other: another class, of which is spoken.
        probability: of that other class, in [0, 1].
        of_label: probability of the label.
        verb: between the image and that other class; a network may take it for a third.
    """

    address: str
    width: int
    height: int
    path: str
    label: str
    other: str
    probability: float
    of_label: float
    verb: str = "taken for"

    @property
    def sentence(self) -> str:
        """What is said below it, in words."""
        if self.other == self.label:
            return f"rightly, {probability_text(self.probability)}"
        return f"{self.verb} {self.other}, {probability_text(self.probability)}"

    @property
    def alternative(self) -> str:
        """What is read out instead of it."""
        return f"an image of the class {self.label}, {self.sentence}"


@dataclass(frozen=True)
class Gallery:
    """Pictures under a common title.

    Attributes:
        title: what they are.
        note: how they were chosen.
        pictures: in order.
    """

    title: str
    note: str
    pictures: tuple[Picture, ...]

    def table(self) -> Table:
        """Return the same in words, for where there are no pictures."""
        verb = self.pictures[0].verb if self.pictures else "taken for"
        return Table(
            self.title,
            ("image", "label", verb, "probability", "probability of the label"),
            tuple(
                (each.path, each.label, each.other, each.probability, each.of_label)
                for each in self.pictures
            ),
        )


def probability_text(share: float) -> str:
    r"""Write a probability; only what is certain is 0 or 100 %.

    Example:
        >>> [probability_text(share) for share in (0.873, 0.99996, 0.0002, 1.0)]
        ['87\xa0%', '>99.9\xa0%', '<0.1\xa0%', '100\xa0%']
    """
    if 0.0 < share < 0.001:
        return f"<{percent(0.001)}"
    if 0.999 < share < 1.0:
        return f">{percent(0.999)}"
    return percent(share, 0 if 0.01 <= share < 0.99 or share in (0.0, 1.0) else 1)
