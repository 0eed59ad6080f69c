"""What a study will cost, from a step of each network measured on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch

from tfkd.data import DataSettings, Places, load_data
from tfkd.models import create_model
from tfkd.study.directory import run_directory
from tfkd.study.plan import Study

# Training images, test images, classes, channels and side in pixels of the data sets as published,
# so that a study can be planned before its data are there.
PUBLISHED_SIZES = {
    "cifar10": (50_000, 10_000, 10, 3, 32),
    "cifar100": (50_000, 10_000, 100, 3, 32),
    "tiny-imagenet": (100_000, 10_000, 200, 3, 64),
    "imagenet": (1_281_167, 50_000, 1000, 3, 224),
    "fashion-mnist": (60_000, 10_000, 10, 1, 28),
}
MEASURED_STEPS = 3
CPU_BATCH = 8
"""On a CPU the time of a step is measured with so few images and taken as proportional."""


@dataclass(frozen=True)
class DataShape:
    """Numbers of images and classes, channels and side in pixels of a data set as it is split."""

    train: int
    validation: int
    test: int
    classes: int
    channels: int
    image_size: int


Measure = Callable[[str, DataShape, int], tuple[float, float]]
"""Seconds for each image of a training step and of a forward pass of a network, in such batches."""


@dataclass(frozen=True)
class Estimate:
    """What is left of a study.

    Attributes:
        runs: runs of the plan.
        finished: runs that are finished.
        epochs: epochs of the runs that are not finished.
        jobs: runs side by side.
        seconds: time of those, so many side by side.
    """

    runs: int
    finished: int
    epochs: int
    jobs: int
    seconds: float


def data_shape(settings: DataSettings, *, root: str | Places | None = None) -> DataShape:
    """Return the numbers of a data set, from the data or, where they are missing, as published.

    Args:
        settings: which data set, and how it is split.
        root: where it lies; None: the usual places.

    Raises:
        FileNotFoundError: if the data are missing and are none of the published ones.
    """
    try:
        data = load_data(settings, root=root)
    except FileNotFoundError:
        if settings.name not in PUBLISHED_SIZES:
            raise
        official, test, classes, channels, size = PUBLISHED_SIZES[settings.name]
        validation = round(official * settings.validation_fraction)
        train = settings.train_size or official - validation
        return DataShape(train, validation, test, classes, channels, settings.image_size or size)
    return DataShape(
        len(data.train),
        len(data.validation),
        len(data.test),
        data.num_classes,
        data.channels,
        data.image_size,
    )


def estimate(
    study: Study,
    root: Path,
    *,
    jobs: int = 1,
    data_root: str | Places | None = None,
    measure: Measure | None = None,
) -> Estimate:
    """Measure a step of every network of a study and add up what is left.

    Args:
        study: the plan.
        root: its directory; finished runs there are not counted again, begun ones are.
        jobs: runs side by side; steps are measured with the threads that each would have.
        data_root: where the data lie; None: the usual places.
        measure: how long a network takes; None: `measure_step`, on this machine.

    Returns:
        The time is that of training, validation, test and the teacher's forward passes, once for
        each view of a cache that runs share; reading
        files and starting processes are not in it, and that teachers come first neither.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(max(before // jobs, 1))
    shapes: dict[DataSettings, DataShape] = {}
    costs: dict[tuple[str, DataShape, int], tuple[float, float]] = {}
    runs, finished, epochs, seconds = study.runs(root), 0, 0, 0.0
    arms = {arm.name: arm for arm in study.arms}
    cached: set[object] = set()

    def cost(student: str, shape: DataShape, batch: int) -> tuple[float, float]:
        key = (student, shape, batch)
        if key not in costs:
            costs[key] = (measure or measure_step)(student, shape, batch)
        return costs[key]

    try:
        for run in runs:
            if run_directory(root, run.name).result() is not None:
                finished += 1
                continue
            arm = arms[run.arm]
            # Seeds split alike: one look at the data serves them all.
            if arm.recipe.data not in shapes:
                shapes[arm.recipe.data] = data_shape(arm.recipe.data, root=data_root)
            shape = shapes[arm.recipe.data]
            batch = min(arm.recipe.batch_size, shape.train)
            trained, predicted = cost(arm.recipe.student, shape, batch)
            epochs += arm.recipe.epochs
            one_epoch = shape.train * trained + shape.validation * predicted
            seconds += arm.recipe.epochs * one_epoch + shape.test * predicted
            if arm.teacher is None or run.settings.teacher is None:
                continue
            passes = arm.recipe.epochs
            if study.teacher_cache != "none":
                # An upper bound: without augmentation there is one view.
                passes = min(passes, arm.recipe.data.views or passes)
                key = (
                    run.settings.teacher,
                    arm.recipe.data,
                    passes,
                    arm.recipe.mixed_precision,
                )
                if key in cached:
                    continue
                cached.add(key)
            seconds += (
                passes * shape.train * cost(arms[arm.teacher].recipe.student, shape, batch)[1]
            )
    finally:
        torch.set_num_threads(before)
    return Estimate(len(runs), finished, epochs, jobs, seconds / jobs)


def measure_step(name: str, shape: DataShape, batch: int) -> tuple[float, float]:
    """Return the seconds for each image of a training step and of a forward pass."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        batch = min(batch, CPU_BATCH)
    generator = torch.Generator().manual_seed(0)
    size = (batch, shape.channels, shape.image_size, shape.image_size)
    images = torch.randn(size, generator=generator).to(device, memory_format=torch.channels_last)
    labels = torch.randint(shape.classes, (batch,), generator=generator).to(device)
    model = create_model(
        name,
        num_classes=shape.classes,
        in_channels=shape.channels,
        image_size=shape.image_size,
    )
    model = model.to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9)

    def train() -> None:
        optimizer.zero_grad()
        loss: torch.Tensor = torch.nn.functional.cross_entropy(model(images), labels)
        torch.autograd.backward(loss)
        optimizer.step()

    @torch.no_grad()
    def predict() -> None:
        model(images)

    times = []
    for step in (train, predict):
        taken = []
        for _ in range(1 + MEASURED_STEPS):
            if device.type == "cuda":
                torch.cuda.synchronize()
            started = time.perf_counter()
            step()
            if device.type == "cuda":
                torch.cuda.synchronize()
            taken.append(time.perf_counter() - started)
        times.append(median(taken[1:]) / batch)
        model.eval()
    return times[0], times[1]
