"""The training loop beside a bare PyTorch loop over the same model, data and loss.

Epochs of digits, at their own 8 pixels and at 32, by `plain_cnn`. After each epoch of a run the
bare loop does one of its own, so that the two alternate. Both take their batches from the same
loader; the bare loop counts nothing and looks at nothing. Validation and files are not counted.

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

STUDENT = "plain_cnn"
SIZES = (8, 32)
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


class Alternating(Silent):
    """After each epoch of the run, one of the bare loop."""

    def __init__(self, bare: Callable[[], int], device: torch.device) -> None:
        self.bare, self.device = bare, device
        self.times: dict[str, list[float]] = {"bare loop": [], "tfkd": []}
        self.steps = 0

    def epoch(self, record: EpochRecord) -> None:
        """Note the run's seconds, then those of the bare loop."""
        self.times["tfkd"].append(record.seconds)
        synchronise(self.device)
        started = time.perf_counter()
        self.steps = self.bare()
        synchronise(self.device)
        self.times["bare loop"].append(time.perf_counter() - started)


def main() -> None:
    """Measure both sizes."""
    options = read_options(__doc__, repeats=60)
    records = Records("loop", options)
    for size in SIZES[: 1 if options.quick else None]:
        recipe = Recipe(
            student=STUDENT,
            data=DataSettings("digits", image_size=size),
            epochs=options.repeats + WARM_UP,
        )
        settings = RunSettings(recipe)
        progress = Alternating(bare_epoch(settings, options.device), options.device)
        with tempfile.TemporaryDirectory() as folder:
            train_run(Path(folder) / "run", settings, progress=progress)
        times = {name: values[WARM_UP:] for name, values in progress.times.items()}
        measured = summarise(times, baseline="bare loop", work=progress.steps, unit="steps")
        records.add(f"epoch of digits, {size} pixels", measured)


if __name__ == "__main__":
    main()
