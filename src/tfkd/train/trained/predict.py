"""The classes of image files, by a trained network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import torch

from tfkd._checks import check_integer, check_workers
from tfkd._few_images import LEAST
from tfkd.runs import RunDirectory
from tfkd.train.trained.network import USUAL_TOP, TrainedNetwork, best_device, load
from tfkd.train.trained.prediction import Prediction
from tfkd.train.trained.reading import ReadBatch, read_batches


def predict_files(
    run: Path | str,
    images: Iterable[Path | str],
    *,
    top: int | None = None,
    epoch: int | None = None,
    workers: int = 0,
    calibrated: bool = False,
    least_images: int = LEAST,
) -> Iterator[Prediction]:
    """Classify image files, prepared as the run prepares its test images.

    Args:
        run: directory of a finished run.
        images: image files, of which there may be any number: each is asked for when it is needed.
            One that cannot be read is answered with its error.
        top: how many classes to give for each, at least 1; all, if there are fewer. None: 3, or all
            where an image may have several labels.
        epoch: the snapshot kept after this epoch; None: the final weights.
        workers: processes that decode the images, no more than there are batches of 64; 0: this
            one.
        calibrated: give the probabilities after the run's temperature, which was fitted on its
            validation split.
        least_images: of that split, from which such a temperature is taken.

    Returns:
        One prediction for each file, in their order.

    Raises:
        ValueError: if `top` is below 1, there are more `workers` than this machine can feed, or
            `calibrated` of a run without a validation split, or with a smaller one.
        FileNotFoundError: if the run has no such weights.
    """
    if top is not None:
        check_integer("top", top, minimum=1)
    check_workers(workers)
    trained = load(run, epoch).to(best_device())
    number = trained.usual_top if top is None else top
    temperature = trained.checked_temperature(least_images) if calibrated else 1.0
    trained.network.to(memory_format=torch.channels_last)

    def answers() -> Iterator[Prediction]:
        batches = read_batches(
            map(Path, images), trained.identity, batch_size=trained.at_once, workers=workers
        )
        for batch in batches:
            yield from _answered(trained, batch, number, temperature)

    return answers()


def usual_of_run(run: Path | str) -> tuple[int, bool]:
    """Return how many classes are given where nobody says it, and whether an image has several."""
    directory = RunDirectory(run)
    several = directory.settings().recipe.data.several_labels
    return (len(directory.data().classes) if several else USUAL_TOP), several


def _answered(
    trained: TrainedNetwork, batch: ReadBatch, top: int, temperature: float
) -> list[Prediction]:
    """The answers to files, those that could not be read in their places."""
    read = [file for place, file in enumerate(batch.files) if place not in batch.errors]
    found: list[Prediction] = []
    if read:
        images = trained.normalise(batch.pixels.to(trained.device))
        logits = trained.logits(images.contiguous(memory_format=torch.channels_last))
        found = trained.answers(logits.double() / temperature, [*read], top=top)
    rest = iter(found)
    return [
        Prediction(file, error=batch.errors[place]) if place in batch.errors else next(rest)
        for place, file in enumerate(batch.files)
    ]
