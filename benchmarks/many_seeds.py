"""Several students of one study trained as a batch of models, beside one after another.

S `small_cnn` of different seeds on digits: each has its own weights, order of samples and split.
The batch of models is `torch.func.stack_module_state`, `functional_call` and `vmap`, batch norm's
running statistics being stacked with the weights. Beside it: one after another with all threads,
and on a CPU shared by two processes of one thread each. Before any timing the batch must give, for
each seed, the network that it gives alone, within a tolerance, in float64, where no kernel that
rounds otherwise is taken for a mistake.

    python benchmarks/many_seeds.py
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

import tfkd
from measure import compare
from records import Records, read_options
from tfkd.data import DataSettings, Loader, load_data, make_loader
from tfkd.models import create_model

COUNTS = {"cpu": (2, 4, 8), "cuda": (2, 8, 32)}
EPOCHS = 3
TOLERANCE = 1e-6
"""Largest difference of a weight or running statistic after one epoch."""
PROCESSES = 2


def student(seed: int, device: torch.device) -> nn.Module:
    """Return the untrained network of a seed."""
    torch.manual_seed(seed)
    return create_model("small_cnn", num_classes=10, in_channels=1).to(device)


def loader_of(seed: int, device: torch.device) -> Loader:
    """Return the batches of a seed."""
    data = load_data(DataSettings("digits"), seed=seed)
    return make_loader(data, data.train, batch_size=128, train=True, seed=seed, device=device)


def sgd(parameters: list[Tensor]) -> torch.optim.Optimizer:
    """Return the recipe's optimiser."""
    return torch.optim.SGD(parameters, 0.1, momentum=0.9, weight_decay=5e-4)


def train_alone(model: nn.Module, loader: Loader, epochs: int) -> nn.Module:
    """Train one network."""
    criterion = tfkd.tf_kd_reg()
    optimizer = sgd(list(model.parameters()))
    dtype = next(model.parameters()).dtype
    model.train()
    for epoch in range(epochs):
        for batch in loader.batches(epoch):
            optimizer.zero_grad()
            images = batch.images.to(dtype)
            criterion(model(images), batch.labels).backward()
            optimizer.step()
    return model


def train_together(
    models: Sequence[nn.Module], loaders: Sequence[Loader], epochs: int
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Train the networks as one batch; return their stacked parameters and buffers."""
    criterion = tfkd.tf_kd_reg()
    for model in models:
        model.train()
    parameters, buffers = stack_module_state(list(models))
    dtype = next(iter(parameters.values())).dtype
    # Copied to a device without storage, so that no weights are there to be trained by mistake.
    shell = copy.deepcopy(models[0]).to("meta")

    def forward(weights: dict[str, Tensor], state: dict[str, Tensor], images: Tensor) -> Tensor:
        return functional_call(shell, (weights, state), (images,))

    together = torch.vmap(forward)
    optimizer = sgd(list(parameters.values()))
    for epoch in range(epochs):
        for batches in zip(*(loader.batches(epoch) for loader in loaders), strict=True):
            images = torch.stack([batch.images for batch in batches]).to(dtype)
            labels = torch.cat([batch.labels for batch in batches])
            optimizer.zero_grad()
            logits = together(parameters, buffers, images)
            # The mean over all samples of all networks: each network's own mean, over S.
            loss = criterion(logits.flatten(0, 1), labels) * len(models)
            loss.backward()
            optimizer.step()
    return parameters, buffers


def largest_difference(count: int, device: torch.device) -> float:
    """Train for one epoch both ways; return how far any weight or statistic is apart."""
    loaders = [loader_of(seed, device) for seed in range(count)]
    students = [student(seed, device).double() for seed in range(count)]
    stacked = train_together(students, loaders, 1)
    together = {**stacked[0], **stacked[1]}
    worst = 0.0
    for seed in range(count):
        alone = train_alone(student(seed, device).double(), loaders[seed], 1).state_dict()
        for name, value in alone.items():
            worst = max(worst, (together[name][seed].detach() - value).abs().max().item())
    return worst


def _one_thread() -> None:
    torch.set_num_threads(1)


def _train_seeds(seeds: Sequence[int]) -> None:
    device = torch.device("cpu")
    for seed in seeds:
        train_alone(student(seed, device), loader_of(seed, device), EPOCHS)


def main() -> None:
    """Check that results agree, then measure each number of seeds."""
    options = read_options(__doc__, repeats=9)
    records = Records("many_seeds", options)
    device = options.device
    pool = ProcessPoolExecutor(PROCESSES, get_context("spawn"), initializer=_one_thread)
    with pool:
        counts = COUNTS.get(device.type, COUNTS["cpu"])
        for count in counts[: 1 if options.quick else None]:
            apart = largest_difference(count, device)
            print(
                f"{count} seeds: after an epoch, no number differs by more than {apart:.2g}",
                flush=True,
            )
            if not apart <= TOLERANCE:
                raise SystemExit(f"Expected results within {TOLERANCE}, got {apart}.")
            seeds = range(count)
            loaders = [loader_of(seed, device) for seed in seeds]

            def one_after_another(seeds=seeds, loaders=loaders) -> None:
                for seed in seeds:
                    train_alone(student(seed, device), loaders[seed], EPOCHS)

            def as_one_batch(seeds=seeds, loaders=loaders) -> None:
                train_together([student(seed, device) for seed in seeds], loaders, EPOCHS)

            def side_by_side(seeds=seeds) -> None:
                parts = [seeds[part::PROCESSES] for part in range(PROCESSES)]
                list(pool.map(_train_seeds, parts))

            contenders = {"one after another": one_after_another, "one batch": as_one_batch}
            if device.type == "cpu":
                contenders[f"{PROCESSES} processes"] = side_by_side
            measured = compare(
                contenders,
                baseline="one after another",
                repeats=options.repeats,
                seconds=0.0,
                device=device,
                work=count,
                unit="runs",
            )
            records.add(f"{count} seeds of {EPOCHS} epochs", measured)


if __name__ == "__main__":
    main()
