"""The run that is kept with its weights in results/: anyone can measure it, and train it, again."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import asdict, replace

from tfkd.runs import RunDirectory
from tfkd.train import evaluate_run, train_run

RUN = Path(__file__).parents[2] / "results" / "one-run"
SAMPLES = 596
# Another processor rounds logits in the fifth digit, and NLL and Brier score are smooth in them.
# The others count samples: one may pass another, or the edge of a bin, and move ECE by up to 2 / n.
COUNTED = 2 / SAMPLES
EVALUATED = {"nll": 1e-4, "brier": 1e-4, "accuracy": COUNTED, "ece": COUNTED}
EVALUATED |= {"aurc": COUNTED, "augrc": COUNTED, "smooth_ece": 1e-4}
# Training carries such roundings on, over 45 steps.
TRAINED = {**EVALUATED, "nll": 1e-3, "brier": 1e-3, "smooth_ece": 1e-3}


def differences(metrics):
    recorded, found = asdict(RunDirectory(RUN).result().test), asdict(metrics)
    assert set(found) == set(recorded) == set(EVALUATED)
    return {name: abs(value - recorded[name]) for name, value in found.items()}


def test_its_weights_give_the_metrics_that_are_recorded():
    assert RunDirectory(RUN).result().samples.test == SAMPLES
    found = differences(evaluate_run(RUN).metrics)
    assert {name: d for name, d in found.items() if d > EVALUATED[name]} == {}


def test_trained_again_it_gives_the_same_metrics(tmp_path):
    result = train_run(tmp_path / "run", RunDirectory(RUN).settings())
    found = differences(result.test)
    assert {name: d for name, d in found.items() if d > TRAINED[name]} == {}


def test_trained_with_another_seed_it_does_not(tmp_path):
    # The tolerances would notice another training.
    settings = replace(RunDirectory(RUN).settings(), seed=1)
    found = differences(train_run(tmp_path / "run", settings).test)
    assert found["nll"] > TRAINED["nll"]
