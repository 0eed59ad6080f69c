"""Panels as wide as their share of the page, and the same for a narrow one.

What is drawn for a phone and stretched over a page has letters of twice its size, and what is drawn
for a page cannot be read on a phone: where there are few panels both are drawn, and the page shows
one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from tfkd.report.figures.style import drawing, to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDE = {1: 11.7, 2: 5.7, 4: 5.7}
"""Inches of each of so many panels on a wide page; of others three stand beside each other."""


class Widths(NamedTuple):
    """`svg` elements for a narrow page; and for a wide one, none where the same will do."""

    narrow: tuple[str, ...]
    wide: tuple[str, ...]


def in_widths(name: str, count: int, make: Callable[[int], tuple[Figure, str]]) -> Widths:
    """Draw panels for a narrow page, and where they are few for a wide one.

    Args:
        name: of the figure, unique on the page; letters, digits and hyphens.
        count: of panels.
        make: from the place of a panel to it, for a narrow page and with a constrained layout, and
            to its title. It is called within `drawing()`.
    """
    narrow, wide = [], []
    for place in range(count):
        with drawing():
            figure, title = make(place)
            narrow.append(to_svg(figure, f"{name}-{place}", title))
            if count in WIDE:
                _widen(figure, WIDE[count])
                wide.append(to_svg(figure, f"{name}-wide-{place}", title))
    return Widths(tuple(narrow), tuple(wide))


def _widen(figure: Figure, inches: float) -> None:
    """Widen what has been drawn: the margins stay as wide as they are, and nothing is laid out.

    To lay it out anew takes as long as all else.
    """
    before, height = figure.get_size_inches()
    figure.set_layout_engine("none")
    figure.set_size_inches(inches, height)
    for axes in figure.axes:
        place = axes.get_position()
        left, right = place.x0 * before / inches, 1.0 - (1.0 - place.x1) * before / inches
        axes.set_position((left, place.y0, right - left, place.height))
