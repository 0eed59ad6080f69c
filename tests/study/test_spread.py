"""How far differences are apart is that of the runs that are finished."""

import math

import pytest

from tfkd.data import DataSettings
from tfkd.runs import MethodSettings, Metrics, Recipe, Result, RunDirectory
from tfkd.runs.contents import Samples, TrainMetrics
from tfkd.study.plan import Arm, Study
from tfkd.study.spread import spread_so_far


def finish(directory, accuracy):
    """What a finished run leaves of itself, as far as its accuracy goes."""
    directory.mkdir(parents=True)
    RunDirectory(directory).finish(
        Result(
            test=Metrics(accuracy=accuracy, nll=1.0, ece=0.1, brier=0.1, aurc=0.1),
            validation=None,
            train=TrainMetrics(1.0, 1.0),
            samples=Samples(1, 1, 1),
            epochs=1,
            seconds=1.0,
            parameters=1,
        )
    )


def test_it_is_that_of_the_claims_with_three_finished_seeds(tmp_path):
    base = Recipe(data=DataSettings("digits"), epochs=2)
    arms = [
        Arm(f"a/{name}", MethodSettings("tf_kd_reg"), base, baseline="a/plain")
        for name in ("one", "two", "few")
    ]
    plain = Arm("a/plain", MethodSettings(), base)
    study = Study("test", "Why?", (plain, *arms), seeds=4)
    assert spread_so_far(study, tmp_path) is None
    gains = {"plain": [0.0] * 4, "one": [1.0, 2.0, 3.0], "two": [5.0, 5.0, 5.0, 9.0], "few": [0, 9]}
    for name, values in gains.items():
        for seed, gain in enumerate(values):
            finish(tmp_path / "a" / name / f"seed-{seed}", 0.5 + gain / 100)
    assert spread_so_far(study, tmp_path) == pytest.approx(math.sqrt((1 + 4) / 2))
