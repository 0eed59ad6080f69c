"""Folders of small images, and what a directory holds."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from tfkd.train.progress import Silent


class Interrupt(Silent):
    """Ends a run, as Ctrl-C does, at the end of an epoch; counts steps."""

    def __init__(self, epoch=None):
        self.at, self.steps, self.begun = epoch, 0, None

    def start(self, epochs, steps, done):
        self.begun = done

    def step(self):
        self.steps += 1

    def epoch(self, record):
        if record.epoch == self.at:
            raise KeyboardInterrupt


@pytest.fixture
def interrupt():
    return Interrupt


@pytest.fixture
def tree():
    """What a folder holds: by name, a digest of each file, the end of each link."""

    def tree(folder):
        found = {}
        for path in sorted(folder.rglob("*")):
            name = str(path.relative_to(folder))
            if path.is_symlink():
                found[name] = str(path.readlink())
            elif path.is_dir():
                found[name] = "folder"
            else:
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    return tree


@pytest.fixture
def images(tmp_path):
    """A folder of three classes of ten small images each, divided into `train` and `test`."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 8), ("test", 2)):
        for name in ("ant", "bee", "cat"):
            (tmp_path / "images" / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
                file = tmp_path / "images" / part / name / f"{number}.png"
                Image.fromarray(pixels).save(file)
    return tmp_path / "images"
