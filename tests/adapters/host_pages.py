"""The pages of the hosts, whose code the tests of the hosts run, and a little world for it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import tfkd

PAGES = Path(__file__).parents[2] / "docs" / "hosts"
SAMPLES, BATCH, FEATURES, CLASSES = 24, 6, 5, 3


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


IMAGES = torch.randn(SAMPLES, FEATURES, generator=generator())
LABELS = torch.randint(CLASSES, (SAMPLES,), generator=generator())
INDICES = torch.arange(SAMPLES)


def network() -> nn.Module:
    model = nn.Sequential(nn.Linear(FEATURES, 4), nn.Tanh(), nn.Linear(4, CLASSES))
    for parameter in model.parameters():
        nn.init.normal_(parameter, generator=generator())
    return model


def batches() -> list[list[torch.Tensor]]:
    parts = [column.split(BATCH) for column in (IMAGES, LABELS, INDICES)]
    return [list(batch) for batch in zip(*parts, strict=True)]


def plain_loop(
    model: nn.Module, criterion: Any, epochs: int, accumulate: int = 1, lr: float = 0.1
) -> None:
    """What every host is held against."""
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for _epoch in range(epochs):
        for number, (images, labels, indices) in enumerate(batches(), start=1):
            loss = criterion(model(images), labels, images, indices=indices)
            (loss / accumulate).backward()
            if number % accumulate == 0:
                optimizer.step()
                optimizer.zero_grad()
                criterion.step_ended(model)
        criterion.epoch_ended()


CRITERIA: dict[str, Callable[[nn.Module], Any]] = {
    "by inputs, steps and epochs": lambda model: tfkd.mean_teacher(model, samples_per_epoch="told"),
    "by indices and epochs": lambda model: tfkd.ps_kd(
        num_classes=CLASSES, num_samples=SAMPLES, epochs=3, samples_per_epoch="told"
    ),
    "by the batch alone": lambda model: tfkd.tf_kd_reg(),
}


def difference(one: nn.Module, other: nn.Module) -> float:
    """The largest of all numbers in two states, in float64."""
    ours, theirs = one.state_dict(), other.state_dict()
    assert ours.keys() == theirs.keys()
    return max(float((ours[name].double() - theirs[name].double()).abs().max()) for name in ours)


def run_page(name: str, monkeypatch: Any, **names: Any) -> dict[str, Any]:
    """Run the code of a page as one program, in a world with these names; return its own."""
    text = (PAGES / name).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    assert blocks
    module = ModuleType("example_of_a_host")  # where pickle finds its classes
    monkeypatch.setitem(sys.modules, module.__name__, module)
    found = vars(module)
    model, dataset = network(), TensorDataset(IMAGES, LABELS, INDICES)
    found.update(
        torch=torch,
        tfkd=tfkd,
        model=model,
        dataset=dataset,
        loader=DataLoader(dataset, batch_size=BATCH),
        validation_loader=DataLoader(dataset, batch_size=BATCH),
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        epochs=2,
    )
    found.update(names)
    exec("\n".join(blocks), found)
    return found
