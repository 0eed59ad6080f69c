"""A run of a network of timm, on photographs of seven classes, some with more than others."""

from __future__ import annotations

import random
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

CLASSES = ("ant", "bee", "cat", "dog", "eel", "fox", "gnu")
SIZE = 32


class Photographs(NamedTuple):
    run: Path
    folder: Path


def write_photographs(folder: Path, chance: random.Random, counts: dict[str, int]) -> Path:
    """Write images of mixed sizes, of each class so many."""
    draw = np.random.default_rng(chance.randrange(1 << 32))
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            height, width = draw.integers(40, 70, 2)
            colour = draw.integers(0, 256, 3)
            noise = draw.integers(-60, 60, (height, width, 3))
            pixels = np.clip(colour + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="package")
def photographs(tmp_path_factory, drawn_seed):
    """A finished run and its images, divided into train and test."""
    from tfkd.runs import make_run
    from tfkd.train import train_run

    chance = random.Random(f"{drawn_seed} photographs")
    place = tmp_path_factory.mktemp("photographs")
    for part, more in (("train", 6), ("test", 3)):
        counts = {name: more + 2 * number for number, name in enumerate(CLASSES)}
        write_photographs(place / "data" / part, chance, counts)
    settings, circumstances = make_run(
        {
            "data": str(place / "data"),
            "student": "timm/test_efficientnet",
            "image_size": SIZE,
            "epochs": 3,
            "batch_size": 16,
            "learning_rate": 0.003,
            "augmentation": "none",
        }
    )
    train_run(place / "run", settings, circumstances)
    return Photographs(place / "run", place / "data")


@pytest.fixture
def write_images():
    """Write images of mixed sizes into a folder by class."""
    return write_photographs
