"""What a loss remembers ends as of an undisturbed run, to the last bit; and none of others goes on.

Own teachers that remember in every way that there is, and every row of the table that does.
"""

import copy
import re

import pytest
import torch
from accelerate.optimizer import AcceleratedOptimizer
from msgspec.structs import replace
from own_parts import changed
from remembering import remembers
from safetensors.torch import load_file

from tfkd.data import DataSettings
from tfkd.method_table import METHODS
from tfkd.runs import Circumstances, Constant, MethodSettings, Recipe, RunSettings, RunTeacher
from tfkd.train import train_run
from tfkd.train.checkpoint.file import read_checkpoint, write_checkpoint
from tfkd.train.progress import Silent

pytestmark = pytest.mark.usefixtures("one_thread")

OFTEN = Circumstances(checkpoint_seconds=0.0)
# 5 batches of 20 in an epoch, and 3 steps.
PLAIN = RunSettings(
    Recipe(
        data=DataSettings("digits", train_size=100, validation_fraction=0.1),
        student="own_parts:mlp",
        epochs=2,
        batch_size=20,
        gradient_accumulation=2,
    )
)
ALL = {"weight_average": 0.9, "clip_gradients": 0.5, "mixed_precision": "bf16"}
OWN = {
    "by_class": {**ALL, "class_weights": "balanced"},
    "average": {**ALL, "mixup": 0.3, "cutmix": 0.3, "student": "small_cnn"},
    "last": ALL,
    "scheduled": {"mixup": 0.3},
    "both": {"class_weights": "balanced"},
    "beside": {},
}
FIXED_AND_FREE = ("scheduled", "both")
LATER = [
    pytest.param(name, marks=() if remembers(row) else pytest.mark.long)
    for name, row in METHODS.items()
    if row.taught_by != "any"
]


class Watched(Silent):
    """Keeps what the loss remembers behind the last epoch; ends a run where it is told to."""

    def __init__(self, path, *, at=None, step=None):
        self.file, self.at, self.left, self.kept = path / "checkpoint.pt", at, step, None

    def step(self):
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt

    def doing(self, what):
        if what == "measuring the test split":
            self.kept = read_checkpoint(self.file).criterion
        if what == self.at:
            raise KeyboardInterrupt


def trained(path, settings):
    """What a run remembers at its end."""
    watched = Watched(path)
    train_run(path, settings, OFTEN, progress=watched)
    return watched.kept


def interrupted(path, settings, **how):
    with pytest.raises(KeyboardInterrupt):
        train_run(path, settings, OFTEN, progress=Watched(path, **how))
    return read_checkpoint(path / "checkpoint.pt")


def same(one, other):
    assert (one or {}).keys() == (other or {}).keys()
    for name, value in (one or {}).items():
        assert torch.equal(value, other[name]), name


def same_runs(one, other):
    same(*(load_file(path / "weights.safetensors") for path in (one, other)))


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """A trained network that teaches, and that is the students' own."""
    path = tmp_path_factory.mktemp("teacher") / "run"
    train_run(path, changed(PLAIN, epochs=1, gradient_accumulation=1))
    return RunTeacher(run=str(path))


def settings_of(name, teacher, **recipe):
    method = MethodSettings(name)
    taught = teacher if method.has_teacher else None
    return replace(PLAIN, recipe=replace(PLAIN.recipe, **recipe), method=method, teacher=taught)


@pytest.mark.parametrize("name", OWN)
def test_an_interruption_changes_no_bit_of_weights_and_memory(name, tmp_path, teacher):
    settings = settings_of(f"remembering:{name}", teacher, **OWN[name])
    whole = trained(tmp_path / "whole", settings)
    assert whole
    kept = interrupted(tmp_path / "step", settings, step=8)
    assert (kept.epochs_done, kept.batches_done) == (1, 2)
    same(trained(tmp_path / "step", settings), whole)
    same_runs(tmp_path / "step", tmp_path / "whole")


@pytest.mark.parametrize("name", ["average", "both"])
def test_an_epoch_ends_once_though_its_measuring_is_interrupted(name, tmp_path, teacher):
    settings = settings_of(f"remembering:{name}", teacher)
    whole = trained(tmp_path / "whole", settings)
    assert whole["progress"].tolist() == [2, 6, 0, 0]
    kept = interrupted(tmp_path / "run", settings, at="measuring the validation split")
    assert (kept.epochs_done, kept.batches_done) == (0, 5)
    assert kept.criterion["progress"].tolist() == [0, 3, 0, 0]
    same(trained(tmp_path / "run", settings), whole)
    same_runs(tmp_path / "run", tmp_path / "whole")


