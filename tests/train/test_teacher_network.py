"""A run knows the weights that teach it, and refuses others when it goes on."""

from __future__ import annotations

import hashlib
import json

import pytest
import torch
from own_parts import changed
from safetensors.torch import load_file, save_file

from tfkd.cli import main
from tfkd.data import load_data
from tfkd.models import create_model
from tfkd.runs import (
    Circumstances,
    MethodSettings,
    RunDirectory,
    RunTeacher,
    WeightsTeacher,
)
from tfkd.train import train_run
from tfkd.train.progress import Silent
from tfkd.train.teacher_network import load_teacher


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    file = tmp_path / "mine.safetensors"
    save_file(create_model("small_cnn", num_classes=10, in_channels=1).state_dict(), file)
    return file


@pytest.fixture
def settings(finished_run, weights):
    numbers = {"alpha": 0.5, "temperature": 2.0}
    return changed(
        finished_run.settings,
        method=MethodSettings("knowledge_distillation", numbers=numbers),
        teacher=WeightsTeacher(model="small_cnn", weights=str(weights)),
    )


class Stop(Silent):
    def epoch(self, record):
        raise KeyboardInterrupt


def interrupt(path, settings):
    with pytest.raises(KeyboardInterrupt):
        train_run(path, settings, Circumstances(checkpoint_seconds=0.0), progress=Stop())
    assert (path / "checkpoint.pt").exists()


def change(file):
    tensors = load_file(file)
    name = next(name for name in tensors if tensors[name].is_floating_point())
    tensors[name] += 0.01
    save_file(tensors, file)


def test_a_run_says_which_weights_taught_it(settings, weights, tmp_path):
    train_run(tmp_path / "run", settings, Circumstances(save_epochs=(1,)))
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert json.loads((tmp_path / "run" / "teacher.json").read_text()) == {"sha256": digest}
    assert RunDirectory(tmp_path / "run").taught_by() == digest
    assert "  teacher.json\n" in (tmp_path / "run" / "SHA256SUMS").read_text()
    # Taught by a run it says those of that run, as its own checksums have them.
    taught = changed(settings, teacher=RunTeacher(run=str(tmp_path / "run"), epoch=1))
    train_run(tmp_path / "next", taught)
    line = f"{RunDirectory(tmp_path / 'next').taught_by()}  snapshots/epoch-1.safetensors\n"
    assert line in (tmp_path / "run" / "SHA256SUMS").read_text()


def test_a_run_without_a_teacher_says_none(finished_run):
    assert RunDirectory(finished_run[0]).taught_by() is None
    assert not (finished_run[0] / "teacher.json").exists()


def test_other_weights_are_refused_when_a_run_goes_on(settings, weights, tmp_path):
    run, whole = tmp_path / "run", weights.read_bytes()
    interrupt(run, settings)
    checkpoint = (run / "checkpoint.pt").read_bytes()
    change(weights)
    message = rf"weights that taught the run in {run}, .*{weights}, got [0-9a-f]+\. Restore"
    with pytest.raises(ValueError, match=message):
        train_run(run, settings)
    assert (run / "checkpoint.pt").read_bytes() == checkpoint
    weights.write_bytes(whole)
    train_run(run, settings)
    train_run(tmp_path / "undisturbed", settings)
    ends = [load_file(path / "weights.safetensors") for path in (run, tmp_path / "undisturbed")]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    # Finished: other weights are not what taught it; without the file nobody can tell.
    assert train_run(run, settings).epochs == settings.recipe.epochs
    change(weights)
    with pytest.raises(ValueError, match=message):
        train_run(run, settings)
    weights.unlink()
    assert train_run(run, settings).epochs == settings.recipe.epochs


