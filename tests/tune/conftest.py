"""Searches on digits, so small that dozens of runs take seconds."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from msgspec.structs import replace

from tfkd.data import DataSettings
from tfkd.runs import Recipe
from tfkd.tune import Tuning, tune
from tfkd.tune.tuned import read_records

RECIPE = Recipe(
    data=DataSettings("digits", train_size=60), student="own_parts:linear", epochs=1, batch_size=30
)
PLAN = Tuning(recipe=RECIPE, teacher="own_parts:mlp", methods=("tf_kd_self",), trials=6, seeds=2)


def lines(root: Path, *, trials: int = 1000):
    """What tune.jsonl says of the first trials, without the seconds."""
    records = [record for record in read_records(root) if record.trial < trials]
    return [msgspec.to_builtins(replace(record, seconds=None)) for record in records]


@pytest.fixture(scope="session")
def small():
    """A plan of two methods, its recipe, and how records are compared."""
    return SimpleNamespace(plan=PLAN, recipe=RECIPE, lines=lines)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, one_thread):
    """The directory of the plan, searched by one process at once."""
    root = tmp_path_factory.mktemp("searches") / "undisturbed"
    tune(PLAN, root, jobs=1)
    return root