@pytest.mark.parametrize("name", LATER)
def test_every_method_of_the_table_ends_as_undisturbed(name, tmp_path, teacher):
    settings = settings_of(name, teacher)
    whole = trained(tmp_path / "whole", settings)
    interrupted(tmp_path / "run", settings, step=8)
    same(trained(tmp_path / "run", settings), whole)
    same_runs(tmp_path / "run", tmp_path / "whole")


def test_a_step_that_the_scaler_skips_is_none(tmp_path, monkeypatch):
    # As of fp16, which a CPU does not train in: of 3 steps of an epoch one is skipped.
    calls = []

    def skipped(optimizer):
        calls.append(len(calls))
        return calls[-1] % 3 == 1

    monkeypatch.setattr(AcceleratedOptimizer, "step_was_skipped", property(skipped))
    kept = trained(tmp_path / "run", settings_of("remembering:both", None))
    assert len(calls) == 6
    assert kept["progress"].tolist() == [2, 4, 0, 0]


def test_a_loss_that_remembers_nothing_keeps_nothing(tmp_path, teacher):
    for name in ("cross_entropy", "tf_kd_reg", "tf_kd_self"):
        settings = settings_of(name, teacher, class_weights="balanced")
        assert interrupted(tmp_path / name, settings, step=8).criterion is None


WRONG = {
    "nothing": ("expected `progress` in the loss, found none", lambda c: c.clear()),
    "a missing part": (
        "expected `teacher.sums` in the loss, found none",
        lambda c: c.pop("teacher.sums"),
    ),
    "an unknown part": (
        "expected no `weight` in the loss, got one",
        lambda c: c.update(weight=torch.ones(10)),
    ),
    "another size": (
        r"expected `teacher.counts` as torch.int64 \(10,\), got torch.int64 \(9,\)",
        lambda c: c.update({"teacher.counts": c["teacher.counts"][1:]}),
    ),
    "another dtype": (
        r"expected `teacher.sums` as torch.int64 \(10, 10\), got torch.float32 \(10, 10\)",
        lambda c: c.update({"teacher.sums": c["teacher.sums"].float()}),
    ),
    "a short progress": (
        r"expected `progress` as torch.int64 \(4,\), got torch.int64 \(3,\)",
        lambda c: c.update(progress=c["progress"][1:]),
    ),
    "no tensor": ("as torch.int64 .*, got int", lambda c: c.update({"teacher.sums": 3})),
}


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """By method: a run that was interrupted, and its checkpoint."""
    folder, found = tmp_path_factory.mktemp("begun"), {}
    for name in ("both", "last"):
        settings = settings_of(f"remembering:{name}", None)
        found[name] = folder / name, settings, interrupted(folder / name, settings, step=8)
    return found


@pytest.mark.parametrize("what", WRONG)
def test_a_memory_that_does_not_fit_is_refused_before_anything_is_loaded(what, begun):
    run, settings, checkpoint = begun["both"]
    message, change = WRONG[what]
    other = copy.deepcopy(checkpoint)
    change(other.criterion)
    write_checkpoint(run / "checkpoint.pt", other)
    file = re.escape(str(run / "checkpoint.pt"))
    with pytest.raises(ValueError, match=rf"(?s){file}.*{message}.*Delete this file"):
        train_run(run, settings)


def test_a_memory_of_any_length_has_the_width_and_dtype_of_ours(begun):
    run, settings, checkpoint = begun["last"]
    assert checkpoint.criterion["teacher.last"].shape == (20, 10)
    for wrong in (torch.zeros(20, 9), torch.zeros(20, 10, dtype=torch.float64), torch.zeros(10)):
        other = replace(checkpoint, criterion={"teacher.last": wrong})
        write_checkpoint(run / "checkpoint.pt", other)
        with pytest.raises(ValueError, match=r"expected `teacher.last` as torch.float32 \(\d+, 10"):
            train_run(run, settings)


def test_a_run_that_forgets_does_not_go_on_from_one_that_remembers(begun, tmp_path):
    checkpoint = begun["both"][2]
    run = tmp_path / "run"
    interrupted(run, PLAIN, step=8)
    write_checkpoint(run / "checkpoint.pt", checkpoint)
    with pytest.raises(ValueError, match="expected no `progress` in the loss, got one"):
        train_run(run, PLAIN)


def test_what_depends_on_the_number_of_epochs_is_not_trained_for_longer(tmp_path):
    recipe = {"schedule": Constant(), "gradient_accumulation": 1}
    fixed, free = (settings_of(f"remembering:{name}", None, **recipe) for name in FIXED_AND_FREE)
    interrupted(tmp_path / "free", free, step=8)
    assert train_run(tmp_path / "free", changed(free, epochs=3)).epochs == 3
    interrupted(tmp_path / "fixed", fixed, step=8)
    with pytest.raises(ValueError, match="got 3: remembering:scheduled depends on the number of"):
        train_run(tmp_path / "fixed", changed(fixed, epochs=3))
