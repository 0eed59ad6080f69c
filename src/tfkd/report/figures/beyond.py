"""Axes that a few networks which have learned nothing do not stretch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tfkd.report.figures.style import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEW = 8
"""Values of which none is far out: there are too few to tell."""
FAR_OUT = 3.0
"""Widths of the middle half of the values, beyond whose ends a value is far out."""
BEYOND = "What lies beyond an axis is an arrow at its edge, with its number."


def shown_range(values: Sequence[float]) -> tuple[float, float]:
    """Return the range of the values that are not far out.

    Args:
        values: at least one.

    Example:
        >>> shown_range([-90.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
        (0.1, 0.7)
        >>> shown_range([-90.0, 0.1, 0.2])
        (-90.0, 0.2)

    Source: Tukey, "Exploratory Data Analysis", 1977, section 2C.
    """
    known = np.asarray(values, dtype=np.float64)
    if len(known) >= FEW:
        first, third = np.quantile(known, [0.25, 0.75])
        far = FAR_OUT * (third - first)
        known = known[(known >= first - far) & (known <= third + far)]
    return float(known.min()), float(known.max())


def mark_beyond(axes: Axes, arms: Sequence[tuple[Style, float]], low: float, high: float) -> None:
    """Mark what lies outside of the y-axis: at its edge the arm's marker, an arrow and the number.

    Args:
        axes: whose limits are set.
        arms: style and value of each.
        low: the lower limit.
        high: the upper one.
    """
    for below in (False, True):
        outside = [arm for arm in arms if (arm[1] < low if below else arm[1] > high)]
        for place, (style, value) in enumerate(outside):
            x, y = 0.98 - 0.19 * (place % 5), 0.05 if below else 0.95
            axes.plot(
                [x],
                [y],
                transform=axes.transAxes,
                color=style.colour,
                marker=style.marker,
                markersize=4,
                ls="none",
            )
            axes.annotate(
                f"{'↓' if below else '↑'}{value:.3g}".replace("-", "−"),
                (x - 0.02, y),
                xycoords="axes fraction",
                ha="right",
                va="center",
                fontsize=7.2,
            )
