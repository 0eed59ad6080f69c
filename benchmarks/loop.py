"""The training loop beside a bare PyTorch loop over the same model, data and loss.

An epoch of digits, at their own 8 pixels and at 32, by `plain_cnn`. Both take their batches from
the same loader; the bare loop counts nothing and looks at nothing.

    python benchmarks/loop.py
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

import tfkd
from measure import compare
from records import Records, read_options
from tfkd.data import DataSettings, load_data, make_loader
from tfkd.models import create_model
from tfkd.train import RunDirectory, RunSettings
from tfkd.train.loop import Training
from tfkd.train.progress import Silent

STUDENT = "plain_cnn"
SIZES = (8, 32)


def bare_epoch(settings: RunSettings, device: torch.device) -> Callable[[], None]:
    """Return an epoch of the loop that anyone would write."""
    data = load_data(settings.data)
    model = create_model(STUDENT, num_classes=data.num_classes, in_channels=data.channels)
    model = model.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=5e-4)
    criterion = tfkd.cross_entropy()
    loader = make_loader(
        data,
        data.train,
        batch_size=settings.batch_size,
        train=True,
        device=device,
        channels_last=True,
    )

    def epoch() -> None:
        model.train()
        for batch in loader.batches(0):
            optimizer.zero_grad()
            criterion(model(batch.images), batch.labels).backward()
            optimizer.step()

    return epoch


def main() -> None:
    """Measure both sizes."""
    options = read_options(__doc__, repeats=25)
    records = Records("loop", options)
    for size in SIZES[: 1 if options.quick else None]:
        settings = RunSettings(student=STUDENT, data=DataSettings("digits", image_size=size))
        with tempfile.TemporaryDirectory() as folder:
            training = Training(RunDirectory(Path(folder)), settings, workers=0)
            measured = compare(
                {
                    "bare loop": bare_epoch(settings, training.device),
                    "tfkd": lambda training=training: training.epoch(Silent()),
                },
                baseline="bare loop",
                repeats=options.repeats,
                seconds=0.0 if options.quick else 0.5,
                device=training.device,
                work=len(training.train_loader),
                unit="steps",
            )
        records.add(f"epoch of digits, {size} pixels", measured)


if __name__ == "__main__":
    main()
