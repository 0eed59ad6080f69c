"""Two runs of a study side by side, beside one that has the machine to itself.

`small_cnn` on random images of CIFAR-100's shape, in the processes in which a study trains its
runs, one thread for each. Ideally the second costs the first nothing. The seconds are the median
epoch that a run writes down, without start and evaluation. Once more without what is ours to mend:
what a step frees is then handed back to the system, which zeroes it before the next step has it.

    OMP_NUM_THREADS=1 python benchmarks/side_by_side.py
"""

from __future__ import annotations

import os
import statistics
import tempfile
from concurrent.futures import wait
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import torch

from measure import summarise
from records import Records, read_options
from tfkd.runs import Circumstances, RunDirectory, RunSettings
from tfkd.study.executors.local import LocalProcesses
from tfkd.study.executors.run_trainer import RunTrainer
from tfkd.study.plan import PlannedRun
from workload import random_recipe

RUNS = 2
EPOCHS = 3
HANDED_BACK = {"GLIBC_TUNABLES": ""}
"""An environment in which nobody sees to the memory that is freed."""


def epoch_seconds(place: LocalProcesses, root: Path, name: str, runs: int) -> float:
    """Train runs at once; return the seconds of an epoch, the mean of their medians."""
    recipe = random_recipe("small_cnn", epochs=EPOCHS)
    planned = [
        PlannedRun(f"{name}-{seed}", name, RunSettings(recipe, seed=seed)) for seed in range(runs)
    ]
    futures = [place.submit(run) for run in planned]
    wait(futures)
    place.poll()
    for future in futures:
        future.result()
    seconds = [
        statistics.median(record.seconds for record in RunDirectory(root / run.name).history()[1:])
        for run in planned
    ]
    return statistics.mean(seconds)


def main() -> None:
    """Measure one and two runs in turn, with and without."""
    options = read_options(__doc__, repeats=5)
    options.device = torch.device("cpu")
    records = Records("side_by_side", options)
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        trainer = RunTrainer(root, Circumstances())
        places = {}
        for kept, environment in (("", {}), (", memory handed back", HANDED_BACK)):
            place = LocalProcesses(trainer, lambda name, told: None, RUNS)
            places[kept] = stack.enter_context(place)
            with mock.patch.dict(os.environ, environment):
                epoch_seconds(place, root, f"warm-up{kept}", RUNS)  # starts its processes
        times: dict[str, list[float]] = {}
        for repeat in range(options.repeats):
            for kept, place in places.items():
                for runs, words in ((1, "a run alone"), (RUNS, f"{RUNS} side by side")):
                    seconds = epoch_seconds(place, root, f"{repeat}-{runs}{kept}", runs)
                    times.setdefault(f"{words}{kept}", []).append(seconds)
    measured = summarise(times, baseline="a run alone", work=50, unit="steps")
    records.add("epoch of small_cnn, one thread a run", measured)


if __name__ == "__main__":
    main()
