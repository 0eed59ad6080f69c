"""The pages of the documentation, and what their examples take for granted."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import TensorDataset

import tfkd

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
SAMPLES, BATCH, CLASSES = 16, 8, 10


def world() -> dict[str, Any]:
    """What the examples take for granted: a network, those that teach, and a data set."""
    generator = torch.Generator().manual_seed(0)

    def network(width: int) -> nn.Module:
        hidden = nn.Linear(12, width)
        return nn.Sequential(nn.Flatten(), hidden, nn.BatchNorm1d(width), nn.Linear(width, CLASSES))

    dataset = torch.randn(SAMPLES, 3, 2, 2, generator=generator)
    labels = torch.randint(CLASSES, (SAMPLES,), generator=generator)
    indices = torch.arange(SAMPLES)
    batches = [slice(0, BATCH), slice(BATCH, SAMPLES)]
    model = network(4)
    training_set = TensorDataset(dataset, labels)
    return {
        "torch": torch,
        "tfkd": tfkd,
        "dataset": dataset,
        "training_set": training_set,
        "epochs": 2,
        "model": model,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "teacher": network(6),
        "other_teacher": network(6),
        "loader": [(dataset[b], labels[b], indices[b]) for b in batches],
        "validation_loader": [(dataset[b].flip(3), labels[b]) for b in batches],
        "images": dataset[batches[0]],
        "labels": labels[batches[0]],
        "indices": indices[batches[0]],
    }


def blocks_of(page: Path, kind: str = "python") -> list[str]:
    """The examples of a page; those in a tab are further in."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(rf"^( *)```{kind}\n(.*?)^\1```", text, re.M | re.S)
    return [textwrap.dedent(block) for _, block in found]


def links_of(page: Path) -> list[tuple[str, str]]:
    """What a page links to, but for other people's: file and heading."""
    text = re.sub(r"^( *)```.*?^\1```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    parts = (target.partition("#") for target in targets if "://" not in target)
    return [(file, heading) for file, _, heading in parts]


def headings_of(page: Path) -> list[str]:
    """The headings of a page, as links name them."""
    return [
        re.sub(r"[^\w\- ]", "", line).strip().lower().replace(" ", "-")
        for line in re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    ]


def begins_with_its_question(page: Path) -> bool:
    """Whether the heading is a question, or the first sentence below it."""
    heading, _, text = page.read_text(encoding="utf-8").partition("\n\n")
    question, mark, _ = text.partition("?")
    return heading.endswith("?") or (bool(mark) and ". " not in question and "\n\n" not in question)
