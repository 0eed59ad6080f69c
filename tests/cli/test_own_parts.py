"""A method, a model and a data source of one's own, by `module:name`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from split_off import command

from tfkd.runs import RunDirectory

LOSSES = """
import tfkd
from tfkd.method_table import Method

def my_method(*, strength=0.2) -> tfkd.DistillationLoss:
    return tfkd.label_smoothing(strength)

def taught(teacher, *, alpha=0.3, temperature=2.0) -> "DistillationLoss":
    return tfkd.knowledge_distillation(teacher, alpha=alpha, temperature=temperature)

ROW = Method(
    name="toy.losses:ROW",
    title="my own",
    taught_by="itself",
    compositions={"tfkd": "toy.losses:taught", "paper": "tfkd.dialects:paper_kd"},
)

def returns_nothing() -> tfkd.DistillationLoss:
    return None

def says_nothing():
    return tfkd.label_smoothing()

NUMBER = 3
"""
MODELS = """
from torch import nn

def my_model(*, num_classes, in_channels) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(in_channels * 64, num_classes))

def returns_text(*, num_classes, in_channels) -> nn.Module:
    return "a network"

def of_other_classes(*, num_classes, in_channels) -> nn.Module:
    return my_model(num_classes=num_classes + 1, in_channels=in_channels)

def takes_nothing() -> nn.Module:
    return None

NUMBER = 3
"""
DATA = """
import torch
from tfkd.data import Augmentation, Source
from tfkd.data.images import MemoryImages

def my_data(root) -> Source:
    assert root is None or root.endswith("somewhere")
    def images(count, seed):
        labels = torch.arange(count) % 3
        noise = torch.Generator().manual_seed(seed)
        pixels = torch.randint(0, 40, (count, 1, 8, 8), generator=noise, dtype=torch.uint8)
        pixels += (labels * 100).to(torch.uint8)[:, None, None, None]
        return MemoryImages(pixels, labels)
    return Source(
        classes=("dark", "grey", "light"),
        train=images(90, 0),
        test=images(30, 1),
        mean=(0.45,),
        std=(0.33,),
        image_size=8,
        augmentation=Augmentation(),
    )

def returns_images(root) -> Source:
    return my_data(root).train

