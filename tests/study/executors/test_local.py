"""Processes of this machine: their threads follow what was asked for, not what is left to do."""

import torch
from study_progress import Recording

from tfkd.data import DataSettings
from tfkd.runs import Recipe, RunDirectory, RunSettings
from tfkd.study.execute import execute
from tfkd.study.plan import PlannedRun
from tfkd.train import train_run

RECIPE = Recipe(data=DataSettings("digits", train_size=40), epochs=1, batch_size=20)
RUNS = [PlannedRun(f"seed-{seed}", "x", RunSettings(RECIPE, seed=seed)) for seed in range(2)]


def threads(run):
    return RunDirectory(run).environment().threads


def test_a_run_has_the_same_threads_however_few_are_left(tmp_path, monkeypatch):
    here = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    train_run(tmp_path / RUNS[0].name, RUNS[0].settings)
    execute(RUNS, tmp_path, jobs=2, progress=Recording())  # one is left
    assert [threads(tmp_path / run.name) for run in RUNS] == [here, 3]
