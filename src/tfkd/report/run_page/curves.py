"""How the training went, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tfkd.method_table import BASELINE
from tfkd.report.figures.drawing import Drawing
from tfkd.report.figures.style import IN_TURN, INK, PANEL, Style, drawing, to_svg
from tfkd.report.number_text import number_of, percent, without_plus
from tfkd.report.run_page.run_data import RunOnPage
from tfkd.report.section import Section
from tfkd.report.tables import Table

MOST_POINTS = 400
"""Epochs that are drawn; of more, so many spread over them."""

LARGEST = 1e9
"""What is larger is no loss that can be drawn beside others."""

ENOUGH_IMAGES = 50
"""With fewer validation images, that their loss rises may be chance."""

RISEN, FAR_BELOW = 1.05, 0.5
"""Shares of the lowest and of the last validation loss, from which a network is said to overfit."""

TRAINING, VALIDATION = Style(INK, "o", "-"), IN_TURN[1]

Curve = tuple[str, Sequence[float | None], Style]


def how_training_went(run: RunOnPage) -> Section | None:
    """Return the section on the epochs; None before the first is over."""
    if not run.history:
        return None
    return Section(
        "training",
        "How did the training go?",
        _answer(run),
        drawings=(_drawing(run),),
    )


def _answer(run: RunOnPage) -> str:
    last = run.history[-1]
    text = f"After {number_of(last.epoch, 'epoch')} it was right on "
    text += f"{percent(last.train_accuracy)} of the training images"
    known = [(record.epoch, record.validation_nll) for record in run.history]
    losses = [(epoch, nll) for epoch, nll in known if nll is not None]
    if last.validation_accuracy is None or not losses:
        return f"{text}; without a validation split nothing tells whether that was too long."
    text += f" and on {percent(last.validation_accuracy)} of the validation images"
    return f"{text}. {loss_in_words(losses)}{_overfits(run, losses)}"


def loss_in_words(losses: Sequence[tuple[int, float]]) -> str:
    """Return how the loss on validation images went: where it was lowest, and what came of it.

    Args:
        losses: epoch and loss, at least one.

    Example:
        >>> loss_in_words([(1, 1.108), (2, 1.143), (3, 1.151)])
        'The loss on validation images was lowest after epoch 1 (1.108), and 1.151 after the last.'
    """
    (last_epoch, last), (epoch, lowest) = losses[-1], min(losses, key=lambda pair: pair[1])
    subject = "The loss on validation images was"
    if len(losses) == 1:
        return f"{subject} {without_plus(last, 3)}."
    if last == lowest:
        return f"{subject} lowest after the last epoch ({without_plus(last, 3)})."
    since = [pair for pair in losses if pair[0] >= epoch]
    peak_epoch, peak = max(since, key=lambda pair: pair[1])
    between = ""
    if peak_epoch != last_epoch and without_plus(peak, 3) != without_plus(last, 3):
        between = f", {without_plus(peak, 3)} after epoch {peak_epoch}"
    return (
        f"{subject} lowest after epoch {epoch} ({without_plus(lowest, 3)}){between}, and "
        f"{without_plus(last, 3)} after the last."
    )


def _overfits(run: RunOnPage, losses: list[tuple[int, float]]) -> str:
    """A sentence where it is seen that the network fits its training images and no others."""
    images = 0 if run.identity is None else run.identity.samples["validation"]
    if images < ENOUGH_IMAGES or not _is_nll(run):
        return ""
    values = [nll for _, nll in losses]
    lowest = values.index(min(values))
    has_risen = values[-1] > RISEN * values[lowest] and values[-1] == max(values[lowest:])
    if not has_risen or run.history[-1].train_loss >= FAR_BELOW * values[-1]:
        return ""
    return (
        f" The training loss came down to {without_plus(run.history[-1].train_loss, 3)} meanwhile: "
        "the network overfits, what it learnt at the end holds for the training images alone."
    )


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
                "training accuracy %",
                "validation accuracy %",
                "validation NLL",
            ),
            tuple(
                (
                    r.epoch,
                    r.learning_rate,
                    r.train_loss,
                    100 * r.train_accuracy,
                    _times_100(r.validation_accuracy),
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
