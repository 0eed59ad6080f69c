"""What a step frees is there for the next."""

import itertools
import platform

import pytest
from own_parts import WIDE

from tfkd.data import DataSettings
from tfkd.runs import Recipe, RunSettings
from tfkd.train import train_run
from tfkd.train.freed_memory import ASKED
from tfkd.train.progress import Silent

resource = pytest.importorskip("resource")

BATCH = 100
PAGES = BATCH * WIDE * 64 * 4 // 4096
"""Of what a layer of `wide` says of a batch."""


class Faults(Silent):
    """Counts the pages that the system hands out, up to the end of each epoch."""

    def __init__(self):
        self.pages = []

    def epoch(self, record):
        self.pages.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is another")
def test_an_epoch_asks_for_no_memory_that_the_one_before_had(tmp_path, monkeypatch):
    for name in ASKED:
        monkeypatch.delenv(name, raising=False)
    data = DataSettings("digits", train_size=3 * BATCH, validation_fraction=0.0)
    recipe = Recipe(data=data, student="own_parts:wide", epochs=4, batch_size=BATCH)
    faults = Faults()
    train_run(tmp_path / "run", RunSettings(recipe), progress=faults)
    # Of three steps with ten such outputs and gradients each; now and then the system takes some.
    assert min(after - before for before, after in itertools.pairwise(faults.pages)) < PAGES
