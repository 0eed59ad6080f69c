"""A checkpoint that is whole, but of another run, is refused before anything is changed."""

import copy
import hashlib
import io

import msgspec
import pytest
import torch
from own_parts import changed
from safetensors.torch import load_file

from tfkd.data import DataSettings
from tfkd.runs import AdamW, Circumstances, Recipe, RunSettings
from tfkd.runs.contents import StoredSettings
from tfkd.train import train_run
from tfkd.train.checkpoint.file import read_checkpoint
from tfkd.train.progress import Silent

pytestmark = pytest.mark.usefixtures("one_thread")

SGD = RunSettings(
    Recipe(
        data=DataSettings("digits", train_size=100),
        epochs=2,
        batch_size=20,
        gradient_accumulation=2,
    )
)
ADAM = changed(SGD, optimizer=AdamW(learning_rate=0.01, weight_decay=5e-4))


class Interrupt(Silent):
    left = 8

    def step(self):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def interrupted(path, settings):
    """A run of which one epoch and two batches of the next are kept; the checkpoint's contents."""
    with pytest.raises(KeyboardInterrupt):
        train_run(path, settings, Circumstances(checkpoint_seconds=0.0), progress=Interrupt())
    checkpoint = read_checkpoint(path / "checkpoint.pt")
    assert (checkpoint.epochs_done, checkpoint.batches_done) == (1, 2)
    content = (path / "checkpoint.pt").read_bytes().partition(b"\n")[2]
    return torch.load(io.BytesIO(content), weights_only=True)


def begun(path, settings):
    """A directory with the settings of a run alone."""
    path.mkdir()
    fields = {name: getattr(settings, name) for name in settings.__struct_fields__}
    stored = StoredSettings(**fields, circumstances=Circumstances())
    (path / "settings.json").write_bytes(msgspec.json.encode(stored))
    return path


def write(file, values):
    """Write a checkpoint of any values, with its checksum."""
    buffer = io.BytesIO()
    torch.save(values, buffer)
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    file.write_bytes(f"tfkd checkpoint, sha256 {digest}\n".encode() + content)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """By optimiser: settings, interrupted checkpoint, and the weights of the undisturbed run."""
    folder, found = tmp_path_factory.mktemp("runs"), {}
    for name, settings in (("sgd", SGD), ("adamw", ADAM)):
        train_run(folder / name, settings)
        weights = load_file(folder / name / "weights.safetensors")
        found[name] = settings, interrupted(folder / f"{name}-interrupted", settings), weights
    return found


def contents(folder):
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and file.name != ".lock"
    }


