"""What a run goes on from: believed with its checksum alone, and never executed."""

import hashlib
import io
import os
import pickle

import pytest
import torch
from msgspec import structs

from tfkd.runs import Circumstances, EpochRecord, RunDirectory
from tfkd.train import train_run
from tfkd.train.checkpoint.file import Checkpoint, read_checkpoint, write_checkpoint
from tfkd.train.progress import Silent

RECORD = EpochRecord(1, 0.1, 2.3, 0.1, None, None, 0.5)
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
    "average": None,
    "criterion": None,
}
OFTEN = Circumstances(save_epochs=(1,), checkpoint_seconds=0.0)


class Interrupt(Silent):
    """Stops a run at the end of an epoch; counts steps."""

    def __init__(self, epoch):
        self.at = epoch
        self.steps = 0

    def step(self):
        self.steps += 1

    def epoch(self, record):
        if record.epoch == self.at:
            raise KeyboardInterrupt


def saved(values):
    buffer = io.BytesIO()
    torch.save(values, buffer)
    return buffer.getvalue()


def signed(content):
    return f"tfkd checkpoint, sha256 {hashlib.sha256(content).hexdigest()}\n".encode() + content


def test_what_is_written_is_read(tmp_path):
    values = {**VALUES, "history": [RECORD]}
    write_checkpoint(tmp_path / "checkpoint.pt", Checkpoint(**values))
    read = structs.asdict(read_checkpoint(tmp_path / "checkpoint.pt"))
    assert torch.equal(read.pop("model")["w"], values.pop("model")["w"])
    assert read == values


def test_the_first_line_is_a_checksum_of_the_rest(tmp_path):
    write_checkpoint(tmp_path / "checkpoint.pt", Checkpoint(**VALUES))
    line, _, rest = (tmp_path / "checkpoint.pt").read_bytes().partition(b"\n")
    assert signed(rest) == line + b"\n" + rest


def test_damage_anywhere_is_noticed_and_says_what_to_delete(tmp_path):
    file = tmp_path / "checkpoint.pt"
    write_checkpoint(file, Checkpoint(**VALUES))
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


def test_a_file_of_holes_is_told_by_its_first_line(tmp_path):
    (tmp_path / "checkpoint.pt").touch()
    os.truncate(tmp_path / "checkpoint.pt", 20 << 30)  # to read it all would take a while
    with pytest.raises(ValueError, match="its first line is none of a checkpoint"):
        read_checkpoint(tmp_path / "checkpoint.pt")


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("with_checksum", [True, False])
@pytest.mark.parametrize("make", [pickle.dumps, saved], ids=["pickle", "torch"])
def test_a_crafted_checkpoint_executes_nothing(tmp_path, finished_run, make, with_checksum):
    content = make({**VALUES, "history": Evil(tmp_path / "executed")})
    run = tmp_path / "run"
    run.mkdir()
    (run / "checkpoint.pt").write_bytes(signed(content) if with_checksum else content)
    with pytest.raises(ValueError, match=r"checkpoint\.pt"):
        train_run(run, finished_run[1])
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "Expected `object`, got `array`"),
        ({}, "missing required field `model`"),
        ({**VALUES, "epochs_done": "2"}, "Expected `int`, got `str`, in `epochs_done`"),
        ({**VALUES, "model": 1}, "Expected `object`, got `int`, in `model`"),
        ({**VALUES, "history": [{}]}, r"missing required field `epoch`, in `history\[0\]`"),
    ],
)
def test_another_shape_is_refused(tmp_path, values, message):
    (tmp_path / "checkpoint.pt").write_bytes(signed(saved(values)))
    with pytest.raises(ValueError, match=rf"checkpoint\.pt.*{message}"):
        read_checkpoint(tmp_path / "checkpoint.pt")


def test_a_full_disk_stops_a_run_which_then_goes_on(tmp_path, finished_run, full_disk):
    _, settings, undisturbed, _ = finished_run
    run = RunDirectory(tmp_path / "run")
    message = r"(epoch-1\.safetensors|checkpoint\.pt), but: File too large"
    with full_disk(20_000), pytest.raises(OSError, match=message):
        train_run(run.path, settings, OFTEN)
    with pytest.raises(KeyboardInterrupt):
        train_run(run.path, settings, OFTEN, progress=Interrupt(1))
    kept = run.checkpoint_file.read_bytes()
    size = (finished_run[0] / "weights.safetensors").stat().st_size
    assert len(kept) > size  # so that the next write to fail is the checkpoint's
    message = r"checkpoint\.pt, but: File too large"
    with full_disk(size + 1000), pytest.raises(OSError, match=message):
        train_run(run.path, settings, OFTEN)
    assert run.checkpoint_file.read_bytes() == kept
    assert not list(run.path.rglob(".*.tmp"))
    progress = Interrupt(None)
    result = train_run(run.path, settings, progress=progress)
    assert progress.steps == 2  # of the second epoch alone
    assert result.test == undisturbed.test
    digests = [
        hashlib.sha256((path / "weights.safetensors").read_bytes()).hexdigest()
        for path in (run.path, finished_run[0])
    ]
    assert digests[0] == digests[1]


def test_a_file_in_the_runs_place_is_named_and_left_alone(tmp_path, finished_run):
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises((OSError, ValueError), match=str(tmp_path / "file")):
            train_run(path, finished_run[1])
    assert (tmp_path / "file").read_text() == "mine"


def test_a_read_only_folder_is_named(read_only, finished_run):
    with pytest.raises(PermissionError, match=str(read_only)):
        train_run(read_only / "run", finished_run[1])
    assert [file.name for file in read_only.iterdir()] == ["old.json"]


def test_leftovers_of_killed_writers_are_removed(tmp_path, finished_run):
    run = RunDirectory(tmp_path / "run")
    (run.path / "snapshots").mkdir(parents=True)
    for name in (".checkpoint.pt.abcd1234.tmp", "snapshots/.epoch-1.safetensors.x_yz5678.tmp"):
        (run.path / name).write_bytes(b"half")
    # What somebody else calls so is theirs, be it a folder.
    theirs = [
        ".notes.tmp",
        ".checkpoint.pt.mine.tmp",
        "snapshots/.epoch-x.safetensors.x_yz5678.tmp",
    ]
    for name in theirs:
        (run.path / name).write_text("mine")
    folders = [".x.tmp", ".result.json.abcd1234.tmp"]
    for name in folders:
        (run.path / name).mkdir()
    train_run(run.path, finished_run.settings)
    left = {str(file.relative_to(run.path)) for file in run.path.rglob(".*.tmp")}
    assert left == {*theirs, *folders}
