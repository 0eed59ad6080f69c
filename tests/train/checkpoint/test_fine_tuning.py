"""Every way of fine-tuning goes on exactly where it stopped, all of them together too."""

from __future__ import annotations

import hashlib
import io

import pytest
import timm.optim
import torch
from own_parts import changed
from safetensors.torch import load_file

from tfkd.data import DataSettings
from tfkd.models import create_model
from tfkd.runs import AdamW, Circumstances, Recipe, RunDirectory, RunSettings, TimmOptimizer
from tfkd.train import train_run
from tfkd.train.checkpoint.file import read_checkpoint, write_checkpoint
from tfkd.train.progress import Silent

pytestmark = pytest.mark.usefixtures("one_thread")

GROUPS = {"weight_decay": 0.02, "layer_decay": 0.8, "decay_norms_and_biases": False}
SETTINGS = RunSettings(
    Recipe(
        data=DataSettings("digits", train_size=60, validation_fraction=0.1, image_size=32),
        student="timm/test_resnet",
        model_option={"drop_rate": 0.2},
        epochs=2,
        batch_size=15,
        gradient_accumulation=2,
        clip_gradients=0.5,
        weight_average=0.9,
        freeze="2",
        class_weights="balanced",
        mixed_precision="bf16",
    )
)
NAMES = ("adamw", "lamb", "lion", "adan", "muon")


def optimizer(name):
    if name == "adamw":
        return AdamW(0.003, **GROUPS)
    if name not in timm.optim.list_optimizers():
        pytest.skip(f"timm {timm.__version__} has no {name}")
    return TimmOptimizer(name, 0.003, **GROUPS)


class Stop(Silent):
    """Ends a run, as Ctrl-C does, within a batch; steps are of two."""

    def __init__(self, batch):
        self.left = batch

    def step(self):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def stopped(path, settings, batch):
    with pytest.raises(KeyboardInterrupt):
        train_run(path, settings, Circumstances(checkpoint_seconds=0.0), progress=Stop(batch))


@pytest.fixture
def settings(tmp_path):
    """All at once, with weights that a test has made."""
    torch.manual_seed(5)
    torch.save(
        {"model": create_model("timm/test_resnet", num_classes=3, in_channels=1).state_dict()},
        tmp_path / "start.pth",
    )
    return changed(SETTINGS, weights=str(tmp_path / "start.pth"))


@pytest.mark.parametrize("name", NAMES)
def test_a_run_that_was_stopped_ends_the_same(name, settings, chance, tmp_path):
    settings = changed(settings, optimizer=optimizer(name))
    train_run(tmp_path / "whole", settings)
    stopped(tmp_path / "run", settings, chance.choice((3, 5, 7)))
    train_run(tmp_path / "run", settings)
    for file in ("weights", "test"):
        one, other = (load_file(tmp_path / r / f"{file}.safetensors") for r in ("whole", "run"))
        assert all(torch.equal(one[key], other[key]) for key in one), file
    histories = [RunDirectory(tmp_path / run).history() for run in ("whole", "run")]
    losses = [[(r.train_loss, r.validation_nll) for r in history] for history in histories]
    assert losses[0] == losses[1]


def without_average(checkpoint):
    checkpoint.average = None


def average_of_another_size(checkpoint):
    name = next(iter(checkpoint.average))
    checkpoint.average[name] = torch.zeros(2, 2)


def without_a_buffer(checkpoint):
    del next(iter(checkpoint.optimizer["state"].values()))["momentum_buffer"]


def buffer_of_another_size(checkpoint):
    next(iter(checkpoint.optimizer["state"].values()))["momentum_buffer"] = torch.zeros(2, 2)


def another_kind(checkpoint):
    next(iter(checkpoint.optimizer["state"].values()))["use_muon"] = "yes"


def another_scale(checkpoint):
    checkpoint.optimizer["param_groups"][0]["lr_scale"] = 0.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_average, r"expected `\S+` in the average, found none"),
        (average_of_another_size, r"expected `\S+` as torch.float32 \(.*\), got .*\(2, 2\)"),
        (without_a_buffer, r"expected `momentum_buffer` in the optimiser of `\S+`, found none"),
        (buffer_of_another_size, r"expected `momentum_buffer of \S+` as .*, got .*\(2, 2\)"),
        (another_kind, r"expected `use_muon of \S+` as bool, got str"),
        (another_scale, r"expected an optimiser with lr_scale 0.\d+, got 0.1"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(change, message, settings, tmp_path):
    settings = changed(settings, optimizer=optimizer("muon"))
    run = tmp_path / "run"
    stopped(run, settings, 3)
    checkpoint = read_checkpoint(run / "checkpoint.pt")
    change(checkpoint)
    write_checkpoint(run / "checkpoint.pt", checkpoint)
    before = (run / "checkpoint.pt").read_bytes()
    with pytest.raises(ValueError, match=f"does not fit: {message}"):
        train_run(run, settings)
    assert (run / "checkpoint.pt").read_bytes() == before


def test_a_checkpoint_from_before_averages_is_still_one(tmp_path):
    settings = changed(
        SETTINGS, student="small_cnn", model_option={}, freeze="none", weight_average=0.0
    )
    stopped(tmp_path / "run", settings, 3)
    file = tmp_path / "run" / "checkpoint.pt"
    values = torch.load(io.BytesIO(file.read_bytes().partition(b"\n")[2]), weights_only=True)
    assert values.pop("average") is None
    buffer = io.BytesIO()
    torch.save(values, buffer)
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    file.write_bytes(f"tfkd checkpoint, sha256 {digest}\n".encode() + buffer.getvalue())
    train_run(tmp_path / "run", settings)
    train_run(tmp_path / "whole", settings)
    one, other = (load_file(tmp_path / r / "weights.safetensors") for r in ("whole", "run"))
    assert all(torch.equal(one[key], other[key]) for key in one)
