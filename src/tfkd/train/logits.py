"""The logits of a split, in the order of its samples, and the batches that they are made from."""

from __future__ import annotations

from collections.abc import Callable

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor, nn

from tfkd.data import ImageData, Loader, Split, make_loader
from tfkd.train.memory import at_once

EVALUATION_BATCH = 512


@torch.no_grad()
def predict_split(
    model: nn.Module,
    loader: Loader,
    accelerator: Accelerator,
    *,
    between: Callable[[], None] = lambda: None,
) -> tuple[Tensor, Tensor]:
    """Return logits `(n, K)` and labels `(n,)` of every sample once, on the CPU, by index.

    Labels are `(n, K)` where a sample may have several.

    Every process returns all of them.

    Args:
        model: the network.
        loader: of the split.
        accelerator: of the processes.
        between: called after every batch.
    """
    was_training = model.training
    model.eval()
    parts: list[tuple[Tensor, ...]] = []
    for batch in loader.batches(epoch=0):
        images = batch.images
        if len(images) == 0:
            # FSDP gathers the weights in every forward pass, which all processes must take part in.
            images = images.new_zeros((1, *images.shape[1:]))
        logits = model(images)[: len(batch.labels)]
        parts.append((batch.indices, logits.float(), batch.labels))
        between()
    model.train(was_training)
    if accelerator.num_processes > 1:
        parts = [tuple(tensor.cpu() for tensor in part) for part in parts]
        parts = gather_object(parts)
    indices, logits, labels = (torch.cat(column).cpu() for column in zip(*parts, strict=True))
    order = indices.argsort()
    if len(order) > 1 and not bool((indices[order].diff() > 0).all()):
        raise RuntimeError("Expected every sample once, got some of them several times.")
    return logits[order], labels[order]


def measuring_loader(
    data: ImageData, split: Split, accelerator: Accelerator, *, workers: int = 0
) -> Loader:
    """Return the batches of a split without augmentation, shared among the processes."""
    return make_loader(
        data,
        split,
        batch_size=at_once(data, EVALUATION_BATCH),
        train=False,
        rank=accelerator.process_index,
        world_size=accelerator.num_processes,
        device=accelerator.device,
        workers=workers,
        channels_last=True,
    )
