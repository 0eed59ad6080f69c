"""A training step with each method of the table beside one with cross-entropy.

A batch of 128, 3x32x32, 100 classes; the network that teaches, where one does, is the student's own
kind. What a method shows beside the batch (partners, the last batch again) is made beforehand:
counted are forward passes, loss, backward pass, step, and what the criterion is told of it. The
state is what the criterion keeps for 50,000 training images, as its `state_dict` has it.

    python benchmarks/methods.py
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from measure import compare
from records import Records, read_options
from tfkd.loss import Criterion
from tfkd.method_table import BASELINE, METHODS, Method
from workload import BATCH, CLASSES, network, random_batch, sgd

NETWORK = "plain_cnn"
SAMPLES = 50_000


def criterion_of(method: Method, student: nn.Module, device: torch.device) -> Criterion:
    """Return the criterion of a method with its defaults."""
    numbers = {name: value for name, value in method.numbers().items() if value is not None}
    teacher = network(NETWORK, device) if method.has_teacher else None
    built = method.build(
        "tfkd",
        numbers,
        num_classes=CLASSES,
        teacher=teacher,
        student=student,
        epochs=100,
        num_samples=SAMPLES,
    )
    return built.to(device)


def step_of(method: Method, device: torch.device) -> tuple[Callable[[], None], Criterion]:
    """Return a step of training with a method, and its criterion."""
    images, labels = random_batch(device)
    indices = torch.arange(len(images), device=device)
    model = network(NETWORK, device)
    optimizer, criterion = sgd(model), criterion_of(method, model, device)

    def plain() -> Tensor:
        loss: Tensor = criterion(model(images), labels, images, indices=indices)
        return loss

    def with_the_last_batch() -> Tensor:
        if with_the_last_batch.begun:  # type: ignore[attr-defined]
            logits = torch.cat([model(images), model(images)])
            twice = torch.cat([labels, labels])
            loss: Tensor = criterion(logits, twice, indices=torch.cat([indices, indices]))
            return loss
        with_the_last_batch.begun = True  # type: ignore[attr-defined]
        first: Tensor = criterion(model(images), labels, indices=indices)
        return first

    with_the_last_batch.begun = False  # type: ignore[attr-defined]
    forward = with_the_last_batch if method.partners == "the last batch" else plain

    def step() -> None:
        forward().backward()
        optimizer.step()
        optimizer.zero_grad()
        criterion.step_ended(model)

    return step, criterion


def bytes_kept(criterion: Criterion) -> int:
    """Return what a criterion has in its `state_dict`."""
    state = criterion.state_dict().values()
    return sum(value.numel() * value.element_size() for value in state)


def main() -> None:
    """Measure every method."""
    options = read_options(__doc__, repeats=15)
    records = Records("methods", options)
    steps, criteria = {}, {}
    for name in (BASELINE, "ps_kd", "dlb", "cs_kd") if options.quick else METHODS:
        if name in METHODS:
            steps[name], criteria[name] = step_of(METHODS[name], options.device)
    measured = compare(
        steps,
        baseline=BASELINE,
        repeats=options.repeats,
        seconds=0.0 if options.quick else 0.3,
        device=options.device,
        memory=True,
        work=BATCH,
        unit="images",
    )
    records.add(NETWORK, measured)
    for name, criterion in criteria.items():
        print(f"{name:<44} keeps {bytes_kept(criterion):>12,} bytes")


if __name__ == "__main__":
    main()
