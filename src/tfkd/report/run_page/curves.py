"""How the training went, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tfkd.method_table import BASELINE
from tfkd.report.figures.drawing import Drawing
from tfkd.report.figures.style import IN_TURN, INK, PANEL, Style, drawing, to_svg
from tfkd.report.number_text import number_of, percent
from tfkd.report.run_page.run_data import RunOnPage
from tfkd.report.section import Section
from tfkd.report.tables import Table
from tfkd.runs import EpochRecord

MOST_POINTS = 400
"""Epochs that are drawn; of more, so many spread over them."""

LARGEST = 1e9
"""What is larger is no loss that can be drawn beside others."""

TRAINING, VALIDATION = Style(INK, "o", "-"), IN_TURN[1]

Curve = tuple[str, Sequence[float | None], Style]


def how_training_went(run: RunOnPage) -> Section | None:
    """Return the section on the epochs; None before the first is over."""
    if not run.history:
        return None
    return Section(
        "training",
        "How did the training go?",
        _answer(run.history),
        drawings=(_drawing(run),),
    )


def _answer(history: list[EpochRecord]) -> str:
    last = history[-1]
    text = f"After {number_of(last.epoch, 'epoch')} it was right on "
    text += f"{percent(last.train_accuracy)} of the training images"
    known = [(record.validation_nll, record.epoch) for record in history]
    losses = [(nll, epoch) for nll, epoch in known if nll is not None]
    if last.validation_accuracy is None or not losses:
        return f"{text}; without a validation split nothing tells whether that was too long."
    text += f" and on {percent(last.validation_accuracy)} of the validation images"
    lowest, epoch = min(losses)
    if epoch < last.epoch and losses[-1][0] > 1.05 * lowest:
        return (
            f"{text}; the loss on validation images was lowest after epoch {epoch} and has risen "
            "since, so it has begun to learn the training images by heart."
        )
    return f"{text}; the loss on validation images did not rise at the end."


def _drawing(run: RunOnPage) -> Drawing:
    step = math.ceil(len(run.history) / MOST_POINTS)
    shown = [r for r in run.history if r.epoch % step == 0 or r is run.history[-1]]
    epochs = [record.epoch for record in shown]
    losses: list[Curve] = [("training loss", [r.train_loss for r in shown], TRAINING)]
    validation: Curve = ("validation NLL", [r.validation_nll for r in shown], VALIDATION)
    panels: list[tuple[str, list[Curve]]] = [("loss, nats", [*losses, validation])]
    if not _is_nll(run):
        panels = [("training loss", losses), ("validation NLL, nats", [validation])]
    panels += [
        (
            "accuracy, %",
            [
                ("training", [100 * r.train_accuracy for r in shown], TRAINING),
                (
                    "validation",
                    [_times_100(r.validation_accuracy) for r in shown],
                    VALIDATION,
                ),
            ],
        ),
        ("learning rate", [("learning rate", [r.learning_rate for r in shown], TRAINING)]),
    ]
    known = [
        (name, [c for c in curves if any(v is not None for v in c[1])]) for name, curves in panels
    ]
    return Drawing(
        "curves",
        "Training and validation by epoch",
        "Training numbers are those of the images as they were trained on, while the network still "
        "changed; validation images were not trained on."
        + ("" if _is_nll(run) else " The training loss is that of the method, not an NLL."),
        tuple(
            _panel(f"curves-{n}", name, epochs, curves)
            for n, (name, curves) in enumerate(known)
            if curves
        ),
        Table(
            "Every epoch",
            (
                "epoch",
                "learning rate",
                "training loss",
                "training accuracy",
                "validation accuracy",
                "validation NLL",
            ),
            tuple(
                (
                    r.epoch,
                    r.learning_rate,
                    r.train_loss,
                    r.train_accuracy,
                    r.validation_accuracy,
                    r.validation_nll,
                )
                for r in shown
            ),
        ),
    )


def _is_nll(run: RunOnPage) -> bool:
    """Whether the training loss is the NLL, and so comparable with that of other images."""
    method, recipe = run.stored.method, run.stored.recipe
    return (
        method.name == BASELINE
        and method.numbers.get("scale", 1.0) == 1.0
        and recipe.mixup == recipe.cutmix == 0.0
    )


def _times_100(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _panel(name: str, title: str, epochs: list[int], curves: list[Curve]) -> str:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with drawing():
        figure = Figure(figsize=(PANEL[0], 2.4), layout="constrained")
        axes = figure.subplots()
        for label, values, style in curves:
            drawn = np.array([math.nan if v is None else v for v in values], dtype=np.float64)
            drawn[~(np.abs(drawn) < LARGEST)] = math.nan
            axes.plot(
                epochs,
                drawn,
                color=style.colour,
                linestyle=style.line,
                marker=style.marker,
                markersize=3,
                markevery=max(len(epochs) // 6, 1),
                label=label,
            )
        axes.set_xlabel("epoch")
        axes.set_title(title, loc="left")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylim(bottom=0.0)
        if len(curves) > 1:
            axes.legend()
        return to_svg(figure, name, f"{title} by epoch")
