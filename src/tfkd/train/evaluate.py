"""Logits of a split, in the order of its samples, and the metrics on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor, nn

from tfkd.data import Loader, load_data, make_loader
from tfkd.metrics import all_metrics
from tfkd.runs.directory import RunDirectory

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
    return logits[order], labels[order]


def evaluate_run(
    path: Path, *, split: str = "test", epoch: int | None = None, data_root: str | None = None
) -> dict[str, float]:
    """Measure a run again from its weights.

    Args:
        path: directory of the run.
        split: `test`, `validation` or `train` (without augmentation).
        epoch: the snapshot kept after this epoch; None: the final weights.
        data_root: where the data set lies, if not where the run found it.

    Returns:
        accuracy, nll, ece, brier, aurc as `tfkd.metrics.all_metrics` defines them.
    """
    run = RunDirectory(path)
    model = run.load_model(epoch)
    settings = run.settings()
    data_settings = settings.data
    if data_root is not None:
        data_settings = dataclasses.replace(data_settings, root=data_root)
    data = load_data(data_settings)
    samples = {"train": data.train, "validation": data.validation, "test": data.test}[split]
    accelerator = Accelerator()
    model = model.to(accelerator.device).to(memory_format=torch.channels_last)
    loader = make_loader(
        data,
        samples,
        batch_size=EVALUATION_BATCH,
        train=False,
        device=accelerator.device,
        channels_last=True,
    )
    return all_metrics(*predict_split(model, loader, accelerator))