def test_a_teacher_that_was_trained_anew_is_noticed_too(settings, finished_run, sealed, tmp_path):
    teacher = tmp_path / "teacher"
    train_run(teacher, finished_run[1])
    taught = changed(settings, teacher=RunTeacher(run=str(teacher)))
    interrupt(tmp_path / "run", taught)
    file = teacher / "weights.safetensors"
    change(file)
    sealed(teacher)
    with pytest.raises(ValueError, match=rf"weights that taught the run .*{file}"):
        train_run(tmp_path / "run", taught)


def test_a_damaged_record_is_named(settings, tmp_path):
    interrupt(tmp_path / "run", settings)
    file = tmp_path / "run" / "teacher.json"
    for content in (b"", b"[]", b"{}", b'{"sha256": 5}', b"\xff"):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=rf"{file}.*delete the directory"):
            train_run(tmp_path / "run", settings)


def test_weights_that_are_none_are_named_before_anything_is_done(settings, weights, tmp_path):
    whole = weights.read_bytes()
    tensors = load_file(weights)
    name = next(name for name in tensors if tensors[name].dim() == 4)

    def saved(changes):
        save_file({**tensors, **changes}, weights)
        return weights.read_bytes()

    pickled = tmp_path / "weights.pt"
    torch.save(tensors, pickled)
    nan = torch.full_like(tensors[name], float("nan"))
    for content, message in (
        (b"", "safetensors file"),
        (whole[:5], "safetensors file"),
        (whole[: len(whole) // 2], "safetensors file"),
        (whole + b"\0", "safetensors file"),
        (b"\xff" * 8 + whole[8:], "safetensors file"),
        (pickled.read_bytes(), "safetensors file"),
        (saved({name: tensors[name][:1].clone()}), rf"do not fit .*expected {name} of numbers"),
        (saved({name: tensors[name].int()}), rf"do not fit .*expected {name} .*got integers"),
        (saved({"extra": torch.zeros(2)}), "do not fit .*expected no 'extra'"),
        (saved({name: nan}), rf"finite weights in .*NaN or infinity in {name}"),
    ):
        weights.write_bytes(content)
        with pytest.raises(ValueError, match=message) as caught:
            train_run(tmp_path / "run", settings)
        assert str(weights) in str(caught.value)
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "run").exists()
    save_file({}, weights)
    with pytest.raises(ValueError, match=r"found none, and \d+ more differ"):
        train_run(tmp_path / "run", settings)
    weights.unlink()
    with pytest.raises(FileNotFoundError, match=rf"weights in {weights}"):
        train_run(tmp_path / "run", settings)


def test_weights_of_a_teacher_come_in_every_form(settings, weights, finished_run, tmp_path):
    data = load_data(settings.recipe.data, seed=0)
    tensors = load_file(weights)
    torch.save({"epoch": 3, "state_dict": {f"module.{n}": t for n, t in tensors.items()}},
               tmp_path / "mine.pth.tar")  # fmt: skip
    for place, expected in (
        (tmp_path / "mine.pth.tar", tensors),
        (finished_run.path, load_file(finished_run.path / "weights.safetensors")),
    ):
        teacher = WeightsTeacher(model="small_cnn", weights=str(place))
        found = load_teacher(teacher, data).state_dict()
        assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    run = tmp_path / "run"
    taught = changed(
        settings, teacher=WeightsTeacher(model="small_cnn", weights=str(finished_run.path))
    )
    train_run(run, taught)
    digest = hashlib.sha256((finished_run.path / "weights.safetensors").read_bytes()).hexdigest()
    assert RunDirectory(run).taught_by() == digest


def test_the_command_line_says_it_in_one_line(weights, tmp_path, capsys):
    command = ["train", "--out", str(tmp_path / "run"), "--method", "tf_kd_self"]
    command += ["--teacher", "small_cnn", "--teacher_weights", str(weights), "--epochs", "1"]
    assert main(command) == 0
    capsys.readouterr()
    change(weights)
    assert main(command) == 2
    error = capsys.readouterr().err
    assert "Expected the weights that taught the run" in error
    assert error.count("\n") == 1
