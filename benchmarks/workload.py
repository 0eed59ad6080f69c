"""What the benchmarks train on: random images of CIFAR-100's shape, and one training step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tfkd.data import DataSettings, Source
from tfkd.data.augmentation import Augmentation
from tfkd.data.image_data import ImageData
from tfkd.data.images import MemoryImages
from tfkd.data.splits import Split
from tfkd.models import create_model
from tfkd.runs import Recipe

CLASSES = 100
BATCH = 128
AUGMENTATION = Augmentation(crop_padding=4, flip=True, rotation=15.0)
MEAN, STD = (0.507, 0.487, 0.441), (0.267, 0.256, 0.276)


def random_images(samples: int) -> ImageData:
    """Return a data set of random bytes, 3x32x32 of 100 classes, augmented as CIFAR-100 is."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (samples, 3, 32, 32), dtype=torch.uint8, generator=generator)
    images = MemoryImages(pixels, torch.randint(CLASSES, (samples,), generator=generator))
    return ImageData(
        name="random",
        classes=tuple(map(str, range(CLASSES))),
        channels=3,
        image_size=32,
        mean=MEAN,
        std=STD,
        train=Split(images),
        validation=Split(images),
        test=Split(images),
        augmentation=AUGMENTATION,
    )


def random_source(root: str | None) -> Source:
    """Return 50 steps' worth of them as a data set, for runs: `workload:random_source`."""
    data = random_images(50 * BATCH)
    images = data.train.official
    assert isinstance(images, MemoryImages)
    return Source(
        classes=data.classes,
        train=images,
        test=MemoryImages(images.pixels[:BATCH], images.labels[:BATCH]),
        mean=MEAN,
        std=STD,
        image_size=data.image_size,
        augmentation=AUGMENTATION,
    )


def random_recipe(student: str, *, epochs: int, augmentation: str = "default") -> Recipe:
    """Return a recipe on them, without a validation split."""
    settings = DataSettings(
        "workload:random_source", validation_fraction=0.0, augmentation=augmentation
    )
    return Recipe(student=student, data=settings, epochs=epochs, batch_size=BATCH)


def network(name: str, device: torch.device) -> nn.Module:
    """Return a network for them, laid out as the training loop does."""
    torch.manual_seed(0)
    model = create_model(name, num_classes=CLASSES)
    return model.to(device, memory_format=torch.channels_last)


def random_batch(device: torch.device) -> tuple[Tensor, Tensor]:
    """Return a batch of images and labels."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(BATCH, 3, 32, 32, generator=generator)
    labels = torch.randint(CLASSES, (BATCH,), generator=generator)
    return images.to(device, memory_format=torch.channels_last), labels.to(device)


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    """Return the optimiser, at a rate that keeps random labels from diverging."""
    return torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4)


def training_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, loss: Callable[..., Tensor]
) -> Callable[[], None]:
    """Return one step; `loss` gets the logits."""

    def step() -> None:
        loss(model(images)).backward()
        optimizer.step()
        optimizer.zero_grad()  # at the end, so that every step begins with the same memory

    return step
