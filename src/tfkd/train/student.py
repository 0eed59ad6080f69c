"""The student: its network and optimiser, laid out for the processes that train it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from tfkd.data import ImageData
from tfkd.models import create_model, model_names
from tfkd.models.preparation import check_image_size
from tfkd.runs import SGD, AdamW, Recipe, RunSettings
from tfkd.train.seeds import weights_seed


@dataclass(frozen=True)
class Student:
    """A network that is trained.

    Attributes:
        network: itself; its weights are those of the run.
        model: the same as Accelerate has prepared it, which is what is called in training.
        optimizer: Accelerate's, around torch's.
    """

    network: nn.Module
    model: nn.Module
    optimizer: Any


def make_student(settings: RunSettings, data: ImageData, accelerator: Accelerator) -> Student:
    """Build the student of a run, with its initial weights."""
    torch.manual_seed(weights_seed(settings.seed))
    network = create_model(
        settings.recipe.student,
        num_classes=data.num_classes,
        in_channels=data.channels,
        pretrained=settings.recipe.pretrained,
        image_size=data.image_size,
    )
    _check_images(network, settings.recipe.student, data)
    network = laid_out(
        network,
        device=accelerator.device,
        processes=accelerator.num_processes,
        sharded=bool(accelerator.is_fsdp2),
    )
    model, optimizer = accelerator.prepare(network, _optimizer(network, settings.recipe.optimizer))
    return Student(network, model, optimizer)


def check_student(recipe: Recipe, data: ImageData) -> None:
    """Check that a recipe's network takes images of these data; nothing is downloaded.

    Raises:
        ValueError: if nobody knows the network, or it does not take them.
    """
    network = create_model(
        recipe.student,
        num_classes=data.num_classes,
        in_channels=data.channels,
        image_size=data.image_size,
    )
    if recipe.pretrained and recipe.student in model_names():
        create_model(recipe.student, num_classes=data.num_classes, pretrained=True)
    _check_images(network, recipe.student, data)


def _check_images(network: nn.Module, name: str, data: ImageData) -> None:
    """Check, with an empty image, that a network takes images of these data."""
    check_image_size(name, data.image_size)
    size = (1, data.channels, data.image_size, data.image_size)
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            logits = network(torch.zeros(size))
    except (RuntimeError, ValueError, AssertionError, TypeError) as error:
        raise ValueError(
            f"Expected a `student` that takes images of {' × '.join(map(str, size[1:]))}, but "
            f"{name} does not: {error} Try another `image_size`, or another network."
        ) from error
    network.train(was_training)
    if logits.shape != (1, data.num_classes):
        raise ValueError(
            f"Expected logits of shape (1, {data.num_classes}) from {name}, got "
            f"{tuple(logits.shape)}."
        )


def laid_out(
    network: nn.Module, *, device: torch.device, processes: int, sharded: bool
) -> nn.Module:
    """Return the network as its processes need it.

    Args:
        network: not yet on the device.
        device: of this process.
        processes: how many train it; on several GPUs, batch norm becomes SyncBatchNorm.
        sharded: whether FSDP spreads the weights, which takes contiguous ones alone.
    """
    if not sharded:
        network = network.to(memory_format=torch.channels_last)
    if processes > 1 and device.type == "cuda":
        from timm.layers.norm_act import convert_sync_batchnorm

        # torch's own would drop the activation that many of timm's batch norms have within them.
        network = convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    return network


def _optimizer(network: nn.Module, settings: SGD | AdamW) -> torch.optim.Optimizer:
    if isinstance(settings, AdamW):
        return torch.optim.AdamW(
            network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
    return torch.optim.SGD(
        network.parameters(),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        nesterov=settings.nesterov,
        weight_decay=settings.weight_decay,
    )
