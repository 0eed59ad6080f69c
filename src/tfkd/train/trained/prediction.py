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
        error: why there is no answer, as where the file cannot be read; None if there is one.
    """

    file: Path | None = None
    classes: tuple[tuple[str, float], ...] = ()
    error: str | None = None


def predictions(
    logits: Tensor, classes: tuple[str, ...], files: list[Path | None], *, top: int
) -> list[Prediction]:
    """Return what a network's logits say of each image.

    Args:
        logits: (N, K).
        classes: names of the K classes.
        files: N of them.
        top: how many classes to give for each; all, if there are fewer. Of equal probabilities the
            class of the lower index comes first.
    """
    probabilities, labels = logits.double().softmax(1).sort(dim=1, descending=True, stable=True)
    found = []
    for file, row, indices in zip(
        files, probabilities[:, :top].tolist(), labels[:, :top].tolist(), strict=True
    ):
        if not all(value == value for value in row):
            name = "" if file is None else f" for {file}"
            found.append(Prediction(file, error=f"{NO_NUMBER}{name}."))
            continue
        names = [classes[index] for index in indices]
        found.append(Prediction(file, tuple(zip(names, row, strict=True))))
    return found
