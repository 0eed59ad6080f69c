"""The in-memory loader beside torchvision's transforms in a DataLoader, and beside a step.

Random bytes of CIFAR's shape; padding of 4 and crop, mirroring, rotation by up to 15 degrees,
normalisation; batches of 128. An epoch is timed; the worker processes live on from epoch to epoch.

    python benchmarks/loader.py
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from measure import compare
from records import Records, read_options
from tfkd.data import ImageData, make_loader
from workload import AUGMENTATION, BATCH, MEAN, STD, network, random_images, sgd, training_step

WORKERS = 2


class Transformed(Dataset[tuple[Tensor, Tensor]]):
    """The same images, one by one, through torchvision's transforms."""

    def __init__(self, data: ImageData) -> None:
        self.pixels, self.labels = data.train.official.pixels, data.train.labels
        self.transform = v2.Compose(
            [
                v2.RandomCrop(32, padding=AUGMENTATION.crop_padding),
                v2.RandomHorizontalFlip(),
                v2.RandomRotation(AUGMENTATION.rotation),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.transform(self.pixels[index]), self.labels[index]


def our_epoch(data: ImageData, device: torch.device) -> Callable[[], None]:
    """Return an epoch of this package's loader; each is augmented anew."""
    loader = make_loader(
        data, data.train, batch_size=BATCH, train=True, device=device, channels_last=True
    )
    epochs = iter(range(10**9))

    def epoch() -> None:
        for _ in loader.batches(next(epochs)):
            pass

    return epoch


def torchvision_epoch(data: ImageData, device: torch.device, workers: int) -> Callable[[], None]:
    """Return an epoch of torchvision's transforms, on the device in the end."""
    loader = DataLoader(
        Transformed(data),
        batch_size=BATCH,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=device.type == "cuda",
    )

    def epoch() -> None:
        for images, labels in loader:
            images.to(device, memory_format=torch.channels_last, non_blocking=True)
            labels.to(device, non_blocking=True)

    return epoch


def main() -> None:
    """Measure epochs of the loaders, then the loader's share of a step."""
    options = read_options(__doc__, repeats=9)
    records = Records("loader", options)
    device = options.device
    samples = 1280 if options.quick else 10_240
    data = random_images(samples)
    epochs = {
        f"torchvision, {WORKERS} workers": torchvision_epoch(data, device, WORKERS),
        "torchvision, this process": torchvision_epoch(data, device, 0),
        "in memory": our_epoch(data, device),
    }
    measured = compare(
        epochs,
        baseline=f"torchvision, {WORKERS} workers",
        repeats=options.repeats,
        seconds=0.0,
        device=device,
        work=samples,
        unit="images",
    )
    records.add("epoch", measured)

    model = network("plain_cnn", device)
    batch = next(make_loader(data, data.train, batch_size=BATCH, train=True).batches(0))
    images = batch.images.to(device, memory_format=torch.channels_last)
    labels = batch.labels.to(device)
    step = training_step(model, sgd(model), images, lambda z: F.cross_entropy(z, labels))

    def steps() -> None:
        for _ in range(samples // BATCH):
            step()

    measured = compare(
        {"steps": steps, "in memory": epochs["in memory"]},
        baseline="steps",
        repeats=options.repeats,
        seconds=0.0,
        device=device,
        work=samples,
        unit="images",
    )
    records.add("epoch beside plain_cnn's steps", measured)


if __name__ == "__main__":
    main()
