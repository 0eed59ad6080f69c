"""How few images of a batch a process may get: batch norm can do nothing with a single value.

Where a network ends in one pixel, as `resnet18` does at 32 pixels, each channel of one image is one
value, which has no deviation to be divided by.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from tfkd.data import ImageData
from tfkd.runs import Recipe
from tfkd.train.freezing import freeze


def smallest_share(
    network: nn.Module,
    recipe: Recipe,
    data: ImageData,
    *,
    processes: int,
    device: torch.device,
    still: Sequence[nn.Module] = (),
) -> int:
    """Return how many images each process needs of a batch that is trained on, 1 or 2.

    The network is asked only where a process would get a single one.

    Args:
        network: that is trained, on the device; it is left as it is.
        recipe: that it is trained by.
        data: that it is trained on.
        processes: how many share a batch.
        device: of this process.
        still: norms that are frozen, and so normalise with what they know.

    Raises:
        ValueError: if every batch, or all of the data, is too small.
    """
    size, samples = recipe.batch_size, len(data.train)
    if size < processes:
        raise ValueError(
            f"Expected `batch_size` of at least {processes}, an image for each process, got {size}."
        )
    if processes > 1 and device.type != "cpu":
        return 1  # SyncBatchNorm is over all of a batch
    last = 0 if processes == 1 else samples % size  # a last image alone is never trained on
    if 1 not in (size // processes, last // processes):
        return 1
    if _trains_on_one(network, data, device, still):
        return 1
    if size // processes < 2:
        each = "" if processes == 1 else f", 2 images for each of {processes} processes"
        raise ValueError(
            f"Expected `batch_size` of at least {2 * processes}{each}, got {size}: batch norm of "
            f"{recipe.student} has one value of a channel at the end of one image of "
            f"{data.image_size} pixels, and cannot normalise it."
        )
    if samples < 2 * processes:
        raise ValueError(
            f"Expected at least {2 * processes} training images, 2 for each process, got {samples}."
        )
    return 2


def check_batch_size(recipe: Recipe, data: ImageData) -> None:
    """Check that one process can train a recipe's network on batches of its size.

    Raises:
        ValueError: if they are too small.
    """
    if recipe.batch_size == 1:
        with torch.random.fork_rng(devices=[]):
            network = recipe.build_student(
                num_classes=data.num_classes,
                in_channels=data.channels,
                image_size=data.image_size,
            )
        modules = dict(network.named_modules())
        still = [modules[name] for name in freeze(network, recipe.freeze, name=recipe.student)]
        cpu = torch.device("cpu")
        smallest_share(network, recipe, data, processes=1, device=cpu, still=still)


def _trains_on_one(
    network: nn.Module, data: ImageData, device: torch.device, still: Sequence[nn.Module]
) -> bool:
    """Whether the network takes a single image in training; nothing of it is changed."""
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    modes = [(module, module.training) for module in network.modules()]
    image = torch.zeros(1, data.channels, data.image_size, data.image_size, device=device)
    network.train()
    for norm in still:
        norm.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng():
            network(image)
    except ValueError:  # as torch's batch norm has it
        return False
    finally:
        for module, training in modes:
            module.training = training
        for name, buffer in network.named_buffers():
            buffer.copy_(before[name])
    return True
