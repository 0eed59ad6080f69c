"""A training step that is compiled, as `tfkd train --compile` has it, beside one that is not.

Batch of 128, 3x32x32, Tf-KD_reg; forward, loss and backward are compiled, the step of SGD is not.
"compiling" is the first step, with nothing kept of what was compiled before; once for each size of
batch, which are two where the last batch of an epoch is smaller.

    python benchmarks/compiled.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
import torch._inductor.config
from torch import Tensor, nn

import tfkd
from measure import compare, summarise
from records import Records, read_options
from tfkd.train.compiled import check_compiles, compiled, of_this_size
from workload import BATCH, network, random_batch, sgd

NETWORKS = ("small_cnn", "plain_cnn", "resnet18")


def step_of(
    model: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], images: Tensor, labels: Tensor
) -> Callable[[], None]:
    """Return one step by a function that passes a batch on and returns its loss."""
    optimizer = sgd(model)

    def step() -> None:
        loss(images, labels).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def main() -> None:
    """Measure each network."""
    options = read_options(__doc__, repeats=15)
    records = Records("compiled", options)
    device = options.device
    check_compiles(device)
    images, labels = random_batch(device)
    for name in NETWORKS[: 1 if options.quick else None]:
        model, criterion = network(name, device), tfkd.tf_kd_reg()

        def loss(images, labels, model=model, criterion=criterion) -> Tensor:
            return criterion(model(images), labels)

        steps = {"eager": step_of(model, loss, images, labels)}
        of_this_size(images, labels)
        steps["compiled"] = step_of(model, compiled(loss), images, labels)
        with torch._inductor.config.patch(force_disable_caches=True):
            started = time.perf_counter()
            steps["compiled"]()
            compiling = [time.perf_counter() - started]
        measured = compare(
            steps,
            baseline="eager",
            repeats=options.repeats,
            seconds=0.0 if options.quick else 0.5,
            device=device,
            memory=True,
            work=BATCH,
            unit="images",
        )
        measured += summarise({"compiling": compiling}, baseline="compiling")
        records.add(name, measured)


if __name__ == "__main__":
    main()
