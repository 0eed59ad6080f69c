"""What a search for settings does between two trials, with many trials behind it.

Two methods, each with half of the trials, of which every one has one run with drawn results on the
disk. "trial" is all from the end of a run to the settings of the next trial: its result read, its
trial ended in Optuna's journal, the records written, and the next settings proposed. "step" is the
look at a search in which nothing has happened, once a second while runs are trained. "going on" is
the first step of a process that knows nothing yet. The files are the journal and the records.

    python benchmarks/growth_tune.py --most 1000
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path

import torch

from growth_studies import EPOCHS, FinishedRuns
from measure import summarise
from records import Records, read_options
from tfkd.runs import Recipe, files
from tfkd.tune import Tuning
from tfkd.tune.journal import JOURNAL_FILE
from tfkd.tune.records import PLAN_FILE, RECORDS_FILE
from tfkd.tune.runs_of_trial import Trial, runs_of, write_trial
from tfkd.tune.search import Search
from tfkd.tune.space import axes, setting_of

SIZES = (10, 100, 1000, 10_000)
MORE = 1000
"""Trials that the plan has beyond those that lie there."""


def write_trials(tuning: Tuning, root: Path, trials: int, finished: FinishedRuns) -> None:
    """Write trials of every method, at drawn settings, with finished runs."""
    numbers = random.Random(0)
    files.write_json(root / PLAN_FILE, tuning)
    for entry in tuning.entries:
        searched = axes(tuning, entry)
        for number in range(trials):
            drawn = {axis.name: numbers.uniform(axis.low, axis.high) for axis in searched}
            trial = Trial(entry.name, number, setting_of(entry, drawn))
            write_trial(root, trial)
            for run in runs_of(tuning, root, entry, trial):
                finished.write(root / run.name, run.settings)


def measure(records: Records, trials: int, repeats: int) -> None:
    """Measure a search with so many trials behind it."""
    with tempfile.TemporaryDirectory() as folder:
        root, finished = Path(folder), FinishedRuns()
        recipe = Recipe(student="small_cnn", epochs=EPOCHS)
        tuning = Tuning(
            recipe=recipe,
            teacher="plain_cnn",
            methods=("tf_kd_reg",),
            trials=trials // 2 + MORE,
            seeds=1,
        )
        write_trials(tuning, root, trials // 2, finished)
        Search(tuning, root).step()  # ends all of them, in the journal
        times: dict[str, list[float]] = {"going on": [], "step": [], "trial": []}
        for _ in range(repeats):
            started = time.perf_counter()
            search = Search(tuning, root)
            wanted = search.step().wanted
            times["going on"].append(time.perf_counter() - started)
            started = time.perf_counter()
            search.step()
            times["step"].append(time.perf_counter() - started)
            finished.write(root / wanted[0].name, wanted[0].settings)
            started = time.perf_counter()
            search.step()
            times["trial"].append(time.perf_counter() - started)
        written = sum((root / name).stat().st_size for name in (JOURNAL_FILE, RECORDS_FILE))
    measured = summarise(times, baseline="going on", work=written, unit="bytes")
    records.add(f"{trials} trials of 2 methods", measured)


def main() -> None:
    """Measure each size."""
    options = read_options(__doc__, repeats=9, most=10_000)
    options.device = torch.device("cpu")
    records = Records("growth_tune", options)
    most = 100 if options.quick else options.most
    for trials in (size for size in SIZES if size <= most):
        measure(records, trials, options.repeats)


if __name__ == "__main__":
    main()
