"""A run knows the weights that it started from by their content, wherever they lie."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest
import torch
from own_parts import changed
from safetensors.torch import load_file, save_file
from study_progress import Recording

from tfkd.cli import main
from tfkd.models import create_model
from tfkd.runs import Circumstances, RunDirectory
from tfkd.study.comparison import comparison
from tfkd.study.records import collect
from tfkd.study.run import run_study
from tfkd.train import train_run
from tfkd.train.progress import Silent

pytestmark = pytest.mark.usefixtures("one_thread")


class Said(Silent):
    def __init__(self):
        self.remarks = []

    def remark(self, text):
        self.remarks.append(text)


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(3)
    file = tmp_path / "mine.pth"
    torch.save(create_model("small_cnn", num_classes=7, in_channels=1).state_dict(), file)
    return file


@pytest.fixture
def settings(finished_run, weights):
    return changed(finished_run.settings, weights=str(weights))


def digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def change(file):
    state = torch.load(file, weights_only=True)
    state[next(iter(state))] += 0.01
    torch.save(state, file)


def test_a_run_says_what_it_started_from_and_where_that_lies_does_not_matter(
    settings, weights, tmp_path
):
    run, said = RunDirectory(tmp_path / "run"), Said()
    result = train_run(run.path, settings, progress=said)
    assert len(said.remarks) == 1
    assert f"{weights} has a head for 7 classes: small_cnn gets a new one" in said.remarks[0]
    assert json.loads((run.path / "start.json").read_text()) == {"sha256": digest(weights)}
    assert run.started_from() == digest(weights)
    assert "  start.json\n" in (run.path / "SHA256SUMS").read_text()
    assert json.loads(run.settings_file.read_text())["recipe"]["weights"] == "../mine.pth"
    elsewhere = tmp_path / "elsewhere" / "other.pth"
    elsewhere.parent.mkdir()
    weights.rename(elsewhere)
    assert train_run(run.path, changed(settings, weights=str(elsewhere))) == result
    assert train_run(run.path, settings) == result  # without the file nobody can tell
    with pytest.raises(ValueError, match=r"recipe.weights is 'a file' there, None here"):
        train_run(run.path, changed(settings, weights=None))
    change(elsewhere)
    message = f"the weights that the run in {run.path} started from, .*{elsewhere}, got"
    with pytest.raises(ValueError, match=message):
        train_run(run.path, changed(settings, weights=str(elsewhere)))
    # Anew without them nothing is left of it.
    train_run(run.path, changed(settings, weights=None), overwrite=True)
    assert not (run.path / "start.json").exists()


def test_a_run_that_goes_on_refuses_others(settings, weights, interrupt, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train_run(run, settings, Circumstances(checkpoint_seconds=0.0), progress=interrupt(1))
    checkpoint = (run / "checkpoint.pt").read_bytes()
    whole = weights.read_bytes()
    change(weights)
    with pytest.raises(ValueError, match="Restore that file"):
        train_run(run, settings)
    assert (run / "checkpoint.pt").read_bytes() == checkpoint
    weights.write_bytes(whole)
    train_run(run, settings)
    train_run(tmp_path / "undisturbed", settings)
    ends = [load_file(path / "weights.safetensors") for path in (run, tmp_path / "undisturbed")]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_what_does_not_fit_is_refused_before_anything_is_written(settings, weights, tmp_path):
    torch.save({"x": torch.zeros(2)}, weights)
    with pytest.raises(ValueError, match=f"The weights in {weights} do not fit"):
        train_run(tmp_path / "run", settings)
    with pytest.raises(ValueError, match="in another directory than the run that starts from it"):
        train_run(tmp_path, settings)
    weights.unlink()
    with pytest.raises(FileNotFoundError, match=f"Expected weights in {weights}"):
        train_run(tmp_path / "run", settings)
    assert not (tmp_path / "run").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_run_starts_another_one(finished_run, tmp_path):
    """Its weights are those of the run that it started from, when it learns nothing."""
    path, settings = finished_run.path, finished_run.settings
    tiny = changed(settings, weights=str(path), epochs=1)
    tiny = changed(tiny, optimizer=type(tiny.recipe.optimizer)(learning_rate=1e-30))
    train_run(tmp_path / "next", tiny)
    before, after = (load_file(own / "weights.safetensors") for own in (path, tmp_path / "next"))
    # Averages of norms move, weights do not.
    assert all(torch.equal(before[key], after[key]) for key in before if "running" not in key
               and "num_batches" not in key)  # fmt: skip
    assert RunDirectory(tmp_path / "next").started_from() == digest(path / "weights.safetensors")
    # What was changed in a run is noticed.
    copy = tmp_path / "copy"
    shutil.copytree(path, copy)
    tensors = load_file(copy / "weights.safetensors")
    save_file({key: tensor + 1 for key, tensor in tensors.items()}, copy / "weights.safetensors")
    with pytest.raises(ValueError, match="its checksum is not that"):
        train_run(tmp_path / "other", changed(tiny, weights=str(copy)))


def test_in_a_comparison_the_file_is_the_students_alone(finished_run, weights, tmp_path):
    recipe = changed(finished_run.settings, weights=str(weights), epochs=1).recipe
    study = comparison(recipe, teacher="wide_cnn", methods=("normal_kd",), seeds=1)
    assert {arm.recipe.student: arm.recipe.weights for arm in study.arms} == {
        "small_cnn": str(weights),
        "wide_cnn": None,
    }
    records = run_study(study, tmp_path / "study", progress=Recording(), jobs=1)
    assert len(records) == 3
    weights.rename(tmp_path / "moved.pth")
    assert collect(study, tmp_path / "study").left_out == []


def test_the_command_line_says_it_in_a_line(weights, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["train", "--out", "run", "--epochs", "1", "--train-size", "60"]
    assert main([*command, "--weights", "mine.pth"]) == 0
    assert "has a head for 7 classes" in capsys.readouterr().err
    again = ["train", "--out", "again", "--config", "run/settings.json"]
    assert main(again) == 0  # found from wherever the file of settings lies
    assert RunDirectory("again").started_from() == digest(weights)
    capsys.readouterr()
    change(weights)
    assert main([*command, "--weights", "mine.pth"]) == 2
    error = capsys.readouterr().err
    assert "Expected the weights that the run in run started from" in error
    assert error.count("\n") == 1
