"""What a student is taught with: the data of a run, its teacher and its loss."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from tfkd.data import ImageData, Loader, make_loader
from tfkd.loss import Criterion
from tfkd.runs.settings import Recipe, RunSettings
from tfkd.train.logits import measuring_loader
from tfkd.train.progress import Progress
from tfkd.train.seeds import loss_seed
from tfkd.train.teacher_cache import cached_teacher
from tfkd.train.teacher_network import load_teacher, remark_on_classes


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
    criterion: Criterion


def make_lesson(
    settings: RunSettings,
    data: ImageData,
    accelerator: Accelerator,
    *,
    student: nn.Module,
    workers: int,
    progress: Progress,
    other_data: bool = False,
) -> Lesson:
    """Load what a run is taught with.

    Args:
        settings: of the run.
        data: that it is trained on.
        accelerator: of the run.
        student: that is trained, on its device.
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
        partners=settings.method.row.partners,
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
        if (remark := remark_on_classes(settings.teacher, data)) is not None:
            progress.remark(remark)
        teacher = _teacher(network, settings, data, accelerator, workers, progress)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(loss_seed(settings.seed))
        criterion = _criterion(settings, data, teacher, student)
    return Lesson(data, train, validation, teacher, criterion.to(accelerator.device))


def _criterion(
    settings: RunSettings, data: ImageData, teacher: nn.Module | None, student: nn.Module
) -> Criterion:
    if data.several_labels:
        return settings.method.row.build_binary(
            settings.method.numbers,
            teacher=teacher,
            pos_weight=positive_weights(settings.recipe, data),
        )
    return settings.method.build(
        num_classes=data.num_classes,
        teacher=teacher,
        weight=class_weights(settings.recipe, data),
        student=student,
        epochs=settings.recipe.epochs,
        num_samples=len(data.train.official),
    )


def positive_weights(recipe: Recipe, data: ImageData) -> Tensor | None:
    """Return the weights of labels that images have, (K,), of which they may have several.

    Balanced, label k of n_k of n training images where it is known weighs (n − n_k) / n_k, so that
    having it counts as much as not having it. None: all count alike.

    Raises:
        ValueError: naming a label that no training image has, or every one.
    """
    if recipe.class_weights == "none":
        return None
    has, lacks = ((data.train.labels == value).sum(0) for value in (1.0, 0.0))
    for counts, who in ((has, "with"), (lacks, "without")):
        if bool((counts == 0).any()):
            raise ValueError(
                f"Expected training images {who} every label for `class_weights` balanced, got "
                f"none {who} {data.classes[int(counts.argmin())]}."
            )
    return (lacks.double() / has).float()


def class_weights(recipe: Recipe, data: ImageData) -> Tensor | None:
    """Return the weights of the classes in the loss, (K,); None: all count alike.

    Balanced, class k of n_k of n training images weighs n / (K · n_k), as
    `sklearn.utils.class_weight.compute_class_weight` has it.

    Raises:
        ValueError: naming a class without a training image.
    """
    if recipe.class_weights == "none":
        return None
    counts = data.train.labels.bincount(minlength=data.num_classes)
    if bool((counts == 0).any()):
        missing = data.classes[int(counts.argmin())]
        raise ValueError(
            f"Expected training images of every class for `class_weights` balanced, got none of "
            f"{missing}."
        )
    return (counts.sum() / (data.num_classes * counts.double())).float()


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