NUMBER = 3
"""
OWN = ["--student", "toy.models:my_model", "--data", "toy.data:my_data"]


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """The folder that the package `toy` lies in."""
    folder = tmp_path / "mine"
    monkeypatch.syspath_prepend(folder)  # for what this process reads of its runs
    (folder / "toy").mkdir(parents=True)
    for name, text in {"losses": LOSSES, "models": MODELS, "data": DATA}.items():
        (folder / "toy" / f"{name}.py").write_text(text)
    return folder


def tfkd(folder, *words):
    """Run the program with `folder` in PYTHONPATH."""
    return command(*words, known=[folder], here=folder.parent)


def tfkd_of_a_user(folder, *words, path=None, here=None):
    """Run the program as a user does, which takes seconds, with `folder` in PYTHONPATH."""
    known = [str(Path(__file__).parents[2] / "src"), *([str(folder)] if path is None else path)]
    return subprocess.run(
        [sys.executable, "-m", "tfkd.cli", *map(str, words)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(known)},
        cwd=here or folder.parent,
        capture_output=True,
        text=True,
    )


def test_all_three_train_are_measured_and_teach(toy, tmp_path):
    out = tmp_path / "run"
    words = ["train", "--epochs", "4", *OWN, "--learning-rate", "0.05", "--batch-size", "16"]
    method = ["--method", "toy.losses:my_method"]
    somewhere = tmp_path / "somewhere"
    done = tfkd_of_a_user(toy, *words, "--out", out, *method, "--data-root", somewhere)
    assert done.returncode == 0, done.stderr
    stored = RunDirectory(out).stored()
    assert stored.method.numbers == {"strength": 0.2}
    assert stored.recipe.data.name == "toy.data:my_data"
    result = RunDirectory(out).result()
    assert result is not None
    assert result.test.accuracy == 1.0  # the brightness tells the classes apart
    assert RunDirectory(out).data().classes == ("dark", "grey", "light")
    again = tfkd(toy, *words, "--out", out, *method)
    assert "finished before" in again.stdout
    for line in (["evaluate", out], ["explain", *method, "--classes", "3"]):
        done = tfkd(toy, *line)
        assert done.returncode == 0, done.stderr
    student = tmp_path / "student"
    done = tfkd(toy, *words, "--out", student, "--method", "toy.losses:taught", "--teacher", out)
    assert done.returncode == 0, done.stderr
    assert RunDirectory(student).settings().method.numbers == {"alpha": 0.3, "temperature": 2.0}
    done = tfkd(
        *(toy, *words, "--out", tmp_path / "row", "--method", "toy.losses:ROW", "--teacher", out),
        *("--dialect", "paper", "--alpha", "0.5", "--temperature", "4"),
    )
    assert done.returncode == 0, done.stderr
    assert RunDirectory(tmp_path / "row").settings().method.dialect == "paper"


def test_the_numbers_of_a_method_of_ones_own_are_options(toy, tmp_path):
    words = ["train", "--epochs", "1", *OWN, "--method", "toy.losses:my_method"]
    for number, typed in enumerate((["--strength", "0.4"], ["--strength=4e-1"])):
        out = tmp_path / str(number)
        done = tfkd(toy, *words, *typed, "--out", out)
        assert done.returncode == 0, done.stderr
        assert RunDirectory(out).settings().method.numbers == {"strength": 0.4}
    (tmp_path / "file.yaml").write_text("method: {numbers: {strength: 0.4}}\n")
    printed = tfkd(toy, *words, "--out", "x", "--config", "file.yaml", "--print-config").stdout
    assert "strength: 0.4" in printed
    for typed, said in (
        (["--strength"], "a number for --strength"),
        (["--strength", "x"], "`strength` to be a number, got 'x'"),
        (["--strength", "2"], "in [0, 1], got 2"),
        (["--streng", "0.4"], "no `streng` for toy.losses:my_method, got 0.4. It takes strength"),
    ):
        done = tfkd(toy, *words, *typed, "--out", tmp_path / "none")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert said in done.stderr
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--method", "nowhere.losses:my_method"], "a module nowhere.losses for"),
        (["--method", "toy.nowhere:my_method"], "a module toy.nowhere for"),
        (["--method", "toy.losses:nothing"], "'nothing' in the module toy.losses"),
        (["--method", "toy.losses:NUMBER"], "a function or a tfkd Method at toy.losses:NUMBER"),
        (["--method", "toy.losses:returns_nothing"], "toy.losses:returns_nothing to return a"),
        (["--method", "toy.losses:my_method", "--dialect", "paper"], "--dialect among tfkd"),
        (["--method", "toy.losses:taught"], "--teacher for the method toy.losses:taught"),
        (["--method", "toy/losses:my_method"], "--method to be a method's name"),
        (["--student", "toy.models:nothing"], "'nothing' in the module toy.models"),
        (["--student", "toy.models:NUMBER"], "a function at toy.models:NUMBER"),
        (["--student", "toy.models:returns_text"], "to return a Module, got str"),
        (["--student", "toy.models:of_other_classes"], "logits of shape (1, 10)"),
        (["--student", "toy.models:takes_nothing"], "toy.models:takes_nothing to take"),
        (["--student", "toy.models:my_model", "--pretrained"], "--pretrained to be False"),
        (["--data", "toy.data:nothing"], "'nothing' in the module toy.data"),
        (["--data", "toy.data:NUMBER"], "a function at toy.data:NUMBER"),
        (["--data", "toy.data:returns_images"], "to return a Source, got MemoryImages"),
        (["--method", "toy.losses:says_nothing"], "with `-> DistillationLoss` behind its"),
        (
            ["--data", "os:system", "--data-root", "touch x"],
            "to say that it returns a Source",
        ),
        (["--data", "shutil:rmtree", "--data-root", "."], "to say that it returns a Source"),
        (["--student", "os:abort"], "to say that it returns a Module"),
        (["--method", "os:abort"], "to say that it returns a DistillationLoss"),
    ],
)
def test_what_is_wrong_with_a_part_is_one_line(words, said, toy, tmp_path):
    done = tfkd(toy, "train", "--out", tmp_path / "out", "--epochs", "1", *words)
    assert said in done.stderr
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_the_current_folder_is_not_imported_from(toy, tmp_path):
    """A run that somebody gave you cannot bring code along."""
    out = tmp_path / "run"
    words = ["train", "--out", out, "--epochs", "1", *OWN]
    assert tfkd(toy, *words).returncode == 0
    for line in (["evaluate", out], ["train", "--config", out / "settings.json", "--out", "x"]):
        done = tfkd_of_a_user(toy, *line, path=[], here=toy)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "PYTHONPATH" in done.stderr
    # Whoever names the folder means it.
    assert tfkd_of_a_user(toy, "evaluate", out, here=toy).returncode == 0


def test_a_module_that_lacks_something_itself_says_what(toy, tmp_path):
    (toy / "toy" / "broken.py").write_text("import something_that_is_not_there\n")
    done = tfkd(toy, "train", "--out", tmp_path / "out", "--method", "toy.broken:x")
    assert done.returncode != 0
    assert "something_that_is_not_there" in done.stderr
    assert "[cli]" not in done.stderr
