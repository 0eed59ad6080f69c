"""What a run goes on from: believed with its checksum alone, and never executed."""

import hashlib
import io
import os
import pickle

import pytest
import torch

from tfkd.runs import RunDirectory
from tfkd.train import train_run
from tfkd.train.checkpoint.file import read_checkpoint, write_checkpoint
from tfkd.train.progress import Silent

VALUES = {
    "model": {"w": torch.arange(3.0)},
    "optimizer": {"state": {}},
    "scaler": None,
    "epochs_done": 2,
    "batches_done": 0,
    "totals": {},
    "epoch_seconds": 0.0,
    "seconds": 1.5,
    "history": [],
}


class Interrupt(Silent):
    """Stops a run at the end of an epoch; counts steps."""

    def __init__(self, epoch):
        self.at = epoch
        self.steps = 0

    def step(self):
        self.steps += 1

    def epoch(self, record):
        if record["epoch"] == self.at:
            raise KeyboardInterrupt


def saved(values):
    buffer = io.BytesIO()
    torch.save(values, buffer)
    return buffer.getvalue()


def test_what_is_written_is_read(tmp_path):
    write_checkpoint(tmp_path / "checkpoint.pt", saved(VALUES))
    read = read_checkpoint(tmp_path / "checkpoint.pt")
    assert torch.equal(read.pop("model")["w"], VALUES["model"]["w"])
    assert read == {name: value for name, value in VALUES.items() if name != "model"}


def test_damage_anywhere_is_noticed_and_says_what_to_delete(tmp_path):
    file = tmp_path / "checkpoint.pt"
    write_checkpoint(file, saved(VALUES))
    content = file.read_bytes()
    damaged = [content[:length] for length in range(0, len(content), 7)]
    for place in range(len(content)):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        damaged.append(bytes(flipped))
    for bad in damaged:
        file.write_bytes(bad)
        with pytest.raises(ValueError, match=r"checkpoint\.pt.*Delete this file to start the run"):
            read_checkpoint(file)


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("make", [pickle.dumps, saved], ids=["pickle", "torch"])
def test_a_crafted_checkpoint_executes_nothing(tmp_path, finished_run, make, signed):
    content = make({**VALUES, "history": Evil(tmp_path / "executed")})
    run = tmp_path / "run"
    run.mkdir()
    if signed:
        write_checkpoint(run / "checkpoint.pt", content)
    else:
        (run / "checkpoint.pt").write_bytes(content)
    with pytest.raises(ValueError, match=r"checkpoint\.pt"):
        train_run(run, finished_run[1])
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "`checkpoint` to be a mapping, got list"),
        ({}, "`batches_done` in `checkpoint`, found none"),
        ({**VALUES, "epochs_done": "2"}, r"`checkpoint.epochs_done` to be a whole number, got str"),
        ({**VALUES, "model": 1}, r"`checkpoint.model`.*got int"),
        ({**VALUES, "history": [{}]}, r"in `checkpoint.history\[0\]`, found none"),
    ],
)
def test_another_shape_is_refused(tmp_path, values, message):
    write_checkpoint(tmp_path / "checkpoint.pt", saved(values))
    with pytest.raises(ValueError, match=rf"checkpoint\.pt.*{message}"):
        read_checkpoint(tmp_path / "checkpoint.pt")


def test_a_full_disk_stops_a_run_which_then_goes_on(tmp_path, finished_run, full_disk):
    _, settings, undisturbed = finished_run
    run = RunDirectory(tmp_path / "run")
    message = r"(epoch-1\.safetensors|checkpoint\.pt), but: File too large"
    with full_disk(20_000), pytest.raises(OSError, match=message):
        train_run(run.path, settings, checkpoint_seconds=0.0)
    with pytest.raises(KeyboardInterrupt):
        train_run(run.path, settings, checkpoint_seconds=0.0, progress=Interrupt(1))
    kept = run.checkpoint_file.read_bytes()
    size = (finished_run[0] / "weights.safetensors").stat().st_size
    assert len(kept) > size  # so that the next write to fail is the checkpoint's
    message = r"checkpoint\.pt, but: File too large"
    with full_disk(size + 1000), pytest.raises(OSError, match=message):
        train_run(run.path, settings, checkpoint_seconds=0.0)
    assert run.checkpoint_file.read_bytes() == kept
    assert not list(run.path.rglob(".*.tmp"))
    progress = Interrupt(None)
    result = train_run(run.path, settings, progress=progress)
    assert progress.steps == 2  # of the second epoch alone
    assert result["test"] == undisturbed["test"]
    digests = [
        hashlib.sha256((path / "weights.safetensors").read_bytes()).hexdigest()
        for path in (run.path, finished_run[0])
    ]
    assert digests[0] == digests[1]


def test_a_file_in_the_runs_place_is_named_and_left_alone(tmp_path, finished_run):
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(OSError, match="file"):
            train_run(path, finished_run[1])
    assert (tmp_path / "file").read_text() == "mine"


def test_a_read_only_folder_is_named(read_only, finished_run):
    with pytest.raises(PermissionError, match=str(read_only)):
        train_run(read_only / "run", finished_run[1])
    assert [file.name for file in read_only.iterdir()] == ["old.json"]


def test_leftovers_of_killed_writers_are_removed(tmp_path, finished_run):
    run = RunDirectory(tmp_path / "run")
    (run.path / "snapshots").mkdir(parents=True)
    for name in (".checkpoint.pt.abc.tmp", "snapshots/.epoch-1.safetensors.x.tmp"):
        (run.path / name).write_bytes(b"half")
    train_run(run.path, finished_run[1])
    assert not list(run.path.rglob(".*.tmp"))
