"""Logits of a split, in the order of its samples, and the metrics on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor, nn

from tfkd.data import ImageData, Loader, Split, identify, load_data, make_loader
from tfkd.data.identity import how_a_network_sees_them_differs, how_they_differ
from tfkd.metrics import all_metrics
from tfkd.runs import Metrics, RunDirectory
from tfkd.train.accelerator import needs_cpu
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


def evaluate_run(
    path: Path | str,
    *,
    split: Literal["test", "validation", "train"] = "test",
    epoch: int | None = None,
    data_root: str | None = None,
    other_data: bool = False,
) -> Metrics:
    """Measure a run again from its weights.

    Args:
        path: directory of the run.
        split: of its data; `train` is without augmentation.
        epoch: the snapshot kept after this epoch; None: the final weights.
        data_root: where the data lie, if not where the run found them.
        other_data: measure it on other images of the same classes.

    Returns:
        What `tfkd.metrics.all_metrics` returns.

    Raises:
        FileNotFoundError: if run or data are not there.
        ValueError: if the data are not those of the run.
    """
    run = RunDirectory(path)
    stored = run.stored()
    data = load_data(
        stored.recipe.data,
        seed=stored.seed,
        root=data_root or stored.circumstances.data_root,
    )
    ours, theirs = run.data(), identify(data)
    differing = (how_a_network_sees_them_differs if other_data else how_they_differ)(ours, theirs)
    if differing is not None:
        ending = "" if other_data else " To measure it on them all the same: --other-data."
        raise ValueError(f"Expected the data of the run in {run.path}, {differing}.{ending}")
    model = run.load_model(epoch)
    samples = {"train": data.train, "validation": data.validation, "test": data.test}[split]
    if len(samples) == 0:
        raise ValueError(f"Expected a {split} split of the run in {run.path}, got no image.")
    accelerator = Accelerator(cpu=needs_cpu())
    model = model.to(accelerator.device).to(memory_format=torch.channels_last)
    loader = measuring_loader(data, samples, accelerator)
    return Metrics(**all_metrics(*predict_split(model, loader, accelerator)))


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
