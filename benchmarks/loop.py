"""The training loop beside a bare PyTorch loop over the same model, data and loss.

Epochs of digits, at their own 8 pixels and at 32, by `plain_cnn`. After each epoch of a run the
bare loop does one of its own, so that the two alternate. Both take their batches from the same
loader; the bare loop counts nothing and looks at nothing. Validation and files are not counted.

Then 50 steps of `small_cnn` on random images of CIFAR-100's shape, augmented as CIFAR-100 is, or
cropped and mirrored alone, beside its network alone: forward, loss, backward and step on one batch
that lies there. What a run takes beyond that are data, augmentation, metrics and the loop itself.

    python benchmarks/loop.py
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

import tfkd
from measure import summarise, synchronise
from records import Records, read_options
from tfkd.data import DataSettings, load_data, make_loader
from tfkd.models import create_model
from tfkd.runs import EpochRecord, Recipe, RunSettings
from tfkd.train import train_run
from tfkd.train.progress import Silent
from workload import BATCH, network, random_images, random_recipe, sgd, training_step

STUDENT = "plain_cnn"
SIZES = (8, 32)
AUGMENTATIONS = {"crop-flip": "crop and flip", "default": "crop, flip and rotation"}
WARM_UP = 3
"""Epochs of each before the first that counts."""


def bare_epoch(settings: RunSettings, device: torch.device) -> Callable[[], int]:
    """Return an epoch of the loop that anyone would write; it returns its number of steps."""
    data = load_data(settings.recipe.data)
    model = create_model(STUDENT, num_classes=data.num_classes, in_channels=data.channels)
    model = model.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=5e-4)
    criterion = tfkd.cross_entropy()
    loader = make_loader(
        data,
        data.train,
        batch_size=settings.recipe.batch_size,
        train=True,
        device=device,
        channels_last=True,
    )

    def epoch() -> int:
        model.train()
        for batch in loader.batches(0):
            optimizer.zero_grad()
            criterion(model(batch.images), batch.labels).backward()
            optimizer.step()
        return len(loader)

    return epoch


def network_alone(device: torch.device) -> Callable[[], int]:
    """Return as many steps of `small_cnn` as an epoch has, on one batch; it returns how many."""
    data = random_images(50 * BATCH)
    model = network("small_cnn", device)
    batch = next(
        make_loader(
            data, data.train, batch_size=BATCH, train=True, device=device, channels_last=True
        ).batches(0)
    )
    criterion = tfkd.cross_entropy()
    step = training_step(model, sgd(model), batch.images, lambda z: criterion(z, batch.labels))

    def epoch() -> int:
        for _ in range(50):
            step()
        return 50

    return epoch


class Alternating(Silent):
    """After each epoch of the run, one of the bare loop."""

    def __init__(self, bare: Callable[[], int], name: str, device: torch.device) -> None:
        self.bare, self.name, self.device = bare, name, device
        self.times: dict[str, list[float]] = {name: [], "tfkd": []}
        self.steps = 0

    def epoch(self, record: EpochRecord) -> None:
        """Note the run's seconds, then those of the bare loop."""
        self.times["tfkd"].append(record.seconds)
        synchronise(self.device)
        started = time.perf_counter()
        self.steps = self.bare()
        synchronise(self.device)
        self.times[self.name].append(time.perf_counter() - started)


def measure(
    records: Records,
    case: str,
    recipe: Recipe,
    bare: Callable[[], int],
    name: str,
    device: torch.device,
) -> None:
    """Train a run, the other loop between its epochs, and write both down."""
    progress = Alternating(bare, name, device)
    with tempfile.TemporaryDirectory() as folder:
        train_run(Path(folder) / "run", RunSettings(recipe), progress=progress)
    times = {name: values[WARM_UP:] for name, values in progress.times.items()}
    records.add(case, summarise(times, baseline=name, work=progress.steps, unit="steps"))


def main() -> None:
    """Measure both sizes of digits, then CIFAR-100's shape."""
    options = read_options(__doc__, repeats=60)
    records = Records("loop", options)
    for size in SIZES[: 1 if options.quick else None]:
        recipe = Recipe(
            student=STUDENT,
            data=DataSettings("digits", image_size=size),
            epochs=options.repeats + WARM_UP,
        )
        bare = bare_epoch(RunSettings(recipe), options.device)
        case = f"epoch of digits, {size} pixels"
        measure(records, case, recipe, bare, "bare loop", options.device)
    epochs = (3 if options.quick else min(options.repeats, 15)) + WARM_UP
    alone = network_alone(options.device)
    for augmentation, words in AUGMENTATIONS.items():
        recipe = random_recipe("small_cnn", epochs=epochs, augmentation=augmentation)
        case = f"50 steps of small_cnn, 32 pixels, {words}"
        measure(records, case, recipe, alone, "network alone", options.device)


if __name__ == "__main__":
    main()
