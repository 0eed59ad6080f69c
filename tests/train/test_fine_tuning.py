"""Weights that were learnt on other classes help: fine-tuning beats training from scratch."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from tfkd.data import DataSettings
from tfkd.runs import AdamW, Circumstances, Recipe, RunSettings
from tfkd.train import train_run

pytestmark = pytest.mark.usefixtures("one_thread")

SIDE = 32


def picture(angle, period, rng):
    """Waves of a direction and a length, at a random place, in random colours, under noise."""
    y, x = np.mgrid[:SIDE, :SIDE]
    phase = rng.uniform(0, 2 * np.pi)
    along = np.cos(angle) * x + np.sin(angle) * y
    waves = np.sin(2 * np.pi * along / period + phase)[..., None]
    colour = rng.normal(0, 60, 3)
    pixels = 128 + waves * colour + rng.normal(0, 25, (SIDE, SIDE, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def folder(root, classes, *, train, test, seed):
    rng = np.random.default_rng(seed)
    for name, (angle, period) in classes.items():
        for part, count in (("train", train), ("test", test)):
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                picture(angle, period, rng).save(root / part / name / f"{number}.png")
    return root


@pytest.mark.long
def test_fine_tuning_beats_training_from_scratch(tmp_path):
    angles = np.arange(6) * np.pi / 6
    many = {f"m{n}-{p}": (a, p) for n, a in enumerate(angles) for p in (4.0, 7.0)}
    few = {f"f{n}": (a + np.pi / 12, 5.5) for n, a in enumerate(angles[:5])}
    folder(tmp_path / "many", many, train=30, test=4, seed=0)
    folder(tmp_path / "few", few, train=8, test=20, seed=1)
    recipe = Recipe(
        data=DataSettings("folder", image_size=SIDE, augmentation="none", validation_fraction=0.1),
        student="timm/test_resnet",
        epochs=15,
        batch_size=20,
        optimizer=AdamW(0.003),
    )

    def accuracy(name, data, recipe, seed=0):
        place = Circumstances(data_root=str(tmp_path / data))
        result = train_run(tmp_path / name, RunSettings(recipe, seed=seed), place)
        return result.test.accuracy

    assert accuracy("source", "many", recipe) > 0.8
    gently = AdamW(0.003, layer_decay=0.8, decay_norms_and_biases=False)
    tuned = replace(recipe, weights=str(tmp_path / "source"), optimizer=gently)
    scratch = [accuracy(f"scratch-{seed}", "few", recipe, seed) for seed in range(3)]
    better = [accuracy(f"tuned-{seed}", "few", tuned, seed) for seed in range(3)]
    gains = [two - one for one, two in zip(scratch, better, strict=True)]
    assert min(gains) > 0.1
