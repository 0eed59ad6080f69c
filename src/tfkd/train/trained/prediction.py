"""What a network takes an image for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

NO_NUMBER = "Expected numbers from the network, got NaN or infinity"


@dataclass(frozen=True)
class Prediction:
    """What a network takes an image for.

    Attributes:
        file: the image; None if it came from no file.
        classes: names and probabilities in [0, 1], the most probable first.
        labels: where an image may have several, the names of a probability above 0.5, the most
            probable first; None where it has one.
        error: why there is no answer, as where the file cannot be read; None if there is one.
    """

    file: Path | None = None
    classes: tuple[tuple[str, float], ...] = ()
    error: str | None = None
    labels: tuple[str, ...] | None = None


def predictions(
    logits: Tensor,
    classes: tuple[str, ...],
    files: list[Path | None],
    *,
    top: int,
    several_labels: bool = False,
) -> list[Prediction]:
    """Return what a network's logits say of each image.

    Args:
        logits: (N, K).
        classes: names of the K classes.
        files: N of them.
        top: how many classes to give for each; all, if there are fewer. Of equal probabilities the
            class of the lower index comes first.
        several_labels: whether an image may have several, each with a probability of its own.
    """
    logits = logits.double()
    every = logits.sigmoid() if several_labels else logits.softmax(1)
    probabilities, labels = every.sort(dim=1, descending=True, stable=True)
    taken = (probabilities > 0.5).sum(1).tolist() if several_labels else [None] * len(files)
    shown = len(classes) if several_labels else top
    found = []
    for file, row, indices, count in zip(
        files, probabilities[:, :shown].tolist(), labels[:, :shown].tolist(), taken, strict=True
    ):
        if not all(value == value for value in row):
            name = "" if file is None else f" for {file}"
            found.append(Prediction(file, error=f"{NO_NUMBER}{name}."))
            continue
        names = [classes[index] for index in indices]
        own = None if count is None else tuple(names[:count])
        found.append(Prediction(file, tuple(zip(names, row, strict=True))[:top], labels=own))
    return found
