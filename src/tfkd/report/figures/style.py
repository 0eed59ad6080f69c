"""How figures look: colours, markers and lines of the methods, and SVG that suits the page."""

from __future__ import annotations

import re
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from tfkd.method_table import BASELINE, METHODS
from tfkd.report.study_data import Group
from tfkd.study.summary import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, PAGE = "#101112", "#c8c9ca", "#fdfeff"
"""Stand for the page's own colour of text, a paler one, and its background."""

PANEL = (3.55, 3.0)
"""Inches of a panel: as wide as a narrow phone shows."""

# Okabe and Ito's colours, which colour-blind people can tell apart; the page lightens some of
# them on a dark ground. Their yellow cannot be seen on white, so a grey stands for it.
COLOURS = {
    "#e69f00": "orange",
    "#0072b2": "blue",
    "#009e73": "green",
    "#d55e00": "vermillion",
    "#cc79a7": "purple",
    "#56b4e9": "sky",
    "#7f7f7f": "grey",
    "#999999": "pale",
}
_VARIABLES = {
    INK: "currentColor",
    FAINT: "var(--faint)",
    PAGE: "var(--page)",
    "#ffffff": "var(--page)",
    "#000000": "currentColor",
    **{colour: f"var(--{name})" for colour, name in COLOURS.items()},
}
_SVG, _HREF = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"


class Style(NamedTuple):
    """Colour, marker and line, so that none of them tells alone."""

    colour: str
    marker: str
    line: Any


BASELINE_STYLE = Style(INK, "o", "-")
# Lengths of dashes and gaps, in widths of the line.
_DASHES: list[Any] = [
    (0, (5, 1.5)),
    (0, (10, 1.5)),
    (0, (3, 1, 1, 1)),
    (0, (1, 1)),
    (0, (7, 2, 2, 2)),
    (0, (4, 1, 1, 1, 1, 1)),
    (0, (2, 2)),
]
_MARKERS = "s^vDPX*"


def _in_turn(place: int) -> Style:
    """The style of a place: all of it differs among seven, and two of its three among 49."""
    turn, at = divmod(place, len(_DASHES))
    marker, line = (at + turn) % len(_MARKERS), (at + 2 * turn) % len(_DASHES)
    return Style(list(COLOURS)[at], _MARKERS[marker], _DASHES[line])


IN_TURN = [_in_turn(place) for place in range(len(_DASHES))]
"""For arms that their methods do not tell apart."""

_COMPARED = [
    name for name, method in METHODS.items() if name != BASELINE and method.taught_by != "any"
]
_OF_METHOD = {
    BASELINE: BASELINE_STYLE,
    **{name: _in_turn(place) for place, name in enumerate(_COMPARED)},
    "scaled": Style("#d55e00", "<", _DASHES[0]),
    "uninformed": Style("#56b4e9", "h", _DASHES[5]),
    "balanced": Style("#cc79a7", ">", _DASHES[3]),
    "smoothed": Style("#e69f00", "p", _DASHES[2]),
    "undone": Style("#7f7f7f", "d", _DASHES[4]),
    "double": Style("#009e73", "*", _DASHES[1]),
}
FILLED = {"tfkd": "full", "paper": "none", "released": "left"}
"""By dialect, how markers are filled where arms of several dialects share a panel."""


def style_of(row: Row) -> Style:
    """Return the style of an arm's method, the same in every figure."""
    own = IN_TURN[crc32(row.method.encode()) % len(IN_TURN)]  # of a method of one's own
    return _OF_METHOD.get(row.method, own)


def styles_in(group: Group) -> list[tuple[Row, Style]]:
    """Return the arms of a panel with their styles, all different."""
    own = [style_of(row) for row in group.rows]
    if len(set(own)) < len(own):
        own = [_in_turn(place) for place in range(len(own))]
    styled = list(zip(group.rows, own, strict=True))
    return styled if group.baseline is None else [(group.baseline, BASELINE_STYLE), *styled]


@contextmanager
def drawing() -> Iterator[None]:
    """Set matplotlib up for the time of one figure: no text is taken for a formula."""
    import matplotlib

    settings: dict[Any, Any] = {
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 8.5,
        "axes.titlesize": 9,
        "axes.labelsize": 8.5,
        "legend.fontsize": 8,
        "legend.frameon": False,
        "legend.handlelength": 2.6,
        "text.parse_math": False,
        "axes.formatter.use_mathtext": False,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "axes.facecolor": "none",
        "figure.facecolor": "none",
        "savefig.facecolor": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.7,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": FAINT,
        "grid.linewidth": 0.5,
        "lines.linewidth": 1.4,
        "lines.markersize": 4.5,
        "hatch.linewidth": 0.6,
        "svg.fonttype": "none",
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # The browser has the letters of class names that matplotlib's font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def plain_ticks(axes: Axes) -> None:
    """Write the ticks of a logarithmic y-axis as numbers; matplotlib's own way is a formula."""
    from matplotlib.ticker import LogFormatter

    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(LogFormatter(labelOnlyBase=False, minor_thresholds=(1.0, 0.4)))


def to_svg(figure: Figure, name: str, title: str) -> str:
    """Return a figure as an `svg` element for an HTML page.

    Text stays text, in the page's font; colours are the page's variables; ids start with `name`,
    so that those of two figures never meet; the size follows the page.

    Args:
        figure: drawn within `drawing()`.
        name: unique on the page; letters, digits and hyphens.
        title: read out instead of the picture.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    text = StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        # `savefig` would draw twice, the first time for the layout alone.
        canvas = FigureCanvasSVG(figure)
        figure.set_dpi(72)
        canvas.print_svg(text, metadata=nothing)  # type: ignore[no-untyped-call]
    # Two characters that names of classes may have and XML may not.
    svg = re.sub("[\ufffe\uffff]", "\ufffd", text.getvalue())
    root = ElementTree.fromstring(svg)
    for parent in root.iter():
        for child in list(parent):
            if child.tag in (f"{_SVG}metadata", f"{_SVG}style"):
                parent.remove(child)
    used = set(re.findall(r"#([\w-]+)\)|href=\"#([\w-]+)\"", text.getvalue()))
    kept = {name for pair in used for name in pair if name}
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        _adapt(element, name, kept)
    width = float(root.attrib["viewBox"].split()[2])
    root.attrib.pop("height")
    root.attrib.pop("version", None)
    # 96 of the page's pixels are an inch of 72 points.
    root.attrib |= {"width": f"{width * 96 / 72:.0f}", "role": "img", "aria-label": title}
    return ElementTree.tostring(root, encoding="unicode")


def _adapt(element: ElementTree.Element, name: str, kept: set[str]) -> None:
    attributes = element.attrib
    if _HREF in attributes:
        attributes["href"] = f"#{name}-{attributes.pop(_HREF)[1:]}"
    if "id" in attributes:
        own = attributes.pop("id")
        if own in kept:
            attributes["id"] = f"{name}-{own}"
    for key in ("style", "fill", "stroke", "clip-path"):
        if key in attributes:
            value = attributes[key].replace("url(#", f"url(#{name}-")
            value = re.sub(r"font: ([\d.]+px) [^;]*", r"font-size: \1", value)
            attributes[key] = re.sub(
                r"#[0-9a-fA-F]{6}\b",
                lambda found: _VARIABLES.get(found[0].lower(), found[0]),
                value,
            )
