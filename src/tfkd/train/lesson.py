"""What a student is taught with: the data of a run, its teacher and its loss."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import nn

from tfkd.data import ImageData, Loader, make_loader
from tfkd.runs.settings import RunSettings
from tfkd.train.logits import measuring_loader
from tfkd.train.progress import Progress
from tfkd.train.teacher_cache import cached_teacher
from tfkd.train.teacher_network import load_teacher


@dataclass(frozen=True)
class Lesson:
    """Data, teacher and loss.

    Attributes:
        data: the data set.
        train: batches of its training split.
        validation: batches of its validation split; None if there is none.
        teacher: the network that teaches, or what it said as a cache; None: none has to be loaded.
        criterion: the loss.
    """

    data: ImageData
    train: Loader
    validation: Loader | None
    teacher: nn.Module | None
    criterion: nn.Module


def make_lesson(
    settings: RunSettings,
    data: ImageData,
    accelerator: Accelerator,
    *,
    workers: int,
    progress: Progress,
    other_data: bool = False,
) -> Lesson:
    """Load what a run is taught with.

    Args:
        settings: of the run.
        data: that it is trained on.
        accelerator: of the run.
        workers: processes that decode image files.
        progress: told how far the cache of the teacher is.
        other_data: let the teacher have been trained on data with another test split.

    Raises:
        FileNotFoundError: if the teacher is not there.
        ValueError: if there are too few images, or the teacher does not fit.
    """
    train = make_loader(
        data,
        data.train,
        batch_size=settings.recipe.batch_size,
        train=True,
        seed=settings.seed,
        rank=accelerator.process_index,
        world_size=accelerator.num_processes,
        device=accelerator.device,
        workers=workers,
        channels_last=True,
    )
    if len(train) == 0:
        raise ValueError("Expected at least 2 training images, got fewer.")
    if len(data.train) < accelerator.num_processes:
        raise ValueError(
            f"Expected at least {accelerator.num_processes} training images, "
            f"one for each process, got {len(data.train)}."
        )
    validation = None
    if len(data.validation) > 0:
        validation = measuring_loader(data, data.validation, accelerator, workers=workers)
    teacher = None
    if settings.teacher is not None:
        network = load_teacher(settings.teacher, data, other_data=other_data)
        teacher = _teacher(network, settings, data, accelerator, workers, progress)
    criterion = settings.method.build(num_classes=data.num_classes, teacher=teacher)
    return Lesson(data, train, validation, teacher, criterion.to(accelerator.device))


def _teacher(
    network: nn.Module,
    settings: RunSettings,
    data: ImageData,
    accelerator: Accelerator,
    workers: int,
    progress: Progress,
) -> nn.Module:
    """The network, or what it says as a cache."""
    network = network.to(memory_format=torch.channels_last)
    if settings.teacher is None or settings.teacher.cache == "none":
        return network
    return cached_teacher(
        settings, data, network, accelerator=accelerator, workers=workers, progress=progress
    )
