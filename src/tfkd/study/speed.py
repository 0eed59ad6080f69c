"""How fast this machine is: a step of a network, and the reading of image files.

What is measured is thrown away, and nothing of it reaches a run: the random numbers that it takes
are put back.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch

from tfkd.data import DataSettings, ImageData, MemoryImages, Places, load_data, make_loader
from tfkd.runs import Recipe

# Training images, test images, classes, channels and side in pixels of the data sets as published,
# so that a study can be planned before its data are there.
PUBLISHED_SIZES = {
    "cifar10": (50_000, 10_000, 10, 3, 32),
    "cifar100": (50_000, 10_000, 100, 3, 32),
    "tiny-imagenet": (100_000, 10_000, 200, 3, 64),
    "imagenet": (1_281_167, 50_000, 1000, 3, 224),
    "fashion-mnist": (60_000, 10_000, 10, 1, 28),
}

PATIENCE = 0.15
"""Seconds after which nothing is measured again; what takes longer by itself is measured once."""

MEASURED_STEPS = 3
FEW_IMAGES = 8
"""On a CPU a step that takes long is measured with so few, and its time taken as proportional."""

SHORT = 0.03
"""Seconds of such a step below which it is measured with a whole batch."""


@dataclass(frozen=True)
class DataShape:
    """Numbers of images and classes, channels and side in pixels of a data set as it is split."""

    train: int
    validation: int
    test: int
    classes: int
    channels: int
    image_size: int


def shape_of(data: ImageData) -> DataShape:
    """Return the numbers of a data set."""
    return DataShape(
        len(data.train),
        len(data.validation),
        len(data.test),
        data.num_classes,
        data.channels,
        data.image_size,
    )


def data_shape(settings: DataSettings, *, root: str | Places | None = None) -> DataShape:
    """Return the numbers of a data set, from the data or, where they are missing, as published.

    Args:
        settings: which data set, and how it is split.
        root: where it lies; None: the usual places.

    Raises:
        FileNotFoundError: if the data are missing and are none of the published ones.
    """
    try:
        return shape_of(load_data(settings, root=root))
    except FileNotFoundError:
        if settings.name not in PUBLISHED_SIZES:
            raise
    official, test, classes, channels, size = PUBLISHED_SIZES[settings.name]
    validation = round(official * settings.validation_fraction)
    train = settings.train_size or official - validation
    return DataShape(train, validation, test, classes, channels, settings.image_size or size)


def measure_step(recipe: Recipe, shape: DataShape) -> tuple[float, float]:
    """Return the seconds for each image of a training step and of a forward pass.

    Args:
        recipe: of which the student is measured, in its precision and batches.
        shape: of its data.
    """
    batch = min(recipe.batch_size, shape.train)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with _random_numbers_put_back(device):
        steps = _steps(recipe, shape, device)
        if device.type == "cpu":
            few = min(batch, FEW_IMAGES)
            train = steps(few)[0]
            train()
            if few == batch or _once(train, device) >= SHORT:
                batch = few
        train, predict = steps(batch)
        return _timed(train, device) / batch, _timed(predict, device) / batch


def measure_reading(data: ImageData) -> float:
    """Return the seconds that one process takes to decode and augment an image; in memory, 0."""
    split = data.train
    if isinstance(split.official, MemoryImages):
        return 0.0
    with _random_numbers_put_back(torch.device("cpu")):
        batches = make_loader(data, split, batch_size=2, train=True).batches(epoch=0)
        next(batches)  # imports what decodes
        started, images = time.perf_counter(), 0
        for batch in batches:
            images += len(batch.labels)
            if time.perf_counter() - started >= PATIENCE:
                break
        return (time.perf_counter() - started) / max(images, 1)


_Step = Callable[[], None]


def _steps(
    recipe: Recipe, shape: DataShape, device: torch.device
) -> Callable[[int], tuple[_Step, _Step]]:
    """From a size of batches to a training step and a forward pass."""
    model = recipe.build_student(
        num_classes=shape.classes, in_channels=shape.channels, image_size=shape.image_size
    )
    model = model.to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9)
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(recipe.mixed_precision)

    def steps(batch: int) -> tuple[_Step, _Step]:
        size = (batch, shape.channels, shape.image_size, shape.image_size)
        images = torch.randn(size).to(device, memory_format=torch.channels_last)
        labels = torch.randint(shape.classes, (batch,)).to(device)

        def forward() -> torch.Tensor:
            with torch.autocast(device.type, dtype, enabled=dtype is not None):
                logits: torch.Tensor = model(images)
            return logits.float()

        def train() -> None:
            model.train()
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(forward(), labels)
            torch.autograd.backward(loss)
            optimizer.step()

        @torch.no_grad()
        def predict() -> None:
            model.eval()
            forward()

        return train, predict

    return steps


def _timed(step: _Step, device: torch.device) -> float:
    """The median of a few times, the first of which, with all that is prepared, does not count."""
    first = _once(step, device)
    if first > PATIENCE:
        return first
    taken: list[float] = []
    while len(taken) < MEASURED_STEPS and sum(taken) < PATIENCE:
        taken.append(_once(step, device))
    return median(taken)


def _once(step: _Step, device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


@contextlib.contextmanager
def _random_numbers_put_back(device: torch.device) -> Iterator[None]:
    """Put back what networks, of one's own too, may draw from."""
    gpus = [torch.cuda.current_device()] if device.type == "cuda" else []
    python, array = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(gpus):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(array)
        if device.type == "cuda":
            torch.cuda.empty_cache()
