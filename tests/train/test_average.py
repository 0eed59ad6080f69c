"""The average of the weights is the formula's, and it is what is measured and kept."""

from __future__ import annotations

import pytest
import torch
from own_parts import changed
from safetensors.torch import load_file

from tfkd.data import DataSettings, load_data, make_loader
from tfkd.metrics import accuracy, negative_log_likelihood
from tfkd.runs import SGD, Circumstances, Constant, Recipe, RunDirectory, RunSettings
from tfkd.train import evaluate_run, train_run

pytestmark = pytest.mark.usefixtures("one_thread")

EPOCHS = 6
SETTINGS = RunSettings(
    Recipe(
        data=DataSettings("digits", train_size=120, validation_fraction=0.1),
        student="plain_cnn",  # has dropout, batch norm and its counter
        epochs=EPOCHS,
        batch_size=120,
        optimizer=SGD(0.05),
        schedule=Constant(warmup_epochs=0.0),
    )
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """With one step an epoch the snapshots of a run without an average are its steps."""
    folder = tmp_path_factory.mktemp("runs")
    kept = Circumstances(save_epochs=tuple(range(1, EPOCHS + 1)))
    train_run(folder / "plain", SETTINGS, kept)
    train_run(folder / "averaged", changed(SETTINGS, weight_average=0.6), kept)
    return folder


def test_the_average_is_warmed_up_as_it_is_written_down(runs):
    plain, averaged = RunDirectory(runs / "plain"), RunDirectory(runs / "averaged")
    expected = {}
    for step in range(1, EPOCHS + 1):
        weights = load_file(plain.weights_file(step))
        decay = min(1 - step ** (-2 / 3), 0.6)  # 0, 0.37, 0.519..., 0.6
        for name, own in weights.items():
            if not own.is_floating_point():
                expected[name] = own
            elif step == 1:
                expected[name] = own.double()
            else:
                expected[name] = decay * expected[name] + (1 - decay) * own.double()
        found = load_file(averaged.weights_file(step))
        for name, own in expected.items():
            torch.testing.assert_close(found[name].to(own.dtype), own, rtol=1e-5, atol=1e-6)
    found, last = load_file(averaged.weights_file()), load_file(averaged.weights_file(EPOCHS))
    assert all(torch.equal(found[name], last[name]) for name in found)


def test_what_is_measured_is_the_average(runs):
    run = RunDirectory(runs / "averaged")
    data = load_data(SETTINGS.recipe.data, seed=0)
    for epoch, record in enumerate(run.history(), 1):
        network = run.load_model(epoch)
        (batch,) = make_loader(data, data.validation, batch_size=999, train=False).batches(0)
        with torch.no_grad():
            logits = network(batch.images)
        assert record.validation_accuracy == accuracy(logits, batch.labels)
        nll = negative_log_likelihood(logits, batch.labels)
        assert record.validation_nll == pytest.approx(nll, rel=1e-5)
    assert evaluate_run(run.path).nll == pytest.approx(run.result().test.nll, rel=1e-6)
    plain = RunDirectory(runs / "plain").history()
    # Training itself is what it was.
    assert [r.train_loss for r in run.history()] == [r.train_loss for r in plain]
    assert run.history()[-1].validation_nll != plain[-1].validation_nll


def test_with_mixed_precision_it_is_measured_so_too(tmp_path):
    train_run(tmp_path / "run", changed(SETTINGS, mixed_precision="bf16", weight_average=0.5))
    weights = load_file(tmp_path / "run" / "weights.safetensors")
    assert all(own.dtype in (torch.float32, torch.int64) for own in weights.values())