WRONG = {
    "a missing part": ("missing required field `totals`", lambda c: c.pop("totals")),
    "a missing weight": (
        r"expected `\S+` in the network, found none",
        lambda c: c["model"].pop(next(iter(c["model"]))),
    ),
    "an unknown weight": (
        "expected no `extra` in the network, got one",
        lambda c: c["model"].update(extra=torch.zeros(2)),
    ),
    "a weight of another size": (
        r"expected `\S+` as torch.float32 \(.*\), got torch.float32 \(3, 5\)",
        lambda c: c["model"].update({next(iter(c["model"])): torch.zeros(3, 5)}),
    ),
    "a weight of another dtype": (
        r"expected `\S+` as torch.float32 \(.*\), got torch.float64",
        lambda c: c["model"].update({k: v.double() for k, v in c["model"].items()}),
    ),
    "no tensor": (
        r"expected `\S+` as torch.float32 \(.*\), got int",
        lambda c: c["model"].update({next(iter(c["model"])): 3}),
    ),
    "fewer parameters": (
        r"expected an optimiser of \d+ parameters, got \d+",
        lambda c: c["optimizer"]["param_groups"][0]["params"].pop(),
    ),
    "another weight decay": (
        "expected an optimiser with weight_decay 0.0005, got 0.1",
        lambda c: c["optimizer"]["param_groups"][0].update(weight_decay=0.1),
    ),
    "a missing moment": (
        r"expected `\S+` in the optimiser of `\S+`, found none",
        lambda c: c["optimizer"]["state"][0].popitem(),
    ),
    "a moment of another size": (
        r"expected `\S+ of \S+` as torch.float32 \(.*\), got torch.float32 \(7,\)",
        lambda c: c["optimizer"]["state"][1].update(
            {k: torch.zeros(7) for k in c["optimizer"]["state"][1] if k != "step"}
        ),
    ),
    "a state of nothing": ("does not fit", lambda c: c["optimizer"]["state"].update({99: {}})),
    "a list for a mapping": ("does not fit", lambda c: c["optimizer"].update(state=[])),
    "a scaler": (
        "expected no `scale` in the scaler, got one",
        lambda c: c.update(scaler={"scale": 1.0}),
    ),
    "too many epochs": ("expected at most 2 epochs, got 3", lambda c: c.update(epochs_done=3)),
    "more than the last epoch": (
        "expected at most 2 epochs, got 2 batches of the next",
        lambda c: c.update(epochs_done=2, history=c["history"] * 2),
    ),
    "too few records": (
        "expected records of 1 epochs, got 0",
        lambda c: c.update(history=[]),
    ),
    "half a step": (
        "expected a whole number of steps, of 2 batches each and 5 in an epoch, got 3 batches",
        lambda c: c.update(batches_done=3),
    ),
    "batches of an epoch that is longer": (
        "5 in an epoch, got 8 batches",
        lambda c: c.update(batches_done=8),
    ),
    "batches of another size": (
        "expected 40 samples in 2 batches, got 128",
        lambda c: c["totals"].update(samples=128),
    ),
    "losses of other batches": (
        r"expected `losses` as torch.float64 \(2,\), got torch.float64 \(4,\)",
        lambda c: c["totals"].update(losses=torch.zeros(4, dtype=torch.float64)),
    ),
    "no losses": (
        "expected `losses` in the epoch, found none",
        lambda c: c["totals"].pop("losses"),
    ),
}


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("what", WRONG)
def test_a_checkpoint_that_does_not_fit_is_refused_and_nothing_is_changed(
    what, optimizer, runs, tmp_path
):
    settings, checkpoint, _ = runs[optimizer]
    message, change = WRONG[what]
    checkpoint = copy.deepcopy(checkpoint)
    change(checkpoint)
    run = begun(tmp_path / "run", settings)
    (run / "failure.json").write_text("{}")
    write(run / "checkpoint.pt", checkpoint)
    before = contents(run)
    with pytest.raises(ValueError, match=rf"(?s){run}/checkpoint\.pt.*{message}.*Delete this file"):
        train_run(run, settings)
    assert contents(run) == before


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        ("adamw", "expected an optimiser with momentum 0.9, got None"),
        ("plain_cnn", r"expected `\S+` in the network, found none"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(theirs, message, runs, tmp_path):
    checkpoint = runs["adamw"][1]
    if theirs == "plain_cnn":
        checkpoint = interrupted(tmp_path / "other", changed(SGD, student=theirs))
    begun(tmp_path / "run", SGD)
    write(tmp_path / "run" / "checkpoint.pt", checkpoint)
    with pytest.raises(ValueError, match=message):
        train_run(tmp_path / "run", SGD)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_deleting_it_starts_anew_and_one_that_fits_is_gone_on_from(optimizer, runs, tmp_path):
    settings, checkpoint, weights = runs[optimizer]
    run = begun(tmp_path / "run", settings)
    write(run / "checkpoint.pt", {**checkpoint, "history": []})
    with pytest.raises(ValueError, match="Delete this file"):
        train_run(run, settings)
    (run / "checkpoint.pt").unlink()
    train_run(run, settings)
    begun(tmp_path / "resumed", settings)
    write(tmp_path / "resumed" / "checkpoint.pt", checkpoint)
    train_run(tmp_path / "resumed", settings)
    for path in (run, tmp_path / "resumed"):
        found = load_file(path / "weights.safetensors")
        assert all(torch.equal(found[name], weights[name]) for name in weights)
