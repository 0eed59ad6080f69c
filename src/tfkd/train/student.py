"""The student: its network and optimiser, laid out for the processes that train it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from msgspec.structs import replace
from torch import nn

from tfkd.data import ImageData
from tfkd.models.create import check_pretrained
from tfkd.models.preparation import check_image_size
from tfkd.runs import Recipe, RunSettings
from tfkd.runs.optimizers import Optimizer
from tfkd.train.average import WeightAverage
from tfkd.train.compiled import check_compiles
from tfkd.train.freezing import freeze
from tfkd.train.optimizer import make_optimizer, parameter_groups
from tfkd.train.seeds import weights_seed
from tfkd.train.weights.file import weights_file
from tfkd.train.weights.fit import load_start


@dataclass(frozen=True)
class Student:
    """A network that is trained.

    Attributes:
        network: itself.
        model: the same as Accelerate has prepared it, which is what is called in training.
        optimizer: Accelerate's, around torch's.
        settings: of the optimiser.
        parameters: names of the parameters that the optimiser changes, in its order.
        still: norms of what is frozen, whose averages are not to move.
        average: of its weights over the steps; None: none is taken.
        remark: what has to be said of what it started from; None: nothing.
    """

    network: nn.Module
    model: nn.Module
    optimizer: Any
    settings: Optimizer
    parameters: tuple[str, ...]
    still: tuple[nn.Module, ...] = ()
    average: WeightAverage | None = None
    remark: str | None = None

    @property
    def measured(self) -> nn.Module:
        """The network whose weights are those of the run: the average, if one is taken."""
        return self.network if self.average is None else self.average.network

    def train(self) -> None:
        """Go into training mode, but for what is frozen."""
        self.model.train()
        for norm in self.still:
            norm.eval()


def make_student(settings: RunSettings, data: ImageData, accelerator: Accelerator) -> Student:
    """Build the student of a run, with its initial weights.

    Raises:
        ValueError: if it does not fit the data, or settings do not fit it.
    """
    recipe = settings.recipe
    torch.manual_seed(weights_seed(settings.seed))
    network, remark = _with_weights(recipe, data)
    norms = freeze(network, recipe.freeze, name=recipe.student)
    _check_whole(settings, sharded=bool(accelerator.is_fsdp2))
    network = laid_out(
        network,
        device=accelerator.device,
        processes=accelerator.num_processes,
        sharded=bool(accelerator.is_fsdp2),
    )
    groups = parameter_groups(network, recipe.optimizer, name=recipe.student)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    parameters = tuple(names[id(own)] for group in groups for own in group["params"])
    model, optimizer = accelerator.prepare(network, make_optimizer(groups, recipe.optimizer))
    average = WeightAverage(network, recipe.weight_average) if recipe.weight_average else None
    modules = dict(network.named_modules())
    still = tuple(modules[name] for name in norms)
    return Student(network, model, optimizer, recipe.optimizer, parameters, still, average, remark)


def check_student(recipe: Recipe, data: ImageData) -> None:
    """Check that a recipe's network takes images of these data, and its settings fit it.

    Nothing is downloaded: of timm's weights it is seen whether they can be had.

    Raises:
        FileNotFoundError: if the weights that it starts from are not there.
        ConnectionError: if timm's weights are not there, and cannot be downloaded.
        ValueError: if nobody knows the network, it does not take them, or there is no compiler for
            a step that is to be compiled.
    """
    if recipe.compile:
        check_compiles(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    if recipe.pretrained:
        check_pretrained(recipe.student)
    network, _ = _with_weights(replace(recipe, pretrained=False), data)
    freeze(network, recipe.freeze, name=recipe.student)
    parameter_groups(network, recipe.optimizer, name=recipe.student)


def what_a_student_is(recipe: Recipe) -> object:
    """Return what of a recipe `check_student` looks at, to be compared."""
    optimizer = recipe.optimizer
    options = tuple(sorted(recipe.model_option.items()))
    weights = (recipe.pretrained, recipe.weights, recipe.freeze)
    return (recipe.student, options, weights, optimizer.layer_decay, recipe.data, recipe.compile)


def _with_weights(recipe: Recipe, data: ImageData) -> tuple[nn.Module, str | None]:
    """The network of a recipe with what it starts from, and a remark about it."""
    network = recipe.build_student(
        num_classes=data.num_classes,
        in_channels=data.channels,
        image_size=data.image_size,
        pretrained=recipe.pretrained,
    )
    _check_images(network, recipe, data)
    if recipe.weights is None:
        return network, None
    file = weights_file(recipe.weights)
    return network, load_start(network, file, name=recipe.student, classes=data.classes)


def _check_whole(settings: RunSettings, *, sharded: bool) -> None:
    recipe, method = settings.recipe, settings.method
    if sharded and method.row.takes("student", method.dialect):
        raise ValueError(
            f"Expected no FSDP with the method {method.name}, whose loss asks or averages the "
            "whole student."
        )
    if recipe.weight_average and sharded:
        raise ValueError(
            f"Expected no `weight_average` with FSDP, got {recipe.weight_average}: timm averages "
            "whole networks."
        )


def _check_images(network: nn.Module, recipe: Recipe, data: ImageData) -> None:
    """Check, with an empty image, that a network takes images of these data."""
    name, options = recipe.student, recipe.model_option
    check_image_size(name, data.image_size)
    size = (1, data.channels, data.image_size, data.image_size)
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            logits = network(torch.zeros(size))
    except (RuntimeError, ValueError, AssertionError, TypeError) as error:
        said = " ".join(f"{option}={value}" for option, value in options.items())
        raise ValueError(
            f"Expected a `student` that takes images of {' × '.join(map(str, size[1:]))}, but "
            f"{name}{f' with `model_option` {said}' if said else ''} does not: "
            f"{str(error).strip().rstrip('.')}. Try "
            f"{'other `model_option`, ' if said else ''}another `image_size`, or another network."
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
