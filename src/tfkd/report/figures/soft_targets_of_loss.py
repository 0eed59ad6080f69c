"""A picture of soft targets: what a teacher says, and what its student is led to."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from tfkd.explanation import Explanation
from tfkd.runs import files

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_CLASSES = 12
# Okabe and Ito's colours, which colour-blind people can tell apart; hatches for print in grey.
_TEACHER, _STUDENT, _SMOOTHED = ("#0072B2", ""), ("#E69F00", "//"), ("#999999", "..")


def draw_soft_targets(explanation: Explanation, *, title: str = "") -> Figure:
    """Draw the soft targets of a loss beside those of label smoothing, as bars over classes.

    Three bars for each class: the teacher's probability at its temperature, the probability that
    the student is led to by the whole loss, and the soft target of the label smoothing that leads
    to the same. Of many classes only some wrong ones are drawn: all are alike.

    Args:
        explanation: of `tfkd.explain`.
        title: of the picture.

    Returns:
        A figure that needs no display; `figure.savefig` writes it.

    Raises:
        ValueError: if the soft target depends on the sample, as for a network teacher.

    Source: after Yuan et al., 2020, arXiv 1909.11723, fig. 3.
    """
    from matplotlib.figure import Figure

    target, epsilon = explanation.target, explanation.equivalent_label_smoothing
    if target is None or epsilon is None:
        if explanation.penalty is None and explanation.teacher_target is None:
            got = f"one taught by {explanation.teacher}"
        else:
            got = f"one whose is {explanation.unknown}"
        raise ValueError(
            f"Expected a method whose soft target is the same for every sample, got {got}: there "
            "is nothing to draw."
        )
    count = explanation.num_classes
    smoothed = (1.0 - epsilon + epsilon / count, epsilon / count)
    bars = [
        ("student led to", target, _STUDENT),
        (f"label smoothing, ε = {epsilon:.3g}", smoothed, _SMOOTHED),
    ]
    if explanation.teacher_target is not None and explanation.alpha > 0.0:
        label = f"teacher at τ = {explanation.temperature:g}"
        bars.insert(0, (label, explanation.teacher_target, _TEACHER))
    shown = min(count, MOST_CLASSES)
    figure = Figure(figsize=(7.0, 3.6), layout="constrained")
    axes = figure.add_subplot()
    width = 0.8 / len(bars)
    for place, (label, (true, other), (colour, hatch)) in enumerate(bars):
        positions = [k - 0.4 + (place + 0.5) * width for k in range(shown)]
        axes.bar(
            positions,
            [true] + [other] * (shown - 1),
            width,
            label=f"{label}: {true:.3g}, others {other:.2g}",
            color=colour,
            hatch=hatch,
            edgecolor="white",
            linewidth=0.5,
        )
    smallest = min((other for _, (_, other), _ in bars if other > 0.0), default=0.1)
    # One step of the scale below the shortest bar, so that it has a height.
    axes.set_yscale("log")
    axes.set_ylim(min(smallest, 0.1) / 5, 1.5)
    axes.set_xticks(range(shown), ["true\nclass", *map(str, range(2, shown + 1))])
    others = "" if shown == count else f" ({shown - 1} of {count - 1} others, all alike)"
    axes.set_xlabel(f"class{others}")
    axes.set_ylabel("probability (log scale)")
    axes.set_title(title)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", fontsize="small")
    return figure


def save_soft_targets(explanation: Explanation, file: Path, *, title: str = "") -> None:
    """Write the picture of `draw_soft_targets` to a file, in the format of its suffix.

    Raises:
        ValueError: for another suffix than .svg, .png or .pdf.
    """
    if file.suffix.lower() not in (".svg", ".png", ".pdf"):
        raise ValueError(f"Expected `picture` to end in .svg, .png or .pdf, got {file.name!r}.")
    figure = draw_soft_targets(explanation, title=title)
    content = io.BytesIO()
    figure.savefig(content, dpi=150, format=file.suffix[1:].lower())
    file.parent.mkdir(parents=True, exist_ok=True)
    files.write_bytes(file, content.getvalue())
