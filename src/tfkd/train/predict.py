"""The classes of image files, by a trained network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from tfkd.data import DataIdentity
from tfkd.data.preparation import read_pixels
from tfkd.runs import RunDirectory

BATCH = 64


@dataclass(frozen=True)
class Prediction:
    """What a network takes an image for.

    Attributes:
        file: the image.
        classes: names and probabilities in [0, 1], the most probable first.
        error: why the file could not be read; None if it could.
    """

    file: Path
    classes: tuple[tuple[str, float], ...] = ()
    error: str | None = None


def predict_files(
    run: Path | str, images: Sequence[Path], *, top: int = 3, epoch: int | None = None
) -> Iterator[Prediction]:
    """Classify image files, prepared as the run prepares its test images.

    Args:
        run: directory of a finished run.
        images: image files; one that cannot be read is answered with its error.
        top: how many classes to give for each, at least 1; all, if there are fewer.
        epoch: the snapshot kept after this epoch; None: the final weights.

    Returns:
        One prediction for each file, in their order.

    Raises:
        ValueError: if `top` is below 1.
        FileNotFoundError: if the run has no such weights.
    """
    if top < 1:
        raise ValueError(f"Expected `top` of at least 1, got {top}.")
    directory = RunDirectory(run)
    model = directory.load_model(epoch)
    data = directory.data()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = model.to(device).to(memory_format=torch.channels_last)

    def predictions() -> Iterator[Prediction]:
        for first in range(0, len(images), BATCH):
            yield from _predict_batch(model, images[first : first + BATCH], data, top, device)

    return predictions()


@torch.no_grad()
def _predict_batch(
    model: torch.nn.Module,
    images: Sequence[Path],
    data: DataIdentity,
    top: int,
    device: torch.device,
) -> list[Prediction]:
    pixels: dict[int, Tensor] = {}
    errors: dict[int, str] = {}
    for number, file in enumerate(images):
        try:
            pixels[number] = read_pixels(file, data)
        except ValueError as error:
            errors[number] = str(error)
    found: dict[int, tuple[tuple[str, float], ...]] = {}
    if pixels:
        batch = torch.stack(list(pixels.values())).to(device, torch.float64) / 255
        mean, std = (
            torch.tensor(values, dtype=torch.float64, device=device).view(1, -1, 1, 1)
            for values in (data.mean, data.std)
        )
        batch = ((batch - mean) / std).float().contiguous(memory_format=torch.channels_last)
        probabilities, labels = model(batch).double().softmax(1).sort(1, descending=True)
        for number, row, indices in zip(
            pixels, probabilities.tolist(), labels.tolist(), strict=True
        ):
            names = [data.classes[index] for index in indices[:top]]
            found[number] = tuple(zip(names, row[:top], strict=True))
    return [
        Prediction(file, found.get(number, ()), errors.get(number))
        for number, file in enumerate(images)
    ]
