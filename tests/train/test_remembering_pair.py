"""Two processes remember what one does, each of them the same, and the main one's is kept."""

import pytest
import split_off
import torch
from own_parts import changed
from remembering import remembers
from safetensors.torch import load_file
from split_off import written

from tfkd.data import DataSettings
from tfkd.method_table import METHODS
from tfkd.runs import MethodSettings, Recipe, RunSettings, files
from tfkd.train import train_run
from tfkd.train.remembered import remembered
from tfkd.train.step.stepper import Stepper

pytestmark = pytest.mark.usefixtures("one_thread")

# Of a batch of 35 the processes have 17 and 18, and of the last one 7 and 8.
PLAIN = RunSettings(
    Recipe(
        data=DataSettings("digits", train_size=120),
        student="own_parts:mlp",
        epochs=2,
        batch_size=35,
        gradient_accumulation=2,
    ),
    MethodSettings("remembering:both"),
)
OWN = {
    "both": PLAIN,
    # Whose batch norm sees the share of each process.
    "average": changed(PLAIN, student="small_cnn", method=MethodSettings("remembering:average")),
}

LATER = {
    name: changed(PLAIN, student="small_cnn", method=MethodSettings(name))
    for name, row in METHODS.items()
    if not row.has_teacher and remembers(row)
}

PROGRAM = """
import os, msgspec, torch
from pathlib import Path
from tfkd.runs import Circumstances, RunSettings
from tfkd.train import train_run
from tfkd.train.checkpoint.file import read_checkpoint
from tfkd.train.progress import Silent
from tfkd.train.remembered import remembered
from tfkd.train.step.stepper import Stepper

class Interrupt(Silent):
    left = 5  # the first batch of the second epoch
    def step(self):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt

end_epoch, place = Stepper.end_epoch, None

def spied(self, epoch):
    end_epoch(self, epoch)
    torch.save(remembered(self._criterion), f"{place}-{epoch}-{os.environ['RANK']}.pt")

Stepper.end_epoch = spied
torch.set_num_threads(1)
for name, settings in msgspec.json.decode(runs, type=dict[str, RunSettings]).items():
    place = Path(folder, name)
    train_run(place, settings)
    place = Path(folder, f"{name}-interrupted")
    try:
        train_run(place, settings, Circumstances(checkpoint_seconds=0.0), progress=Interrupt())
    except KeyboardInterrupt:
        kept = read_checkpoint(place / "checkpoint.pt")
        assert (kept.epochs_done, kept.batches_done) == (1, 0), kept
        torch.save(kept.criterion, f"{place}-kept.pt")
    train_run(place, settings)
"""


def trained_by_two(folder, runs):
    program = written(folder / "program.py", PROGRAM)
    values = {"runs": files.to_json(runs).decode(), "folder": str(folder)}
    for process in split_off.pair(program, **values):
        process.finish()
    return folder


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return trained_by_two(tmp_path_factory.mktemp("pair"), OWN)


def same(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


@pytest.mark.parametrize("name", OWN)
def test_both_remember_the_same_and_an_interruption_changes_no_bit(name, pair):
    check_alike(pair, name)


@pytest.mark.long
def test_so_it_is_of_every_method_of_the_table_that_remembers(tmp_path):
    trained_by_two(tmp_path, LATER)
    for name in LATER:
        check_alike(tmp_path, name)


def check_alike(pair, name):
    """Both processes remember the same, and no less after an interruption."""
    for epoch in range(2):
        first, second = (torch.load(pair / f"{name}-{epoch}-{rank}.pt") for rank in range(2))
        same(first, second)
    for rank in range(2):
        same(torch.load(pair / f"{name}-interrupted-1-{rank}.pt"), first)
    same(
        torch.load(pair / f"{name}-interrupted-kept.pt") or {}, torch.load(pair / f"{name}-0-0.pt")
    )
    paths = (pair / name, pair / f"{name}-interrupted")
    same(*(load_file(path / "weights.safetensors") for path in paths))


def test_two_processes_remember_what_one_does(pair, tmp_path, monkeypatch):
    told, end_epoch = [], Stepper.end_epoch

    def spied(stepper, epoch):
        before = {name: own.clone() for name, own in remembered(stepper._criterion).items()}
        end_epoch(stepper, epoch)
        after = {name: own.clone() for name, own in remembered(stepper._criterion).items()}
        told.append((before, after))

    monkeypatch.setattr(Stepper, "end_epoch", spied)
    train_run(tmp_path / "one", PLAIN)
    for epoch, (before, after) in enumerate(told):
        assert int(before["teacher.counts"].sum()) > 0
        pairs = torch.load(pair / f"both-{epoch}-0.pt")
        assert after["progress"].tolist() == [epoch + 1, 2 * epoch + 2, 0, 0]
        assert torch.equal(pairs["progress"], after["progress"])
        # Logits differ in their last bits by the size of a batch, and what is learnt from them.
        mean, theirs = (own["teacher.log_mean"].exp() for own in (after, pairs))
        torch.testing.assert_close(theirs, mean, rtol=1e-4, atol=1e-5)
    ours, theirs = (
        load_file(path / "weights.safetensors") for path in (tmp_path / "one", pair / "both")
    )
    for name, weights in ours.items():
        torch.testing.assert_close(theirs[name], weights, rtol=1e-4, atol=1e-5)
