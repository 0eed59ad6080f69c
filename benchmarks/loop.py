"""The training loop beside a bare PyTorch loop over the same model, data and loss.

Epochs of the two are interleaved; prints the ratio of their times per step, median and quartiles.

    python benchmarks/loop.py
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch

import tfkd
from tfkd.data import load_data, make_loader
from tfkd.models import create_model
from tfkd.train import RunDirectory, RunSettings
from tfkd.train.loop import Training
from tfkd.train.progress import Silent


def bare_epoch(model, optimizer, criterion, loader, epoch: int) -> float:  # type: ignore[no-untyped-def]
    """Seconds of an epoch of the loop that anyone would write."""
    started = time.perf_counter()
    model.train()
    for batch in loader.batches(epoch):
        optimizer.zero_grad()
        criterion(model(batch.images), batch.labels).backward()
        optimizer.step()
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--student", default="plain_cnn")
    parser.add_argument("--epochs", type=int, default=30)
    options = parser.parse_args()
    settings = RunSettings(student=options.student, epochs=options.epochs)
    with tempfile.TemporaryDirectory() as folder:
        run = RunDirectory(Path(folder))
        training = Training(run, settings, workers=0)
        data = load_data(settings.data)
        model = create_model(options.student, num_classes=10, in_channels=1)
        model = model.to(training.device).to(memory_format=torch.channels_last)
        optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=5e-4)
        loader = make_loader(
            data,
            data.train,
            batch_size=settings.batch_size,
            train=True,
            device=training.device,
            channels_last=True,
        )
        ratios = []
        for epoch in range(options.epochs):
            ours = training.epoch(Silent())["seconds"]
            bare = bare_epoch(model, optimizer, tfkd.cross_entropy(), loader, epoch)
            ratios.append(ours / bare)
    low, middle, high = statistics.quantiles(ratios[2:], n=4)
    print(
        f"{options.student}, {len(ratios) - 2} epochs of {len(loader)} steps, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}: "
        f"{middle:.3f} times the bare loop (quartiles {low:.3f} to {high:.3f})"
    )


if __name__ == "__main__":
    main()
